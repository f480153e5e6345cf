"""What is refused is told for each reason; a row that is refused counts once, however often it is read."""

from __future__ import annotations

import os
from pathlib import Path

from importing import EVENT, Imported, World

from pipeline.imports.report import ImportReport, Rejects

REFERRED = EVENT + "data: {by: {lookup: {table: orders, key: ref, by: id, value: id, missing: empty}}}\n"
NO_REFERENCE = "it can't be looked up by orders.ref: [1] can't be used as text"

SHARED = """\
name: shop
tables:
  mine:
    file: o.csv
    quote: {quote}
    events:
      placed: &event
        type: sales.order.placed
        time: at
        identities:
          order_id: id
          customer_id: {{lookup: {{table: people, key: id, by: id, value: who}}}}
  yours:
    file: "*.csv"
    events:
      placed: *event
      sent: *event
  people:
    file: o.csv
"""


def shared(world: World, rows: str, quote: str = "none") -> Imported:
    """Import a file that two tables make events of and a third one is looked up in."""
    world.write("o.csv", f"id,at,who\n{rows}")
    return world.run(SHARED.format(quote=quote))


def test_a_row_that_makes_its_event_but_can_not_be_looked_up_is_told_and_no_rejected_row(
    world: World,
) -> None:
    world.write("o.jsonl", '{"id": "a", "at": "2025-01-01", "ref": [1]}\n')
    imported = world.table("o.jsonl", REFERRED)
    assert imported.ids == ["a"]
    assert imported.reasons == [(1, NO_REFERENCE)]
    assert [each.reason for each in imported.report.first_rejections] == [NO_REFERENCE]
    assert imported.report.rejected_rows == 0


def test_a_row_that_can_neither_be_looked_up_nor_make_its_event_counts_once(world: World) -> None:
    both, event_alone = '{"id": "a", "at": "soon", "ref": [1]}', '{"id": "b", "at": "soon"}'
    world.write("o.jsonl", f"{both}\n{event_alone}\n{both}\n")
    imported = world.table("o.jsonl", REFERRED)
    assert [(each["line"], each["event"]) for each in imported.rejects] == [
        (1, None),
        (3, None),
        (1, "orders.placed"),
        (2, "orders.placed"),
        (3, "orders.placed"),
    ]
    assert imported.report.rejected_rows == 3


def test_a_row_of_several_tables_counts_once_with_the_reasons_of_each(world: World) -> None:
    imported = shared(world, "a,soon,x\nb,2025-01-01,y\nc,late,z\n")
    assert [(each["line"], each["event"]) for each in imported.rejects] == [
        (2, "mine.placed"),
        (4, "mine.placed"),
        (2, "yours.placed"),
        (2, "yours.sent"),
        (4, "yours.placed"),
        (4, "yours.sent"),
    ]
    assert imported.report.rejected_rows == 2


def test_a_broken_row_of_several_tables_is_told_once(world: World) -> None:
    imported = shared(world, "a\nb,2025-01-01,y\nc\n", quote="'\"'")
    assert imported.reasons == [(line, "the row has 1 columns, but the header has 3") for line in (2, 4)]
    assert imported.report.rejected_rows == 2


def test_a_row_that_is_broken_only_as_one_of_several_tables_reads_it_is_told_for_that_one(
    world: World,
) -> None:
    imported = shared(world, 'a,2025-01-01,"x,y"\n')
    assert {event["source"] for event in imported.events} == {"shop/yours"}
    assert imported.reasons == [(2, "the row has 4 columns, but the header has 3")]
    assert imported.report.rejected_rows == 1


def test_rows_count_once_also_when_they_are_too_many_for_memory(world: World) -> None:
    imported = shared(world, "a,soon,x\n" * 10_500)
    assert (len(imported.rejects), imported.report.rejected_rows) == (3 * 10_500, 10_500)


def test_what_is_no_file_of_its_own_is_written_to_and_not_removed(tmp_path: Path) -> None:
    """Of /dev/null there is one on a machine, and everything else needs it."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    Rejects(ImportReport(), pipe).close()
    assert pipe.is_fifo()
