"""What `run` and `replay` are given: each mistake is named with its place and its remedy, before any work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import Throughline
from small_shop import FIGURES, SmallShop


def spoil(file: Path, right: str, wrong: str) -> None:
    text = file.read_text("utf-8")
    assert right in text
    file.write_text(text.replace(right, wrong), "utf-8")


@pytest.fixture(params=["run", "replay"])
def command(request: pytest.FixtureRequest) -> list[str]:
    return ["run"] if request.param == "run" else ["replay", "--name", "may"]


def test_a_bad_map_is_refused_with_line_field_and_remedy(
    throughline: Throughline, shop: SmallShop, command: list[str]
) -> None:
    spoil(shop.map, "{owner: shop}", "{ownr: shop}")
    done = throughline(*command, *shop.arguments)
    assert done.code == 2
    assert (
        f"{shop.map}:7: touchpoints.sales.order.placed.ownr: there is no field 'ownr' here "
        "(did you mean 'owner'?); the fields are owner, touch, title" in done.said
    )


def test_a_bad_mapping_is_refused_with_line_field_and_remedy(
    throughline: Throughline, shop: SmallShop, command: list[str]
) -> None:
    spoil(shop.mapping, "type: sales.order.placed", "type: Placed")
    done = throughline(*command, *shop.arguments)
    assert done.code == 2
    assert (
        f"{shop.mapping}:9: tables.orders.events.placed.type: 'Placed' is no touchpoint type; " in done.said
    )
    assert "write domain.object.verb in lower case, such as fulfilment.parcel.delivered" in done.said


def test_a_column_that_the_table_lacks_is_told_with_those_that_it_has(
    throughline: Throughline, shop: SmallShop, command: list[str]
) -> None:
    spoil(shop.mapping, "customer_id: customer", "customer_id: custmer")
    done = throughline(*command, *shop.arguments)
    assert done.code == 2
    assert (
        f"{shop.mapping}:12: tables.orders.events.placed.identities.customer_id: orders.csv has no column "
        "'custmer' (did you mean 'customer'?); its columns are order, customer, placed, promised, delivered"
        in done.said
    )


def test_a_data_folder_that_is_not_there_is_told(
    throughline: Throughline, shop: SmallShop, command: list[str]
) -> None:
    done = throughline(*command, *shop.arguments[:-1], "nowhere")
    assert done.code == 2
    assert "Invalid value for '--data': there is no folder nowhere" in done.said
    assert "tables.orders" not in done.said


def test_a_data_folder_that_is_a_file_is_told(
    throughline: Throughline, shop: SmallShop, command: list[str]
) -> None:
    (shop.folder.parent / "orders").write_text("", "utf-8")
    done = throughline(*command, *shop.arguments[:-1], "orders")
    assert done.code == 2
    assert "Invalid value for '--data': orders is a file; give the folder that it is in" in done.said


@pytest.mark.parametrize(
    ("rejects", "said"),
    [
        ("nowhere/x.jsonl", "there is no folder nowhere; make it, or name a file elsewhere"),
        ("shop", "shop is a folder; name a file in it"),
    ],
)
def test_a_rejects_file_that_can_not_be_written_is_told_before_tables_are_read(
    throughline: Throughline, shop: SmallShop, command: list[str], rejects: str, said: str
) -> None:
    done = throughline(*command, *shop.arguments, "--rejects", rejects)
    assert done.code == 2
    assert f"Invalid value for '--rejects': {said}" in done.said


def test_a_map_that_is_not_there_is_told(
    throughline: Throughline, shop: SmallShop, command: list[str]
) -> None:
    shop.map.unlink()
    done = throughline(*command, *shop.arguments)
    assert done.code == 2
    assert f"{shop.map}:1: there is no such file; check the path" in done.said


def test_an_as_of_that_is_no_instant_is_told_with_one_that_is(
    throughline: Throughline, shop: SmallShop, command: list[str]
) -> None:
    done = throughline(*command, *shop.arguments, "--as-of", "tomorrow")
    assert done.code == 2
    expected = "'--as-of': write an instant such as 2018-10-22T03:33:14Z, not 'tomorrow'"
    assert f"Invalid value for {expected}" in done.said


def test_tables_without_a_touchpoint_are_told(throughline: Throughline, shop: SmallShop) -> None:
    """For `replay`, which reads them when its name is known to be free, see `test_on_services`."""
    orders = shop.data / "orders.csv"
    orders.write_text(orders.read_text("utf-8").splitlines()[0] + "\n", "utf-8")
    done = throughline("run", *shop.arguments)
    assert done.code == 2
    assert "the mapping makes no touchpoint of these tables; is --data the right folder?" in done.said


def test_a_table_of_which_all_is_rejected_is_told_with_the_reason(
    throughline: Throughline, shop: SmallShop
) -> None:
    """Without an as-of there is no time to advance to."""
    for right in ("time: placed", "time: delivered"):
        spoil(shop.mapping, right, "time: customer")
    done = throughline("run", *shop.arguments)
    assert done.code == 2
    assert "rejected orders.csv:2: orders.placed: time: 'anna' is not an ISO 8601 time" in done.said
    assert "makes no touchpoint of these tables; why rows were rejected is told above" in done.said


def test_a_misspelt_type_is_told_and_the_figures_stay_what_they_are(
    throughline: Throughline, shop: SmallShop
) -> None:
    spoil(shop.mapping, "type: fulfilment.order.delivered", "type: fulfilment.order.deliverd")
    done = throughline("run", *shop.arguments, "--json")
    assert (done.code, json.loads(done.out)["unmapped"]) == (0, 2)
    assert (
        f"warning: {shop.mapping}:16: tables.orders.events.delivered.type: map.yaml does not declare "
        "'fulfilment.order.deliverd' (did you mean 'fulfilment.order.delivered'?); it will count as unmapped"
        in done.said
    )


def test_a_replay_tells_what_does_not_fit_before_it_starts_anything(
    throughline: Throughline, shop: SmallShop
) -> None:
    spoil(shop.map, "due: {field: data.promised}", "due: {field: data.promisd}")
    (shop.data / "orders.csv").unlink()
    done = throughline("replay", "--name", "may", *shop.arguments)
    assert done.code == 2
    assert (
        f"warning: {shop.map}:16: journeys.order.promises.delivery.due.field: no event of mapping.yaml that makes "
        "'sales.order.placed' gives data.promisd (did you mean 'data.promised'?); they promise nothing"
        in done.said
    )


def test_of_very_much_that_does_not_fit_ten_lines_are_told(throughline: Throughline, shop: SmallShop) -> None:
    kinds = "".join(f", other_{n}: customer" for n in range(30))
    spoil(shop.mapping, "customer_id: customer}", f"customer_id: customer{kinds}}}")
    done = throughline("run", *shop.arguments, "--json")
    assert (done.code, json.loads(done.out)) == (0, FIGURES)
    assert len(done.err.splitlines()) == 11
    assert done.said.endswith("warning: map and mapping do not fit in 20 more places")


def test_an_option_that_is_missing_is_named(
    throughline: Throughline, shop: SmallShop, command: list[str]
) -> None:
    done = throughline(*command, *shop.arguments[:-2])
    assert done.code == 2
    assert "Missing option '--data'" in done.said


@pytest.mark.parametrize("name", ["", "May", "a_b", "a.b", "-", "x" * 42])
def test_a_name_that_no_replay_can_have_is_refused(
    throughline: Throughline, shop: SmallShop, name: str
) -> None:
    done = throughline("replay", *shop.arguments, "--name", name)
    assert done.code == 2
    if name:
        assert (
            f"{name!r} can't name a pipeline; take at most 41 lower-case letters, digits and -" in done.said
        )
    else:
        assert "a replay needs a name, such as --name may" in done.said


def test_nothing_is_started_for_tables_that_are_not_there(throughline: Throughline, shop: SmallShop) -> None:
    (shop.data / "orders.csv").unlink()
    done = throughline("replay", "--name", "may", *shop.arguments)
    assert done.code == 2
    assert "orders.csv" in done.said
    assert "starting" not in done.said
