"""What `run` and `replay` are given: each mistake is named with its place and its remedy, before any work."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Throughline
from small_shop import SmallShop


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
    assert (
        f"{shop.mapping}:6: tables.orders.file: no file of the data folder nowhere matches 'orders.csv'"
        in done.said
    )


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
    assert "write an instant such as 2018-10-22T03:33:14Z, not 'tomorrow'" in done.said


def test_tables_without_a_touchpoint_are_told(throughline: Throughline, shop: SmallShop) -> None:
    """For `replay`, which reads them when its name is known to be free, see `test_on_services`."""
    orders = shop.data / "orders.csv"
    orders.write_text(orders.read_text("utf-8").splitlines()[0] + "\n", "utf-8")
    done = throughline("run", *shop.arguments)
    assert done.code == 2
    assert "the mapping makes no touchpoint of these tables; is --data the right folder?" in done.said


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
