"""One partition's unit of work: a batch in, one fenced transaction out.

In: record batches of one input partition. Out: one Kafka transaction per batch, holding the logic's
outputs, the changed state and the position in the input, through a producer of its own. What always holds:
a record is applied exactly when the position reaches its offset, and the position only moves with a commit;
after any error the unit is thrown away, and what it knew is read back from its changelog. All methods but
`abandon` are called from one thread at a time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from pipeline.engine.changelog import POSITION_KEY, Position, encode_position
from pipeline.engine.errors import EngineError, FencedError
from pipeline.engine.hooks import Hooks
from pipeline.engine.logs import Logs
from pipeline.engine.stage import StageFactory, StageLogic
from pipeline.engine.store import Reached, StateStore
from pipeline.ports import Headers, Index, Record

_FENCED = frozenset(
    {
        KafkaError._FENCED,  # noqa: SLF001 - librdkafka's own codes begin with an underscore
        # of a record that is produced after its transaction was fenced, which is told only once
        KafkaError._FATAL,  # noqa: SLF001 - see above
        KafkaError.PRODUCER_FENCED,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.INVALID_TXN_STATE,
    }
)


_ABORT_SECONDS = 5.0
_PLAIN: dict[str, Any] = {}


@dataclass(frozen=True)
class StageSpec:
    """A stage over one input topic; partition p of `changelog` belongs to partition p of `topic`."""

    name: str
    topic: str
    changelog: str
    factory: StageFactory
    index: Index | None = None
    """By what the store is to keep a second order; nothing of it is in the changelog."""


class Outcome(Enum):
    """What became of a batch."""

    COMMITTED = "committed"
    DROPPED = "dropped"
    """It ends before the position: delivered again after a rebalance."""
    GAP = "gap"
    """It begins after the position: the reader has to seek back."""


class AbandonedError(EngineError):
    """The partition was taken away while the batch was under way; its transaction is aborted."""


class TransactionOutbox:
    """What a stage says, straight into the producer's queue; the first record begins the transaction."""

    def __init__(self, producer: Producer, timeout: float) -> None:
        self._producer = producer
        self._produce = producer.produce
        self._timeout = timeout
        self.begun = False

    def begin(self) -> None:
        if not self.begun:
            self._producer.begin_transaction()
            self.begun = True

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        partition: int | None = None,
        headers: Headers | None = None,
    ) -> None:
        if not self.begun:
            self.begin()
        more = {"headers": list(headers)} if headers else _PLAIN
        self.put(topic, value, key, -1 if partition is None else partition, more)

    def put(
        self, topic: str, value: bytes | None, key: bytes | None, partition: int, more: dict[str, Any]
    ) -> None:
        """As `send`, in the producer's own words. A full queue waits: the broker sets the pace."""
        try:
            self._produce(topic, value, key, partition, **more)
        except BufferError:
            self._press(topic, value, key, partition, more)

    def _press(
        self, topic: str, value: bytes | None, key: bytes | None, partition: int, more: dict[str, Any]
    ) -> None:
        deadline = time.monotonic() + self._timeout
        while True:
            self._producer.poll(0.05)
            try:
                self._produce(topic, value, key, partition, **more)
            except BufferError:
                if time.monotonic() > deadline:
                    raise
            else:
                return


class Unit:
    """`position` is the next offset to read, `topic_id` the incarnation of the input topic."""

    def __init__(
        self,
        spec: StageSpec,
        partition: int,
        *,
        producer: Producer,
        store: StateStore,
        logic: StageLogic,
        position: Position,
        stored: bool,
        changelog_end: int,
        timeout: float,
        hooks: Hooks,
    ) -> None:
        self.spec, self.partition = spec, partition
        self.position, self.topic_id = position.offset, position.topic_id
        self._producer, self._store, self._logic = producer, store, logic
        self.stored = stored
        """Whether the changelog holds the position; it does not before the first commit of a new pipeline."""
        self._changelog_end = self._written_to = changelog_end
        self._timeout, self._hooks = timeout, hooks
        self._outbox = TransactionOutbox(producer, timeout)
        self._abandoned = False
        self._tell_state()

    def process(self, records: Sequence[Record], start: int, end: int) -> Outcome:
        """Apply the records of the offsets [start, end), which may have holes, and commit.

        Raises FencedError, AbandonedError, KafkaException or what the logic raises; the unit is then of no
        use.
        """
        if end <= self.position:
            return Outcome.DROPPED
        if start > self.position:
            self._hooks.on_gap(*self._place)
            return Outcome.GAP
        began = time.perf_counter()
        fresh = records
        if start < self.position:
            fresh = [record for record in records if record.offset >= self.position]
        with self._fenced_is_said():
            self._outbox.begin()
            self._logic.process(fresh, self._outbox)
            self._commit(end)
        self._hooks.on_batch(*self._place, len(fresh), time.perf_counter() - began)
        return Outcome.COMMITTED

    def quiet(self, now: int, read_to: int) -> None:
        """The input was read up to `read_to`, its end, and nothing has come for a while; `now` in
        microseconds.

        Between the position and `read_to` are transaction markers; they are stored as read as well, lest
        retention moves the log's start over a position that nothing follows.
        """
        with self._fenced_is_said():
            said = self._logic.quiet(now, self._outbox)
            if said or self._outbox.begun or self._store.changed or read_to > self.position:
                self._outbox.begin()
                self._commit(max(read_to, self.position))
            else:
                self._store.rest()

    @property
    def owes(self) -> bool:
        """Whether its logic has put something off until `quiet`."""
        return self._logic.owes

    def keeps(self, logs: Logs) -> bool:
        """Whether a parked unit may go on: nobody has written to its changelog since its last commit.

        A next owner that wrote nothing has fenced the producer all the same, which the next commit shows.
        """
        return (
            not self._abandoned
            and logs.bounds(self.spec.changelog, self.partition).end == self._changelog_end
        )

    def abandon(self) -> None:
        """From any thread: do not commit what is under way."""
        self._abandoned = True

    def distrust(self) -> None:
        """The state can't be right: what is kept of it beside the changelog must not be used again."""
        self._store.distrust()

    def close(self) -> None:
        """Abort what is open, give the producer and the store back. Never raises; the unit is of no use any more."""
        with suppress(KafkaException):  # the next owner's init_transactions aborts it
            self._producer.purge()
            if self._outbox.begun:
                self._producer.abort_transaction(min(self._timeout, _ABORT_SECONDS))
        # without a reference librdkafka is destroyed; its close() would abort once more, and warn where that fails
        del self._producer, self._outbox, self._logic
        self._store.close()

    @property
    def _place(self) -> tuple[str, str, int]:
        return self.spec.name, self.spec.topic, self.partition

    def _commit(self, end: int) -> None:
        put, partition, changelog = self._outbox.put, self.partition, self.spec.changelog
        at = time.time_ns() // 1_000_000
        for key, value in self._store.changes():
            put(changelog, value, key, partition, _PLAIN)
        position = encode_position(Position(end, self.topic_id))
        put(changelog, position, POSITION_KEY, partition, {"on_delivery": self._delivered})
        if self._abandoned:
            raise AbandonedError(f"the batch of {self.spec.topic}-{partition} was abandoned")
        began = time.perf_counter()
        self._producer.commit_transaction(self._timeout)
        self._outbox.begun = False
        self.position, self.stored = end, True
        self._store.committed(Reached(self._written_to, position, at))
        self._hooks.on_commit(*self._place, time.perf_counter() - began)
        self._tell_state()

    @contextmanager
    def _fenced_is_said(self) -> Iterator[None]:
        """Whichever call is the first to meet it: a long transaction ends while its records are being made."""
        try:
            yield
        except KafkaException as error:
            raise fenced_or(error, self.spec.topic, self.partition) from error

    def _tell_state(self) -> None:
        self._hooks.on_state(*self._place, len(self._store), self._store.size)

    def _delivered(self, error: KafkaError | None, record: Any) -> None:
        # without an offset (it was sent twice) the state counts as older than it is, which costs a look at the changelog
        if error is None and record.offset() >= 0:
            # the position is the last record, the commit marker follows
            self._written_to = record.offset() + 1
            self._changelog_end = record.offset() + 2


def fenced_or(error: Exception, topic: str, partition: int) -> Exception:
    """The error itself, or FencedError: another owner, or a transaction that took too long."""
    cause: KafkaError = error.args[0]
    if cause.code() in _FENCED or cause.fatal():
        return FencedError(
            f"the transaction of {topic}-{partition} was fenced ({cause.str()}); another worker has opened "
            "the partition, or the transaction took longer than its timeout"
        )
    return error
