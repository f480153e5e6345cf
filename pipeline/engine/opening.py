"""Opening a unit: fence the former owner, read the state back, check that the position belongs to the input.

Called only after an offset commit was accepted under the current generation: the last caller of
`init_transactions` wins, so a worker that is no longer the owner must never get here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaException, Producer
from mode import get_logger

from pipeline.engine.changelog import Position, Recovery
from pipeline.engine.clients import confluent_options, logged
from pipeline.engine.config import EngineConfig
from pipeline.engine.errors import BrokerUnavailableError, ChangelogDamagedError, PositionLostError
from pipeline.engine.hooks import Hooks
from pipeline.engine.logs import Bounds, Logs
from pipeline.engine.stage import StageLogic
from pipeline.engine.store import MemoryStore, StateStore
from pipeline.engine.unit import StageSpec, Unit, fenced_or
from pipeline.engine.warm_state import Source, WarmStates
from pipeline.ports import DamagedStateError

log = get_logger(__name__)

MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
"""What the producer lets through; each topic has its own limit."""
_INIT_SECONDS = 30.0
_LINGER_SHARE = 0.1
"""Of the transaction's timeout: how long records may wait for others to fill a request."""
_LINGER_MESSAGES = 50_000


UNREAD: Final = "unread"
"""Metadata of an offset that was committed only to claim a partition: nothing has ever been processed."""


class Committed(NamedTuple):
    """The group's committed offset: for display, except that it tells a lost changelog from a new pipeline.

    `metadata` is UNREAD or the identity of the topic that was read.
    """

    offset: int
    metadata: str

    @property
    def unread(self) -> bool:
        return self.metadata == UNREAD


class Found(NamedTuple):
    """What a unit finds when it opens: the input's identity and log, the number of values recovered."""

    topic_id: str
    bounds: Bounds
    keys: int


class _Recovered(NamedTuple):
    """A partition's state, and what works over it. `stored`: the changelog has the position."""

    store: StateStore
    logic: StageLogic
    position: Position
    stored: bool


class Opener:
    """Opens the units of one worker; thread-safe. Without `states` everything is in memory, and read back each time."""

    def __init__(self, config: EngineConfig, logs: Logs, hooks: Hooks, states: WarmStates | None) -> None:
        self._config, self.logs, self._hooks, self._states = config, logs, hooks, states
        self.transaction_timeout = config.transaction_timeout
        self._options = logged(confluent_options(config.bootstrap, config.options))

    def open(
        self, spec: StageSpec, partition: int, committed: Committed | None, cancelled: Callable[[], bool]
    ) -> Unit:
        """Blocks until the unit is ready. Raises a typed EngineError, or what the factory raises."""
        topic_id = self.logs.topic_id(spec.topic)
        changelog_id = self.logs.topic_id(spec.changelog)  # says that it is missing; its offsets do not
        retention = self.logs.deletion_retention(spec.changelog)
        producer = self._fence(spec, partition)
        try:
            # the changelog's bounds only now: behind init_transactions no marker is under way any more
            bounds = self.logs.bounds(spec.changelog, partition)
            source = Source(spec.changelog, partition, changelog_id, bounds, retention)
            found = self._recover(spec, topic_id, source, committed, cancelled)
            return Unit(
                spec,
                partition,
                producer=producer,
                store=found.store,
                logic=found.logic,
                position=found.position,
                stored=found.stored,
                changelog_end=bounds.end,
                timeout=self._config.transaction_timeout,
                hooks=self._hooks,
            )
        except BaseException:
            del producer  # see Unit.close: librdkafka is destroyed with its last reference
            raise

    def _recover(
        self,
        spec: StageSpec,
        topic_id: str,
        source: Source,
        committed: Committed | None,
        cancelled: Callable[[], bool],
    ) -> _Recovered:
        """From what is on disk as far as that is right, else from the changelog alone."""
        try:
            return self._recover_once(spec, topic_id, source, committed, cancelled)
        except DamagedStateError as error:
            log.warning("%s; it is rebuilt from %s-%d", error, source.topic, source.partition)
        try:
            return self._recover_once(spec, topic_id, source, committed, cancelled)
        except DamagedStateError as error:
            raise ChangelogDamagedError(source.topic, source.partition, error) from error

    def _recover_once(
        self,
        spec: StageSpec,
        topic_id: str,
        source: Source,
        committed: Committed | None,
        cancelled: Callable[[], bool],
    ) -> _Recovered:
        """Whatever goes wrong, the store is closed; one that is damaged is gone then."""
        partition, bounds = source.partition, source.bounds
        store = self._store(spec, source, cancelled)
        try:
            stored = self._recovery(spec, partition, cancelled).run(bounds.start, bounds.end, store)
            found = Found(topic_id, self.logs.bounds(spec.topic, partition), len(store))
            position = starting_position(spec, partition, stored, found, committed)
            return _Recovered(store, spec.factory(partition, store), position, stored is not None)
        except BaseException as error:
            if isinstance(error, DamagedStateError):
                store.distrust()
            store.close()
            raise

    def _store(self, spec: StageSpec, source: Source, cancelled: Callable[[], bool]) -> StateStore:
        if self._states is None:
            return MemoryStore(spec.index)
        return self._states.open(state_name(spec, source.partition), source, spec.index, cancelled)

    def _fence(self, spec: StageSpec, partition: int) -> Producer:
        config = self._config
        name = transactional_id(config.app, spec, partition)
        producer = Producer(producer_options(config, self._options, name))
        try:
            producer.init_transactions(_INIT_SECONDS)
        except KafkaException as error:
            del producer
            said = fenced_or(error, spec.topic, partition)
            if said is not error:
                raise said from error
            raise BrokerUnavailableError(
                f"Kafka at {config.bootstrap} did not let {spec.name} open {spec.topic}-{partition} "
                f"({error.args[0].str()}); check that it is running"
            ) from error
        return producer

    def _recovery(self, spec: StageSpec, partition: int, cancelled: Callable[[], bool]) -> Recovery:
        def progress(offset: int, end: int) -> None:
            self._hooks.on_recovery(spec.name, spec.topic, partition, offset, end)

        return Recovery(
            self._options,
            spec.changelog,
            partition,
            timeout=self._config.recovery_timeout,
            progress=progress,
            cancelled=cancelled,
        )


def state_name(spec: StageSpec, partition: int) -> str:
    """The folder of a partition's state."""
    return f"{spec.name}-{spec.topic}-{partition}"


def transactional_id(app: str, spec: StageSpec, partition: int) -> str:
    return f"{app}-{spec.name}-{spec.topic}-{partition}"


def producer_options(config: EngineConfig, options: dict[str, Any], transactional_id: str) -> dict[str, Any]:
    return {
        **options,
        "transactional.id": transactional_id,
        "transaction.timeout.ms": int(config.transaction_timeout * 1000),
        # a commit sends what is left without waiting; until then every request shall be as large as it can be:
        # with 5 ms the broker and the client worked twice as much
        "linger.ms": int(config.transaction_timeout * 1000 * _LINGER_SHARE),
        "batch.num.messages": _LINGER_MESSAGES,
        "queue.buffering.max.kbytes": max(1, config.producer_queue_bytes // 1024),
        "queue.buffering.max.messages": 0,
        # half the bytes through the broker, its disk and the readers, for less than what copying them costs
        "compression.type": "lz4",
        "message.max.bytes": MAX_MESSAGE_BYTES,
        "partitioner": "murmur2_random",
        # a missing output topic shall be an error soon, not after a wait for its metadata
        "topic.metadata.propagation.max.ms": 5000,
    }


def starting_position(
    spec: StageSpec, partition: int, stored: Position | None, found: Found, committed: Committed | None
) -> Position:
    """Where to read on: the stored position if it belongs to this log, the log's beginning for a new
    pipeline.

    Raises PositionLostError with the remedy: to read on elsewhere would lose or repeat records in silence.
    """
    place, bounds = f"{spec.topic}-{partition}", found.bounds
    if stored is None:
        if found.keys or (committed is not None and not committed.unread):
            raise PositionLostError(
                f"the changelog {spec.changelog}-{partition} of {spec.name} has no position, but {place} was "
                "read before: it was deleted or made anew; restore it, or start the pipeline under a new name"
            )
        return Position(bounds.start, found.topic_id)
    if stored.topic_id != found.topic_id:
        raise PositionLostError(
            f"the topic {spec.topic!r} was deleted and made anew since {spec.name} read it, and its position "
            f"{stored.offset} belongs to the old one; start the pipeline under a new name"
        )
    if not bounds.start <= stored.offset <= bounds.end:
        early = stored.offset < bounds.start
        lost = "retention has removed records that were not read" if early else "the log was cut"
        raise PositionLostError(
            f"the position {stored.offset} of {spec.name} in {place} lies outside its log [{bounds.start}, "
            f"{bounds.end}]: {lost}; replay the source into a pipeline under a new name"
        )
    return stored
