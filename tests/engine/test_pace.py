"""How a batch is cut into transactions that end in time, and that nothing is lost at the cuts."""

from __future__ import annotations

import pytest

from pipeline.engine.pace import SHARE, Pace, Part
from pipeline.engine.unpacking import ConsumedRecord

TIMEOUT = 10.0
LONG = TIMEOUT * SHARE
"""Seconds; what takes longer is too much."""


def records(*offsets: int) -> list[ConsumedRecord]:
    return [ConsumedRecord("in", 3, offset, 0, b"k", b"v", []) for offset in offsets]


def sizes(pace: Pace, count: int) -> list[int]:
    return [len(part.records) for part in pace.parts(records(*range(count)), 0, count)]


def test_a_batch_is_one_transaction_as_long_as_there_is_time() -> None:
    pace, batch = Pace(TIMEOUT), records(*range(1000))
    pace.took(1000, LONG)
    assert list(pace.parts(batch, 0, 1000)) == [Part(batch, 0, 1000)]


def test_after_one_that_took_too_long_the_next_ones_get_what_takes_no_longer_than_it_may() -> None:
    pace = Pace(TIMEOUT)
    pace.took(1000, 4 * LONG)
    assert sizes(pace, 1000) == [250] * 4


def test_the_parts_cover_the_batch_with_its_holes_and_without_a_gap() -> None:
    pace = Pace(TIMEOUT)
    pace.took(4, 2 * LONG)
    parts = list(pace.parts(records(7, 10, 11, 20, 21), 5, 30))
    assert [[record.offset for record in part.records] for part in parts] == [[7, 10], [11, 20], [21]]
    assert [(part.start, part.end) for part in parts] == [(5, 11), (11, 21), (21, 30)]


def test_a_batch_without_records_is_a_part_as_well() -> None:
    pace = Pace(TIMEOUT)
    pace.took(1, 2 * LONG)
    assert list(pace.parts([], 5, 9)) == [Part([], 5, 9)]


def test_one_record_is_the_least() -> None:
    pace = Pace(TIMEOUT)
    pace.took(2, 100 * LONG)
    assert sizes(pace, 3) == [1, 1, 1]


def test_the_parts_of_a_batch_under_way_get_smaller_as_soon_as_one_took_too_long() -> None:
    pace = Pace(TIMEOUT)
    pace.took(100, 2 * LONG)
    parts = pace.parts(records(*range(100)), 0, 100)
    pace.took(len(next(parts).records), 5 * LONG)
    assert len(next(parts).records) == 10


@pytest.mark.parametrize(("seconds", "grown"), [(LONG / 4, 100), (LONG * 0.8, 50)])
def test_parts_grow_again_only_if_there_was_time_for_twice_as_much(seconds: float, grown: int) -> None:
    pace = Pace(TIMEOUT)
    pace.took(100, 2 * LONG)
    pace.took(50, seconds)
    assert sizes(pace, 1000)[0] == grown


def test_a_small_batch_says_nothing_of_large_ones() -> None:
    pace = Pace(TIMEOUT)
    pace.took(100, 2 * LONG)
    pace.took(1, 0.001)
    assert sizes(pace, 1000)[0] == 50
