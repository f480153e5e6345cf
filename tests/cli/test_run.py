"""`throughline run`: the summary of tables, in memory, for people and for programs."""

from __future__ import annotations

import json

from command_line import Throughline
from small_shop import FIGURES, SmallShop


def test_the_json_summary_is_all_that_is_on_standard_output(
    throughline: Throughline, shop: SmallShop
) -> None:
    done = throughline("run", *shop.arguments, "--json")
    assert done.code == 0
    assert json.loads(done.out) == FIGURES
    assert done.err == ""


def test_the_summary_for_people_has_the_same_figures_within_80_columns(
    throughline: Throughline, shop: SmallShop
) -> None:
    done = throughline("run", *shop.arguments)
    assert done.code == 0
    lines = [line.rstrip() for line in done.out.splitlines()]
    assert lines == [
        "as of 2018-05-07T12:00:00+00:00",
        "touchpoints 6   persons 3   unmapped 0",
        "dead letters 0   rejected rows 0   duplicates 0   after as of 0",
        " promise   kept  broken, then met  broken  open  cancelled",
        " delivery     1                 1       1     1          0",
        " stuck in    opened  resolved  open  declared  learned",
        " on_its_way       2         1     1         2        0",
    ]


def test_an_earlier_as_of_counts_what_came_later(throughline: Throughline, shop: SmallShop) -> None:
    done = throughline("run", *shop.arguments, "--json", "--as-of", "2018-05-04")
    summary = json.loads(done.out)
    assert (summary["as_of"], summary["touchpoints"], summary["after_as_of"]) == (
        "2018-05-04T00:00:00Z",
        4,
        2,
    )
    assert summary["promises"]["delivery"] == {
        "kept": 1, "broken_then_met": 0, "broken": 0, "open": 2, "cancelled": 0
    }  # fmt: skip


def test_rejected_rows_are_told_and_kept_where_the_user_says(
    throughline: Throughline, shop: SmallShop
) -> None:
    orders = shop.data / "orders.csv"
    orders.write_text(orders.read_text("utf-8").replace("2018-05-01 12:00:00", "May 1st"), "utf-8")
    done = throughline("run", *shop.arguments, "--json")
    assert (done.code, json.loads(done.out)["rejected_rows"]) == (0, 1)
    assert "rejected orders.csv:4: orders.placed: time: 'May 1st' is not an ISO 8601 time" in done.said
    assert "1 row could not be mapped; keep them with --rejects FILE" in done.said
    rejects = shop.folder / "rejects.jsonl"
    kept = throughline("run", *shop.arguments, "--rejects", rejects)
    assert f"all of them are in {rejects}" in kept.said
    (row,) = map(json.loads, rejects.read_text("utf-8").splitlines())
    assert (row["file"], row["line"]) == ("orders.csv", 4)


def test_too_many_bad_records_end_a_run_as_they_stop_a_worker(
    throughline: Throughline, shop: SmallShop
) -> None:
    header, *_ = (shop.data / "orders.csv").read_text("utf-8").splitlines()
    rows = [f"o-{n},{'a' * 600},2018-05-01 10:00:00,2018-05-05 00:00:00," for n in range(1100)]
    (shop.data / "orders.csv").write_text("\n".join([header, *rows]), "utf-8")
    done = throughline("run", *shop.arguments, "--as-of", "2018-05-07")
    assert (done.code, done.out) == (2, "")
    assert (
        "error: touchpoints.sales/0: 1001 of the last 1001 records were refused, 1001 of them for invalid_value"
        in (done.said)
    )
    assert "mend what writes to this topic" in done.said
