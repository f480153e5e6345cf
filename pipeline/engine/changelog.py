"""A unit's memory in Kafka: its state and its position, read back to the very end.

In: a compacted topic, of which partition p belongs to input partition p, and a store that has taken in some of it, or
nothing. Out: the state, and the position that was committed with it. Recovery ends only at the log's read-uncommitted
end, taken after the former owner was fenced: an end-of-partition may come earlier, at a transaction that is still open.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from confluent_kafka import Consumer, KafkaError, TopicPartition

from pipeline.engine.allocator import give_back
from pipeline.engine.errors import EngineError, PositionLostError
from pipeline.engine.store import Reached, StateStore

POSITION_KEY: Final = b"\x00position"
_CHUNK = 10_000
_WAIT = 0.05


class RecoveryError(EngineError):
    """The changelog could not be read to its end."""


class Position(msgspec.Struct, array_like=True, frozen=True):
    """The next offset to read, and of which incarnation of the input topic."""

    offset: int
    topic_id: str


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Position)


def encode_position(position: Position) -> bytes:
    return _encoder.encode(position)


class Recovery:
    """Reads one changelog partition to its end into a store, from where the store has come to."""

    def __init__(
        self,
        options: Mapping[str, Any],
        topic: str,
        partition: int,
        *,
        timeout: float,
        progress: Callable[[int, int], None],
        cancelled: Callable[[], bool],
    ) -> None:
        self._options = {
            **options,
            "group.id": "recovery",  # librdkafka wants one; nothing is ever committed to it
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            # read ahead; by default of each partition 64 MB
            "queued.max.messages.kbytes": 16 * 1024,
            # end-of-partition is only said when a fetch comes back empty, after its whole wait
            "fetch.wait.max.ms": 10,
        }
        self._topic, self._partition = topic, partition
        self._timeout = timeout
        self._progress, self._cancelled = progress, cancelled
        self._position: bytes | None = None

    def run(self, start: int, end: int, store: StateStore) -> Position | None:
        """Returns the position committed last, None in an empty changelog. Raises RecoveryError.

        `start` is that of the log. What is read is committed to the store as it comes: a recovery that is called off
        goes on there.
        """
        at = time.time_ns() // 1_000_000  # deletions that are in the log now are heard of
        if store.reached is not None:
            start, self._position = store.reached.offset, store.reached.position
        if end > start:
            self._progress(start, end)
            reader = Consumer(self._options)
            try:
                reader.assign([TopicPartition(self._topic, self._partition, start)])
                self._read(reader, start, end, store, at)
            finally:
                reader.close()
            del reader
            give_back()  # a recovery frees more than a worker at work ever holds
        else:
            store.committed(Reached(end, self._position, at))
        self._progress(end, end)
        return None if self._position is None else self._decode(self._position)

    def _read(self, reader: Consumer, reached: int, end: int, store: StateStore, at: int) -> None:
        seen = time.monotonic()
        while reached < end:
            if self._cancelled():
                raise RecoveryError(f"recovery of {self._where()} was called off")
            last = reached
            for record in reader.consume(_CHUNK, _WAIT):
                reached = self._take(record, store)
            if reached > last:
                store.committed(Reached(reached, self._position, at))
                seen = time.monotonic()
                self._progress(reached, end)
            elif time.monotonic() - seen > self._timeout:
                raise RecoveryError(
                    f"recovery of {self._where()} has stood at offset {reached} of {end} for "
                    f"{self._timeout:.0f} s; another producer has a transaction open, or Kafka is silent"
                )

    def _take(self, record: Any, store: StateStore) -> int:
        """Applies one record; returns the offset behind it."""
        error = record.error()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - a public code
                return int(record.offset())
            raise RecoveryError(f"recovery of {self._where()} failed ({error.str()}); check Kafka's log")
        key = record.key()
        if key == POSITION_KEY:
            self._position = record.value()
        elif key is not None:
            store.restore(key, record.value())
        return int(record.offset()) + 1

    def _decode(self, value: bytes) -> Position:
        try:
            return _decoder.decode(value)
        except msgspec.MsgspecError as error:
            raise PositionLostError(
                f"the changelog {self._where()} holds a position that this version cannot read ({error}); "
                "restore the topic, or start the pipeline under a new name"
            ) from error

    def _where(self) -> str:
        return f"{self._topic}-{self._partition}"
