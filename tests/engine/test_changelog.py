"""Reading a changelog back, without a broker."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import KafkaError, TopicPartition

from pipeline.engine.changelog import POSITION_KEY, Position, Recovery, RecoveryError, encode_position
from pipeline.engine.errors import PositionLostError
from pipeline.engine.store import MemoryStore, Reached


class Message:
    """A record, or an event where a record could be."""

    def __init__(
        self, offset: int, key: bytes | None = None, value: bytes | None = None, code: int = 0
    ) -> None:
        self._offset, self._key, self._value = offset, key, value
        self._error = KafkaError(code) if code else None

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes | None:
        return self._key

    def value(self) -> bytes | None:
        return self._value

    def error(self) -> KafkaError | None:
        return self._error


class FakeConsumer:
    """Gives what `chunks` holds, one list a call, then nothing."""

    chunks: Iterator[list[Message]]
    assigned: int

    def __init__(self, options: dict[str, Any]) -> None:
        assert options["isolation.level"] == "read_committed"

    def assign(self, partitions: list[TopicPartition]) -> None:
        FakeConsumer.assigned = partitions[0].offset

    def consume(self, count: int, timeout: float) -> list[Message]:
        return next(self.chunks, [])

    def close(self) -> None: ...


@pytest.fixture
def recover(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Reads chunks up to an end; returns the position and the store."""

    def run(
        chunks: list[list[Message]], end: int, cancelled: bool = False, store: MemoryStore | None = None
    ) -> tuple[Position | None, MemoryStore]:
        FakeConsumer.chunks = iter(chunks)
        monkeypatch.setattr("pipeline.engine.changelog.Consumer", FakeConsumer)
        recovery = Recovery(
            {}, "log", 3, timeout=0.05, progress=lambda offset, end: None, cancelled=lambda: cancelled
        )
        store = MemoryStore() if store is None else store
        return recovery.run(0, end, store), store

    return run


def end_of_partition(offset: int) -> Message:
    return Message(offset, code=KafkaError._PARTITION_EOF)


def position(offset: int, at: int) -> Message:
    return Message(at, POSITION_KEY, encode_position(Position(offset, "id")))


def test_the_last_value_of_each_key_and_the_last_position_are_what_counts(recover: Any) -> None:
    chunks = [
        [Message(0, b"a", b"1"), Message(1, b"b", b"1"), position(7, at=2)],
        [Message(4, b"a", b"2"), Message(5, b"b", None), position(9, at=6), end_of_partition(8)],
    ]
    found, store = recover(chunks, end=8)
    assert found == Position(9, "id")
    assert list(store.scan(b"")) == [(b"a", b"2")]


def test_the_end_of_the_partition_is_not_the_end_of_the_log(recover: Any) -> None:
    found, _ = recover([[end_of_partition(0)], [], [position(7, at=1), end_of_partition(3)]], end=3)
    assert found == Position(7, "id")


def test_no_other_error_is_taken_for_an_end(recover: Any) -> None:
    with pytest.raises(RecoveryError, match="recovery of log-3 failed"):
        recover([[Message(9, code=KafkaError._AUTO_OFFSET_RESET)]], end=3)


def test_an_empty_changelog_is_not_read(recover: Any) -> None:
    found, store = recover([[Message(0, b"a", b"1")]], end=0)
    assert found is None
    assert len(store) == 0


def test_a_changelog_that_stands_still_is_given_up(recover: Any) -> None:
    with pytest.raises(RecoveryError, match="recovery of log-3 has stood at offset 1 of 3"):
        recover([[Message(0, b"a", b"1")]], end=3)


def test_recovery_can_be_called_off(recover: Any) -> None:
    with pytest.raises(RecoveryError, match="called off"):
        recover([[position(7, at=1)]], end=2, cancelled=True)


def test_a_store_that_has_come_some_way_is_read_on_from_there_and_told_how_far_it_is_then(
    recover: Any,
) -> None:
    store = MemoryStore()
    store.committed(Reached(4, encode_position(Position(9, "id")), at=0))
    found, _ = recover([[Message(4, b"a", b"2"), end_of_partition(5)]], end=5, store=store)
    assert FakeConsumer.assigned == 4
    assert found == Position(9, "id"), "the tail has no position, so the one that the store knows holds"
    assert store.reached is not None
    assert store.reached.offset == 5


def test_a_store_that_has_come_to_the_end_reads_nothing(recover: Any) -> None:
    store = MemoryStore()
    store.committed(Reached(5, encode_position(Position(9, "id")), at=0))
    found, _ = recover([[Message(0, b"a", b"1")]], end=5, store=store)
    assert found == Position(9, "id")
    assert len(store) == 0


def test_a_position_of_another_format_is_refused_with_the_remedy(recover: Any) -> None:
    with pytest.raises(PositionLostError, match="restore the topic, or start the pipeline under a new name"):
        recover([[Message(0, POSITION_KEY, b"\xc1")]], end=1)
