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
    assert "dlq" not in done.said
    assert "mend what the dead letters above tell, in the mapping or the tables" in done.said
    assert "or set THROUGHLINE_DEAD_LETTER_MAX_SHARE above 0.5 to go on without them" in done.said
    assert "dead letter small_shop/orders o-0:placed: invalid_value at identities.customer_id: " in done.said
    assert "(1,000 more for the same)" in done.said


def test_dead_letters_are_told_by_reason_and_kept_beside_the_rejected_rows(
    throughline: Throughline, shop: SmallShop
) -> None:
    rows = [f"x-{n},{'a' * 600},2018-05-01 10:00:00,2018-05-05 00:00:00," for n in range(3)]
    orders = shop.data / "orders.csv"
    orders.write_text(orders.read_text("utf-8") + "\n".join([*rows, "o-9,dora,May 1st,,\n"]), "utf-8")
    rejects = shop.folder / "rejects.jsonl"
    done = throughline("run", *shop.arguments, "--json", "--rejects", rejects)
    assert (done.code, json.loads(done.out)["dead_letters"]) == (0, 3)
    (line,) = [line for line in done.err.splitlines() if line.startswith("dead letter")]
    assert line.startswith(
        "dead letter small_shop/orders x-0:placed: invalid_value at identities.customer_id: "
    )
    assert line.endswith(" (2 more for the same)")
    assert f"3 touchpoints became dead letters; all of them are in {rejects}" in done.said
    row, *letters = map(json.loads, rejects.read_text("utf-8").splitlines())
    assert (row["event"], row["line"]) == ("orders.placed", 9)
    assert [letter["touchpoint"]["id"] for letter in letters] == ["x-0:placed", "x-1:placed", "x-2:placed"]
    assert {(letter["code"], letter["path"]) for letter in letters} == {
        ("invalid_value", "identities.customer_id")
    }
    assert all(letter["reason"] in line for letter in letters)


def test_a_run_with_dead_letters_says_how_to_keep_them(throughline: Throughline, shop: SmallShop) -> None:
    orders = shop.data / "orders.csv"
    orders.write_text(orders.read_text("utf-8").replace("cleo", "c" * 600), "utf-8")
    done = throughline("run", *shop.arguments)
    assert "1 touchpoint became a dead letter; keep them with --rejects FILE" in done.said


def test_of_many_rejected_rows_each_reason_is_told_with_its_count(
    throughline: Throughline, shop: SmallShop
) -> None:
    orders = shop.data / "orders.csv"
    rows = [f"o-{n},anna,day {n},2018-05-05 00:00:00," for n in range(10, 40)]
    rows += [f"o-{n},anna,2018-05-01 10:00:00,soon," for n in range(40, 50)]
    orders.write_text(orders.read_text("utf-8") + "\n".join(rows), "utf-8")
    done = throughline("run", *shop.arguments)
    assert done.code == 0
    assert (
        "orders.placed: 30 of 44 rows were rejected; first: orders.csv:6: time: 'day 10' is not an ISO 8601 time"
        in done.said
    )
    assert (
        "orders.placed: 10 of 44 rows were rejected; first: orders.csv:36: data.promised: 'soon'" in done.said
    )
    assert "warning" not in done.said


def test_an_event_of_which_every_row_is_rejected_is_warned_of(
    throughline: Throughline, shop: SmallShop
) -> None:
    text = shop.mapping.read_text("utf-8")
    shop.mapping.write_text(text.replace("time: placed", "time: customer"), "utf-8")
    done = throughline("run", *shop.arguments, "--json")
    assert done.code == 0
    assert (
        f"warning: {shop.mapping}:8: tables.orders.events.placed: it made nothing, as each of its rows (4) was rejected"
        in done.said
    )


def test_rows_after_as_of_were_not_rejected(throughline: Throughline, shop: SmallShop) -> None:
    orders = shop.data / "orders.csv"
    orders.write_text(orders.read_text("utf-8").replace("2018-05-01 12:00:00", "May 1st"), "utf-8")
    done = throughline("run", *shop.arguments, "--as-of", "2018-04-01")
    assert "rejected orders.csv:4: orders.placed" in done.said
    assert "warning" not in done.said
