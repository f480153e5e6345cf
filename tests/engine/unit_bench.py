"""A unit of work over a fake producer, without a broker."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from pipeline.engine.changelog import Position
from pipeline.engine.hooks import Hooks
from pipeline.engine.store import MemoryStore
from pipeline.engine.unit import Outcome, StageSpec, Unit
from pipeline.engine.unpacking import ConsumedRecord
from pipeline.ports import Outbox, Record


class FakeProducer:
    """Keeps what was committed; `fails` makes the next commit raise, `refuses` the next record. `room` is what fits into the
    queue.
    """

    def __init__(self) -> None:
        self.open: list[tuple[Any, ...]] | None = None
        self.committed: list[list[tuple[Any, ...]]] = []
        self.fails: KafkaError | None = None
        self.refuses: KafkaError | None = None
        self.room = 10**9
        self.polls = 0
        self.aborted = 0

    def begin_transaction(self) -> None:
        assert self.open is None, "one transaction at a time"
        self.open = []

    def produce(
        self, topic: str, value: bytes | None, key: bytes | None, partition: int, **more: Any
    ) -> None:
        assert self.open is not None, "outside of a transaction"
        if self.refuses is not None:
            raise KafkaException(self.refuses)
        if not self.room:
            raise BufferError
        self.room -= 1
        self.open.append((topic, value, key, partition))

    def poll(self, timeout: float) -> int:
        self.polls += 1
        self.room += 1
        return 0

    def commit_transaction(self, timeout: float) -> None:
        if self.fails is not None:
            raise KafkaException(self.fails)
        assert self.open is not None
        self.committed.append(self.open)
        self.open = None

    def abort_transaction(self, timeout: float) -> None:
        self.aborted += 1

    def purge(self) -> None: ...


class Echo:
    """Sends each value on and stores it under its key, unless it `fails`; `owes` as it is told."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.at_rest: Callable[[Outbox], bool] = lambda outbox: False
        self.fails: Exception | None = None
        self.owes = False

    def process(self, records: Iterable[Record], outbox: Outbox) -> None:
        for record in records:
            outbox.send("out", record.value, record.key, 0)
            self._store.put(record.key or b"", record.value or b"")
        self._fail()

    def quiet(self, now: int, outbox: Outbox) -> bool:
        self._fail()
        return self.at_rest(outbox)

    def _fail(self) -> None:
        if self.fails is not None:
            raise self.fails


class Bench:
    """A unit at offset 10 over a fake producer."""

    def __init__(self) -> None:
        self.producer, self.store = FakeProducer(), MemoryStore()
        self.logic = Echo(self.store)
        self.unit = Unit(
            StageSpec("echo", "in", "log", factory=None),  # type: ignore[arg-type]
            3,
            producer=self.producer,
            store=self.store,
            logic=self.logic,
            position=Position(10, "topic-id"),
            stored=True,
            changelog_end=0,
            timeout=1.0,
            hooks=Hooks(),
        )

    def process(self, offsets: range, start: int | None = None, end: int | None = None) -> Outcome:
        records = [ConsumedRecord("in", 3, offset, 0, b"k", b"%d" % offset, []) for offset in offsets]
        first = offsets.start if start is None else start
        return self.unit.process(records, first, offsets.stop if end is None else end)
