"""The warehouse stage: published records in, confirmed rows out.

In: records of `journeys.enriched`, `journeys.findings`, `journeys.state` and `touchpoints.dead-letter`. Out:
their rows in ClickHouse, then the buckets that they touched (`touched`), and each record that cannot be
stored (`refused`). What always holds: when `write` has returned, everything is confirmed; when it raises, the
very same call may be repeated, because every row replaces itself. ClickHouse reads the records (`readings`); those
of a topic of which it, or msgspec, can't read one are made rows here (`rows`), and the bad ones found.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import msgspec

from pipeline.ports import Record
from pipeline.topology import Topology
from pipeline.warehouse.buckets import touched_buckets
from pipeline.warehouse.client import BadDataError, Warehouse
from pipeline.warehouse.readings import finding_readings, state_readings, touchpoint_readings
from pipeline.warehouse.rows import (
    Block,
    Refuse,
    dead_letter_blocks,
    finding_blocks,
    state_blocks,
    touchpoint_blocks,
)


class WarehouseSink:
    """Writes whatever it is given of its four topics.

    `touched` gets the keys for `warehouse.buckets` and returns when they are safely sent; `refused` gets a
    record that can be read by nobody or that ClickHouse does not take, and the reason. Both are called after
    all other rows of the call are confirmed, and again if the call is repeated. `inserted` gets (table, rows,
    seconds) of each insert.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        topology: Topology,
        touched: Callable[[Sequence[bytes]], None],
        refused: Refuse,
        inserted: Callable[[str, int, float], None] = lambda *_: None,
    ) -> None:
        self._warehouse = warehouse
        self._touched = touched
        self._refused = refused
        self._inserted = inserted
        self._readings: dict[str, Callable[[Sequence[Record]], list[Block]]] = {
            topology.enriched: touchpoint_readings,
            topology.findings: finding_readings,
            topology.state: state_readings,
            topology.dead_letter: dead_letter_blocks,
        }
        self._blocks: dict[str, Callable[[Sequence[Record], Refuse], list[Block]]] = {
            topology.enriched: touchpoint_blocks,
            topology.findings: finding_blocks,
            topology.state: state_blocks,
            topology.dead_letter: lambda records, _: dead_letter_blocks(records),
        }

    def write(self, records: Sequence[Record]) -> None:
        """Store all rows of `records`. Raises WarehouseError when ClickHouse does not answer or refuses to
        work.
        """
        refusals: dict[int, tuple[Record, str]] = {}

        def refuse(record: Record, reason: str) -> None:
            refusals.setdefault(id(record), (record, reason))

        blocks = [block for topic, some in _by_topic(records) for block in self._write(topic, some, refuse)]
        for record, reason in refusals.values():
            self._refused(record, reason)
        keys = touched_buckets(blocks)
        if keys:
            self._touched(keys)

    def rest(self) -> float:
        """Rows don't wait."""
        return 0.0

    def close(self) -> None:
        self._warehouse.close()

    def _write(self, topic: str, records: Sequence[Record], refuse: Refuse) -> list[Block]:
        """All of one topic; the blocks that were stored."""
        try:
            blocks = self._readings[topic](records)
            for block in blocks:
                self._insert(block)
        except (BadDataError, msgspec.DecodeError):
            made = self._blocks[topic](records, refuse)
            return [stored for block in made for stored in self._store(block, refuse)]
        return blocks

    def _store(self, block: Block, refuse: Refuse) -> list[Block]:
        """Insert a block; if some row of it is bad, halve it until the bad rows are alone. Returns what was stored:
        a row that was refused touches no bucket.
        """
        try:
            self._insert(block)
        except BadDataError as error:
            if len(block) == 1:
                refuse(block.records[0], f"ClickHouse does not take it into {block.table}: {error}")
                return []
            middle = len(block) // 2
            halves = (block.part(0, middle), block.part(middle, len(block)))
            return [stored for half in halves for stored in self._store(half, refuse)]
        return [block]

    def _insert(self, block: Block) -> None:
        if not len(block):
            return
        began = time.perf_counter()
        self._warehouse.send(block.statement, list(block.columns.values()))
        self._inserted(block.table, len(block), time.perf_counter() - began)


def _by_topic(records: Sequence[Record]) -> list[tuple[str, list[Record]]]:
    topics: dict[str, list[Record]] = {}
    for record in records:
        topics.setdefault(record.topic, []).append(record)
    return list(topics.items())
