"""Mechanisms of the product, switched off in a worker, to show that BASE then fails: a fault suite that passes without
what it tests proves nothing. `tests/faults/test_switched_off.py` runs them.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from agents.counted import Counted
from pipeline.core.run import MemoryRecord
from pipeline.engine import opening
from pipeline.engine.changelog import Position
from pipeline.engine.sink import SinkWriter
from pipeline.engine.worker import EngineApp
from pipeline.warehouse.client import BadDataError, WarehouseUnreachableError
from pipeline.warehouse.sink import WarehouseSink


def switch_off(mechanism: str) -> None:
    if mechanism:
        _SWITCHES[mechanism]()


def _position() -> None:
    """Reading goes on at the group's offset, not at the position that was committed with the state."""
    usual = opening.starting_position

    def by_group(spec: Any, partition: int, stored: Any, found: Any, committed: Any) -> Position:
        position = usual(spec, partition, stored, found, committed)
        offset = 0 if committed is None or committed.unread else committed.offset
        return Position(offset, position.topic_id)

    opening.starting_position = by_group


def _silence() -> None:
    """Nobody ends because it was frozen: what it had under way is committed, or refused. But it claims nothing more."""
    EngineApp.silenced = lambda *_: None  # type: ignore[method-assign]


def _fencing() -> None:
    """Every opening has a transactional id of its own: nobody shuts anybody out. Without `_silence`, whose end may come
    before the zombie's commit, this would be seen only now and then.
    """
    _silence()
    usual = opening.transactional_id
    opening.transactional_id = lambda *place: f"{usual(*place)}-{uuid.uuid4().hex}"


def _written_then_acknowledged() -> None:
    """The warehouse stage acknowledges what it has gathered before it is written."""
    put = SinkWriter.put

    async def hasty(self: Any, tp: Any, records: Any, end: int) -> None:
        self.acknowledge(tp, end)
        await put(self, tp, records, end)

    SinkWriter.put = hasty  # type: ignore[method-assign]


def _tried_again() -> None:
    """An insert that was not confirmed is taken for done."""
    write = WarehouseSink.write

    def once(self: Any, records: Any) -> None:
        try:
            write(self, records)
        except WarehouseUnreachableError:
            return

    WarehouseSink.write = once  # type: ignore[method-assign]


def _bisection() -> None:
    """A block with a bad row is refused as a whole."""

    def whole(self: Any, block: Any, refuse: Any) -> list[Any]:
        try:
            self._insert(block)
        except BadDataError as error:
            for record in block.records:
                refuse(record, str(error))
            return []
        return [block]

    WarehouseSink._store = whole  # type: ignore[method-assign]


def _without(stage: str, tag: str) -> Callable[[], None]:
    """Messages of this tag are not heard by the stage."""

    def switch() -> None:
        process = Counted.process

        def deaf(self: Any, records: Iterable[Any], outbox: Any) -> None:
            if self._stage == stage:
                records = [_left_out(record, tag) for record in records]
            process(self, records, outbox)

        Counted.process = deaf  # type: ignore[method-assign]

    return switch


def _left_out(record: Any, tag: str) -> Any:
    messages = [message for message in msgspec.msgpack.decode(record.value) if message[0] != tag]
    return MemoryRecord(
        record.topic,
        record.partition,
        record.offset,
        record.timestamp,
        record.key,
        msgspec.msgpack.encode(messages),
        record.headers,
    )


_SWITCHES = {
    "position": _position,
    "silence": _silence,
    "fencing": _fencing,
    "written then acknowledged": _written_then_acknowledged,
    "tried again": _tried_again,
    "bisection": _bisection,
    "called back": _without("journey", "r"),
    "departures": _without("identity", "d"),
}
