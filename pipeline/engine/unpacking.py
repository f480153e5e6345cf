"""The records of one fetch, many at a time.

In: what aiokafka has fetched of a partition. Out: records as a stage's logic sees them, and in the fetch how far they
reach. aiokafka hands them out one by one, through four Python calls each, which costs more than to decode them; here
hundreds go through one comprehension. What a committed reader must not see is left out by aiokafka's own
bookkeeping.

A producer may write any bytes for the name of a header. aiokafka can't read a record whose name is no UTF-8, nor get
past it: its batch is read again, slowly, with such a name as Python would escape it (`ce_\\xff`).
"""

# ruff: noqa: SLF001 - what aiokafka does is changed where it does it

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

from pipeline.ports import Headers


class ConsumedRecord(msgspec.Struct, frozen=True, gc=False):
    """What a stage's logic sees of a record; six times cheaper to make than aiokafka's own."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class KeptRecords:
    """aiokafka's batches of one fetch, and the bytes that they are made of, which it does not give back."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        batches = MemoryRecords(raw)
        self.has_next, self.next_batch = batches.has_next, batches.next_batch
        self.size_in_bytes = batches.size_in_bytes

    def batch(self, base_offset: int) -> bytearray:
        """The bytes of the batch that begins with this offset."""
        raw, start = memoryview(self._raw), 0
        while start < len(raw):
            end = start + _BEFORE_LENGTH + int.from_bytes(raw[start + 8 : start + _BEFORE_LENGTH], "big")
            if int.from_bytes(raw[start : start + 8], "big") == base_offset:
                return bytearray(raw[start:end])
            start = end
        raise LookupError(f"no batch begins at offset {base_offset}")


_BEFORE_LENGTH = 12  # of a batch: its base offset, 8 bytes, and the length of the rest, 4
fetcher.MemoryRecords = KeptRecords


class FetchedRecords(PartitionRecords):  # type: ignore[misc]
    """What was fetched of a partition, gone with its last use.

    aiokafka's has an iterator that refers to it. Nobody uses that here, and megabytes that refer to themselves wait for a
    garbage collection; a worker makes none of what has lived for some seconds.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._records_iterator = None


fetcher.PartitionRecords = FetchedRecords


class _EscapingBatch(_DefaultRecordBatchPy):  # type: ignore[misc]
    """A batch whose headers may have any bytes for names."""

    _buffer: bytearray

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        if not isinstance(self._buffer, _EscapingBytes):
            self._buffer = _EscapingBytes(self._buffer)


class _EscapingBytes(bytearray):
    """Bytes that are text, whatever they are."""

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return _EscapingBytes(found) if isinstance(index, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "") -> str:  # noqa: ARG002 - as bytearray has it
        return super().decode(encoding, "backslashreplace")


_FIRST_RUN = 4  # records that are unpacked before their size is known: one may have a quarter of a megabyte
_RUN = 500  # records that are unpacked at once


class Unpacking:
    """Takes the place of a fetch's `PartitionRecords`; `next_fetch_offset` is behind all that was taken."""

    def __init__(self, fetched: PartitionRecords) -> None:
        self._fetched, self._records = fetched, fetched._records
        self._topic, self._partition = fetched._tp
        self.next_fetch_offset: int = fetched.next_fetch_offset
        self._batch: Iterator[Any] | None = None
        """What is left of the Kafka batch under way, of the offsets [`_base`, `_behind`)."""
        self._base = self._behind = 0

    def take(self, limit: int, most_bytes: int) -> list[ConsumedRecord]:
        """The next records: at most `limit`, and no more once their values have `most_bytes`; fewer only at the end.
        Raises CorruptRecordException.
        """
        topic, partition = self._topic, self._partition
        taken: list[ConsumedRecord] = []
        size, room = 0, min(limit, _FIRST_RUN)
        while room > 0 and (batch := self._batch or self._next_batch()):
            try:
                run = [
                    # an empty list for each would be half of what a collection of garbage looks through
                    ConsumedRecord(topic, partition, r.offset, r.timestamp, r.key, r.value, r.headers or ())
                    for r in islice(batch, room)
                ]
            except UnicodeDecodeError:
                self._batch = iter(_EscapingBatch(self._records.batch(self._base)))
                continue
            is_over = len(run) < room
            if run and run[0].offset < self.next_fetch_offset:
                # a batch is whole, however far into it the reader stands
                run = [record for record in run if record.offset >= self.next_fetch_offset]
            if is_over:
                # the last records of a batch may have been compacted away
                self.next_fetch_offset, self._batch = self._behind, None
            elif run:
                self.next_fetch_offset = run[-1].offset + 1
            taken += run
            size += sum([len(record.value) for record in run if record.value is not None])
            if size >= most_bytes:
                break
            if taken:
                # as many as still fit, if they are like those before
                fitting = max(1, (most_bytes - size) * len(taken) // size) if size else _RUN
                room = min(limit - len(taken), fitting, _RUN)
        return taken

    def has_more(self) -> bool:
        """Whether something may be left to take."""
        return self._batch is not None or self._records.has_next()

    def _next_batch(self) -> Iterator[Any] | None:
        """The next batch that holds records for this reader; None if there is none."""
        records = self._records
        while records.has_next():
            batch = records.next_batch()
            if self._fetched._check_crcs and not batch.validate_crc():
                raise CorruptRecordException(
                    f"the checksum of {self._topic}-{self._partition} at offset {batch.base_offset} is wrong"
                )
            if not self._is_hidden(batch):
                # aiokafka's own iterator can't be asked for its iterator again once it has begun
                self._batch = (record for record in batch)
                self._base, self._behind = batch.base_offset, batch.next_offset
                return self._batch
            self.next_fetch_offset = batch.next_offset
        return None

    def _is_hidden(self, batch: Any) -> bool:
        """A transaction's marker, or what an aborted one has written."""
        fetched, producer = self._fetched, batch.producer_id
        if fetched._isolation_level == READ_COMMITTED and producer is not None:
            fetched._consume_aborted_up_to(batch.base_offset)
            if batch.is_control_batch and fetched._contains_abort_marker(batch):
                fetched._aborted_producers.discard(producer)
            if batch.is_transactional and producer in fetched._aborted_producers:
                return True
        return bool(batch.is_control_batch)
