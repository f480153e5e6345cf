"""The records of one fetch, many at a time.

In: what aiokafka has fetched of a partition. Out: records as a stage's logic sees them, and in the fetch how far they
reach. aiokafka hands them out one by one, through four Python calls each, which costs more than to decode them; here
a whole Kafka batch goes through one comprehension. What a committed reader must not see is left out by aiokafka's own
bookkeeping.
"""

# ruff: noqa: SLF001 - what aiokafka does is changed where it does it

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.errors import CorruptRecordException


class ConsumedRecord(msgspec.Struct, frozen=True, gc=False):
    """What a stage's logic sees of a record; six times cheaper to make than aiokafka's own."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


class Unpacking:
    """Takes the place of a fetch's `PartitionRecords`; `next_fetch_offset` is behind all that was taken."""

    def __init__(self, fetched: PartitionRecords) -> None:
        self._fetched, self._records = fetched, fetched._records
        self._topic, self._partition = fetched._tp
        self.next_fetch_offset: int = fetched.next_fetch_offset
        self._batch: Iterator[Any] | None = None
        """What is left of the Kafka batch under way, which ends before the offset `_behind`."""
        self._behind = 0

    def take(self, limit: int) -> list[ConsumedRecord]:
        """The next records, at most `limit`; fewer only at the end. Raises CorruptRecordException."""
        topic, partition = self._topic, self._partition
        taken: list[ConsumedRecord] = []
        while len(taken) < limit and (batch := self._batch or self._next_batch()):
            room = limit - len(taken)
            run = [
                ConsumedRecord(topic, partition, r.offset, r.timestamp, r.key, r.value, r.headers)
                for r in islice(batch, room)
            ]
            is_over = len(run) < room
            if run and run[0].offset < self.next_fetch_offset:
                # a compressed batch is fetched whole, however far into it the reader stands
                run = [record for record in run if record.offset >= self.next_fetch_offset]
            if is_over:
                # the last records of a batch may have been compacted away
                self.next_fetch_offset, self._batch = self._behind, None
            elif run:
                self.next_fetch_offset = run[-1].offset + 1
            taken += run
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
                self._batch, self._behind = (record for record in batch), batch.next_offset
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
