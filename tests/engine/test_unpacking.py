"""Records out of a fetch, of bytes as a broker writes them."""

from __future__ import annotations

import gc
import weakref

import pytest
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from faust.types import TP
from fetched_records import batch, marker, named, partition_records

from pipeline.engine.unpacking import ConsumedRecord, FetchedRecords, KeptRecords, Unpacking

TOPIC = TP("in", 3)
LZ4, CONTROL = 3, 0x20
PLENTY = 10**9
"""Bytes; nothing here has as many."""


def unpacking(position: int, *batches: bytes, aborted: tuple[tuple[int, int], ...] = ()) -> Unpacking:
    return Unpacking(partition_records(TOPIC, position, *batches, aborted=aborted))


def offsets(records: list[ConsumedRecord]) -> list[int]:
    return [record.offset for record in records]


def test_a_record_is_as_it_was_written() -> None:
    (record,) = unpacking(5, batch([5], 6)).take(10, PLENTY)
    assert record == ConsumedRecord("in", 3, 5, 7, b"k", b"v", [("h", b"x")])


def test_what_is_taken_is_limited_within_a_batch_and_over_batches_and_nothing_is_lost() -> None:
    fetched = unpacking(0, batch([0, 1, 2], 3), batch([3, 4], 5), batch([5], 6))
    taken = []
    while fetched.has_more():
        run = fetched.take(2, PLENTY)
        assert len(run) <= 2
        assert not run or fetched.next_fetch_offset in {run[-1].offset + 1, 6}
        taken += offsets(run)
    assert (taken, fetched.next_fetch_offset) == ([0, 1, 2, 3, 4, 5], 6)


def test_what_is_taken_is_limited_in_bytes_too_within_a_batch_and_over_batches_and_nothing_is_lost() -> None:
    large = 1000
    fetched = unpacking(
        0,
        batch(range(100), 100, codec=LZ4, value=b"v" * large),
        batch(range(100, 150), 150, value=b"v" * large),
    )
    taken = []
    while fetched.has_more():
        run = fetched.take(10_000, 10 * large)
        assert len(run) <= 10
        taken += offsets(run)
    assert taken == list(range(150))


def test_a_record_that_is_larger_than_all_that_may_be_taken_still_comes() -> None:
    fetched = unpacking(0, batch(range(9), 9, value=b"v" * 1000))
    assert len(fetched.take(10_000, 10)) in range(1, 5)


def test_bytes_are_no_limit_where_records_are_small() -> None:
    assert len(unpacking(0, batch(range(3000), 3000)).take(2500, 2500)) == 2500


@pytest.mark.parametrize("taken", [0, 3, 1000])
def test_what_was_fetched_is_gone_with_its_last_use_and_waits_for_no_garbage_collection(taken: int) -> None:
    """A worker makes none of what has lived for some seconds: it would keep every fetch that had to wait."""
    gc.collect()
    gc.disable()
    try:
        fetched = unpacking(0, batch(range(10), 10, codec=LZ4), batch(range(10, 20), 20))
        if taken:
            fetched.take(taken, PLENTY)
        raw = weakref.ref(fetched._records)
        del fetched
        assert raw() is None
    finally:
        gc.enable()


def test_what_aiokafka_makes_of_a_fetch_is_ours() -> None:
    assert fetcher.PartitionRecords is FetchedRecords


def test_the_next_fetch_is_behind_what_was_compacted_away() -> None:
    fetched = unpacking(4, batch([4, 9], 12))
    assert offsets(fetched.take(10, PLENTY)) == [4, 9]
    assert fetched.next_fetch_offset == 12


def test_a_batch_that_began_before_the_reader_gives_only_what_is_behind_it() -> None:
    fetched = unpacking(2, batch([0, 1, 2, 3], 4, codec=LZ4))
    assert offsets(fetched.take(1, PLENTY)) == [2]
    assert offsets(fetched.take(10, PLENTY)) == [3]
    assert fetched.next_fetch_offset == 4


def test_markers_are_no_records_but_are_read() -> None:
    fetched = unpacking(0, batch([0], 1, producer=9), marker(1, 9, commit=True))
    assert offsets(fetched.take(10, PLENTY)) == [0]
    assert (fetched.next_fetch_offset, fetched.has_more()) == (2, False)


def test_what_an_aborted_transaction_wrote_is_not_seen_and_what_it_wrote_next_is() -> None:
    fetched = unpacking(
        0,
        batch([0, 1], 2, producer=9),
        batch([2], 3, producer=8),
        marker(3, 9, commit=False),
        batch([4], 5, producer=9),
        aborted=((9, 0),),
    )
    assert offsets(fetched.take(10, PLENTY)) == [2, 4]
    assert fetched.next_fetch_offset == 5


@pytest.mark.parametrize("codec", [0, LZ4])
def test_a_header_whose_name_is_no_text_is_escaped_and_holds_up_nobody(codec: int) -> None:
    odd = named(b"ce_\xff\x00", [2, 3, 4], 5, codec=codec)
    fetched = unpacking(0, batch([0, 1], 2), odd, batch([5], 6))
    taken = []
    while fetched.has_more():
        taken += fetched.take(2, PLENTY)
    assert offsets(taken) == [0, 1, 2, 3, 4, 5]
    assert taken[3] == ConsumedRecord("in", 3, 3, 7, b"k", b"v", [("ce_\\xff\0", b"x")])
    assert taken[4].headers == [("h", b"x")]
    assert fetched.next_fetch_offset == 6


def test_what_aiokafka_fetches_is_kept_for_that() -> None:
    assert fetcher.MemoryRecords is KeptRecords


def test_a_wrong_checksum_is_an_error() -> None:
    broken = bytearray(batch([0], 1))
    broken[-1] ^= 1
    with pytest.raises(CorruptRecordException, match="in-3 at offset 0"):
        unpacking(0, bytes(broken)).take(10, PLENTY)
