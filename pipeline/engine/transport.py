"""Record batches out of Faust: one message per fetched partition batch, read committed, with the range that
it covers.

In: an assignment, and for each partition the offset where its owner wants to read on. Out: `Batch` values,
in order, each with the offsets [start, end) that it covers: the next batch of the partition starts where
this one ended. What always holds: nothing is fetched for a partition that nobody has started; at most two
batches of a partition are in memory; Faust never acknowledges anything by itself (it does so in a
`finally`, also when processing failed).

Faust's own bookkeeping is per message and O(gap); here it is replaced, not extended: `_drain_messages`,
`perform_seek`, `_new_offset` and `_add_gap`, acknowledgement. The consumer thread, the group protocol and
fetching remain aiokafka's.
"""

# ruff: noqa: SLF001 - what Faust and aiokafka do is changed where they do it

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Coroutine, Mapping
from typing import Any, Final, NamedTuple, Protocol

import aiokafka
from aiokafka.consumer.fetcher import FetchError, FetchResult
from aiokafka.errors import (
    CommitFailedError,
    ConsumerStoppedError,
    IllegalStateError,
    KafkaError,
    OffsetOutOfRangeError,
)
from aiokafka.structs import OffsetAndMetadata
from faust.transport.conductor import Conductor as FaustConductor
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from mode import get_logger

from pipeline.engine.assignor import StickyAssignor
from pipeline.engine.health import BEAT_SECONDS, CONSUMER, POLL
from pipeline.engine.opening import UNREAD, Committed
from pipeline.engine.telling import told
from pipeline.engine.unpacking import ConsumedRecord, Unpacking

log = get_logger(__name__)

_AHEAD: Final = 2
"""Batches of one partition in memory: one in work, one waiting."""
_POLL_SECONDS: Final = 1.0
_PACKED = 4
"""How much smaller records are on their way: a fetch asks for as much as is about a batch when it is unpacked."""
_COMMIT_SECONDS: Final = 10.0
FETCH_WAIT_MS: Final = 100
"""A fetch that waits for data holds up the others on its connection, so it must not wait long."""


class NotOwnerError(Exception):
    """The partition is no longer ours: a rebalance came in between."""


class Intake:
    """The reading of one started partition. A restart (seek, rebalance) makes a new one, so that old
    batches are known.
    """

    __slots__ = ("delivered", "error", "in_flight", "read_to", "since", "tp")

    def __init__(self, tp: TP, offset: int) -> None:
        self.tp = tp
        self.delivered = offset
        """Where the next batch starts."""
        self.read_to = offset
        """Covered without a hole; beyond `delivered` lie only transaction markers and aborted records."""
        self.in_flight = 0
        self.since = time.monotonic()
        """When something was last delivered, or the reading began."""

    @property
    def rests(self) -> bool:
        """Whether its unit is so far behind that nothing more is fetched."""
        return self.in_flight >= _AHEAD


class Batch:
    """Records of one partition and the offsets [start, end) that they cover."""

    __slots__ = ("end", "intake", "records", "released", "start", "tp")

    def __init__(self, intake: Intake, records: list[ConsumedRecord], start: int, end: int) -> None:
        self.intake, self.tp = intake, intake.tp
        self.records, self.start, self.end = records, start, end
        self.released = False


class Fetched(NamedTuple):
    """What the last answer of the broker said: the last stable offset, and how many seconds ago."""

    stable_end: int
    age: float


class Owner(Protocol):
    """Who starts and stops the partitions; called from the event loop."""

    async def assigned(self, tps: set[TP], generation: int) -> None: ...
    async def revoked(self) -> bool: ...
    def failed(self, tp: TP, error: Exception) -> None: ...
    def metadata(self, tp: TP) -> str: ...


class ConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """aiokafka's consumer on its own event loop; `intakes` is shared with the main loop, entry by entry."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.intakes: dict[TP, Intake] = {}
        self._wake: asyncio.Future[None] | None = None
        self._beating: asyncio.Task[None] | None = None
        self._silenced = False

    async def on_start(self) -> None:
        self._beating = asyncio.create_task(self._beat())
        await super().on_start()

    async def on_thread_stop(self) -> None:
        if self._beating is not None:
            self._beating.cancel()
        await super().on_thread_stop()

    async def _beat(self) -> None:
        """Notice, before anything else that a frozen process does when it goes on, that its session has passed.

        Heartbeats are sent by this loop alone. So a broker that is away is no silence, and neither is a rebalance.
        """
        pulse, session = self.app.pulse, self.app.conf.broker_session_timeout
        while True:
            silent = pulse.beat(CONSUMER)
            if silent > session + BEAT_SECONDS:
                self._silenced = True
                self.parent_loop.call_soon_threadsafe(self.app.silenced, silent)
                return
            await asyncio.sleep(BEAT_SECONDS)

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        conf = self.app.conf
        return aiokafka.AIOKafkaConsumer(
            client_id=conf.broker_client_id,
            group_id=conf.id,
            bootstrap_servers=driver.server_list(transport.url, transport.default_port),
            partition_assignment_strategy=[StickyAssignor.new()],
            enable_auto_commit=False,
            auto_offset_reset="none",  # never jump: the unit's position decides, or the worker stops
            isolation_level="read_committed",
            max_poll_interval_ms=int(conf.broker_max_poll_interval * 1000),
            max_partition_fetch_bytes=conf.consumer_max_fetch_size // _PACKED,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            check_crcs=conf.broker_check_crcs,
            **driver.credentials_to_aiokafka_auth(conf.broker_credentials),
        )

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Awaitable[Any]:
        """Run in the thread; not through Faust's method queue, whose two workers a long fetch and a commit
        would fill.
        """
        return asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self.thread_loop))

    def wake(self) -> None:
        """A partition may be fetched again."""
        if self.thread_loop.is_running():
            self.thread_loop.call_soon_threadsafe(self._woken)

    def _woken(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def claim(self, tps: set[TP], generation: int) -> dict[TP, Committed | None]:
        """Commit the group's offsets as they are, which only the owners of this generation can; returns
        what they were.
        """
        consumer = self._ensure_consumer()
        coordinator = consumer._coordinator
        before = await coordinator.fetch_committed_offsets(list(tps))
        again = {
            tp: before.get(tp) or OffsetAndMetadata(0, UNREAD) for tp in driver.ensure_aiokafka_TPset(tps)
        }
        try:
            if coordinator.generation != generation or self._silenced:
                raise NotOwnerError
            await consumer.commit(again)
            if coordinator.generation != generation:
                raise NotOwnerError
        except (CommitFailedError, IllegalStateError) as error:
            raise NotOwnerError from error
        return {tp: Committed(before[tp].offset, before[tp].metadata) if tp in before else None for tp in tps}

    async def start_intake(self, tp: TP, offset: int) -> Intake:
        """Read on at `offset`; what was prefetched is forgotten. Raises NotOwnerError."""
        try:
            self._ensure_consumer().seek(tp, offset)
        except (IllegalStateError, AssertionError) as error:
            raise NotOwnerError from error
        intake = self.intakes[tp] = Intake(tp, offset)
        self._woken()
        return intake

    async def commit_offsets(self, offsets: Mapping[TP, OffsetAndMetadata]) -> bool:
        try:
            known = {driver.ensure_aiokafka_TP(tp): offset for tp, offset in offsets.items()}
            await asyncio.wait_for(self._ensure_consumer().commit(known), _COMMIT_SECONDS)
        except (KafkaError, TimeoutError) as error:
            _say_uncommitted(told(error))
            return False
        return True

    async def polled(self) -> None:
        """Say that the event loop lives although it asks for nothing: in a rebalance that outlasts the poll interval
        aiokafka would leave the group, or never join it again.
        """
        with self._ensure_consumer()._subscription.fetch_context():
            self.app.pulse.beat(POLL)

    async def next_batches(self, timeout: float) -> list[Batch]:
        """Wait for batches of started partitions that are not ahead of their unit; empty after `timeout`
        seconds.
        """
        consumer = self._ensure_consumer()
        fetcher, subscription = consumer._fetcher, consumer._subscription
        deadline = time.monotonic() + timeout
        while True:
            if consumer._closed or fetcher._closed:
                raise ConsumerStoppedError
            with (
                subscription.fetch_context()
            ):  # also while all rest: a consumer that does not poll leaves its group
                batches = self._collect(fetcher, subscription)
            self.app.pulse.beat(POLL)
            remaining = deadline - time.monotonic()
            if batches or remaining <= 0:
                return batches
            await self._wait(fetcher, remaining)

    async def _wait(self, fetcher: Any, timeout: float) -> None:
        self._wake = self.thread_loop.create_future()
        arrival = fetcher._create_fetch_waiter()
        await asyncio.wait([arrival, self._wake], timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if arrival.done():
            arrival.result()  # the group's fatal errors come this way
        else:
            arrival.cancel()

    def _collect(self, fetcher: Any, subscription: Any) -> list[Batch]:
        if subscription.reassignment_in_progress or subscription.subscription is None:
            return []
        assignment = subscription.subscription.assignment
        batches = []
        for tp, intake in list(self.intakes.items()):
            state = assignment.state_value(tp) if assignment is not None else None
            if state is not None and not intake.rests and tp in fetcher._records:
                batch = self._take(fetcher, tp, intake, state)
                if batch is not None:
                    batches.append(batch)
        return batches

    def _take(self, fetcher: Any, tp: TP, intake: Intake, state: Any) -> Batch | None:
        fetched = fetcher._records[tp]
        if isinstance(fetched, FetchError):
            self._forget(fetcher, tp)
            self._report(tp, intake, fetched._error)
            return None
        before = state.position
        try:
            records = self._unpack(fetched)
        except KafkaError as error:  # a broken record, or a compression that is not installed
            self._forget(fetcher, tp)
            self._report(tp, intake, error)
            return None
        if not fetched.has_more():
            self._forget(fetcher, tp)
        return _covered(intake, records, before, state.position)

    def _unpack(self, fetched: FetchResult) -> list[ConsumedRecord]:
        """As `FetchResult.getall` does; empty if the reader has moved on since the fetch."""
        if not fetched.has_more() or not fetched.check_assignment(fetched._topic_partition):
            return []
        unpacking = fetched._partition_records
        if not isinstance(unpacking, Unpacking):
            unpacking = fetched._partition_records = Unpacking(unpacking)
        records = unpacking.take(self.app.conf.broker_max_poll_records, self.app.conf.consumer_max_fetch_size)
        fetched._update_position()
        if not unpacking.has_more():
            fetched._partition_records = None
        return records

    def _forget(self, fetcher: Any, tp: TP) -> None:
        del fetcher._records[tp]
        fetcher._notify(fetcher._wait_consume_future)

    def _report(self, tp: TP, intake: Intake, error: Exception) -> None:
        """Tell the owner, unless the error is of a position that was left since (aiokafka prefetches on its
        own).
        """
        if isinstance(error, OffsetOutOfRangeError) and error.args[0].get(tp) != intake.read_to:
            return
        if isinstance(error, aiokafka.errors.NoOffsetForPartitionError):
            return
        self.parent_loop.call_soon_threadsafe(self.consumer.owner.failed, tp, error)

    def fetched(self, tp: TP) -> Fetched | None:
        """From any thread: what the broker said last of a partition; None before its first answer."""
        consumer = self._consumer
        subscription = consumer._subscription.subscription if consumer is not None else None
        assignment = subscription.assignment if subscription is not None else None
        state = assignment.state_value(tp) if assignment is not None else None
        if state is None or state.lso is None or state.timestamp is None:
            return None
        return Fetched(state.lso, time.time() - state.timestamp / 1000)


def _say_uncommitted(reason: str) -> None:
    log.info("offsets were not committed, they will be read again: %s", reason)


def _covered(intake: Intake, records: list[ConsumedRecord], before: int, after: int) -> Batch | None:
    """The range of what was read from offset `before` up to `after`; None if nothing is to be delivered."""
    contiguous = before == intake.read_to
    if not records:
        if contiguous:
            intake.read_to = after
        return None
    start = intake.delivered if contiguous else before
    intake.in_flight += 1  # first: whoever sees the new `read_to` must see the batch as well
    intake.delivered = intake.read_to = after
    intake.since = time.monotonic()
    return Batch(intake, records, start, after)


class Consumer(driver.Consumer):  # type: ignore[misc]
    """Faust's consumer with batches for messages. `owner` is set before it starts."""

    owner: Owner
    _thread: ConsumerThread

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def perform_seek(self) -> None:
        """Faust calls this when an assignment is complete: the owner opens its units, each seeks when it is
        ready.
        """
        await self.owner.assigned(set(self.assignment()), self.app.consumer_generation_id)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        await self.owner.revoked()
        await self.commit()
        await super().on_partitions_revoked(revoked)

    async def claim(self, tps: set[TP], generation: int) -> dict[TP, Committed | None]:
        return await self._thread.run(self._thread.claim(tps, generation))  # type: ignore[no-any-return]

    async def start_intake(self, tp: TP, offset: int) -> Intake:
        intake: Intake = await self._thread.run(self._thread.start_intake(tp, offset))
        self._committed_offset[tp] = None
        self._acked.pop(tp, None)
        return intake

    def stop_intake(self, tp: TP) -> None:
        self._thread.intakes.pop(tp, None)

    def release(self, batch: Batch) -> None:
        """The batch is done with, however it went; the next one may be fetched."""
        if not batch.released:
            batch.released = True
            batch.intake.in_flight -= 1
            self._thread.wake()

    def acknowledge(self, tp: TP, offset: int) -> None:
        """Everything before `offset` is committed or written."""
        acked = self._acked[tp]
        if not acked or offset > acked[0]:
            self._acked[tp] = [offset]

    def fetched(self, tp: TP) -> Fetched | None:
        return self._thread.fetched(tp)

    def _new_offset(self, tp: TP) -> int | None:
        acked = self._acked.get(tp)
        return acked.pop() if acked else None

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """A batch knows the range that it covers; there are no gaps to remember."""

    def on_buffer_full(self, tp: TP) -> None:
        """Batches in flight are counted; a queue is never full."""

    def on_buffer_drop(self, tp: TP) -> None:
        """See `on_buffer_full`."""

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's livelock detector counts messages; lag and `on_batch` say more."""

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:  # noqa: ARG002 - Faust's signature
        owned = {tp: offset for tp, offset in offsets.items() if tp in self.assignment()}
        if len(owned) < len(offsets):
            _say_uncommitted("their partitions have been given away")
        described = {tp: OffsetAndMetadata(offset, self.owner.metadata(tp)) for tp, offset in owned.items()}
        done: bool = not owned or await self._thread.run(self._thread.commit_offsets(described))
        for tp, offset in owned.items():
            if done:
                self._committed_offset[tp] = offset
            elif not self._acked.get(tp):
                self._acked[tp] = [offset]
        return done

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self.should_stop or fetcher.should_stop):
                await self._flows()
                for batch in await self._thread.run(self._thread.next_batches(_POLL_SECONDS)):
                    await self._deliver(batch)
        except (*self.consumer_stopped_errors, asyncio.CancelledError):
            # a worker that ends while its group rebalances cancels this, which Faust would take for a crash
            if not self.app.should_stop:
                raise

    async def _deliver(self, batch: Batch) -> None:
        """Hand the batch to its actor. Whether it is still wanted is for its owner to say, by its intake.

        A rebalance may have begun or passed while it was fetched, and the batch may be of a partition that was
        started since. Faust skips in silence what comes while the flow is suspended, or with an earlier
        generation: so the flow is waited for, and the generation is that of now.
        """
        await self._flows()
        message = ConsumerMessage(
            batch.tp.topic,
            batch.tp.partition,
            batch.end - 1,
            0.0,
            0,
            (),
            None,
            batch,
            None,
            None,
            None,
            batch.tp,
            generation_id=self.app.consumer_generation_id,
        )
        await self.wait_first(self.callback(message), self.suspend_flow.wait())

    async def _flows(self) -> None:
        """Wait while partitions are handed out anew."""
        while not (self.flow_active or self.should_stop):
            await self._thread.run(self._thread.polled())
            await self.wait(self.can_resume_flow, timeout=_POLL_SECONDS)


class Conductor(FaustConductor):  # type: ignore[misc]
    """Delivers batches to the actor of their partition, and leaves the group's subscription alone.

    Faust subscribes anew, which rebalances the whole group, 45 s after an actor has stopped, and crashes
    when an actor outlives its partition.
    """

    def discard(self, topic: Any) -> None:
        self._topics.discard(topic)

    def _update_tp_index(self, assigned: set[TP]) -> None:
        for topic in self._topics:
            for tp in assigned.intersection(topic.active_partitions or ()):
                self._tp_index[tp].add(topic)


class Transport(driver.Transport):  # type: ignore[misc]
    Consumer = Consumer
    Conductor = Conductor
