"""What the transport hands out, without a broker: ranges, limits, acknowledgements, and Faust's traps kept shut."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.fetcher import FetchError, FetchResult
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.errors import CorruptRecordException, NoOffsetForPartitionError, OffsetOutOfRangeError
from faust.types import TP
from fetched_records import batch, marker, partition_records

from pipeline.engine.health import Pulse
from pipeline.engine.transport import Batch, Conductor, Consumer, ConsumerThread, Intake
from pipeline.engine.unpacking import ConsumedRecord

ONE, TWO = TP("in", 1), TP("in", 2)


class State:
    """aiokafka's view of a partition: where it will fetch next."""

    def __init__(self, position: int) -> None:
        self.position, self.paused = position, False

    def consumed_to(self, offset: int) -> None:
        self.position = offset


class Fetching:
    """A consumer thread over what was fetched."""

    def __init__(self, position: int = 0, limit: int = 100) -> None:
        self.reported: list[tuple[TP, Exception]] = []
        self.states = {ONE: State(position), TWO: State(0)}
        self.thread = ConsumerThread.__new__(ConsumerThread)
        self.thread.intakes = {}
        conf = SimpleNamespace(broker_max_poll_records=limit, consumer_max_fetch_size=10**9)
        self.thread.app = SimpleNamespace(conf=conf, pulse=Pulse())
        self.thread.parent_loop = SimpleNamespace(call_soon_threadsafe=lambda call, *rest: call(*rest))
        owner = SimpleNamespace(failed=lambda tp, error: self.reported.append((tp, error)))
        self.thread.consumer = SimpleNamespace(owner=owner)
        assignment = SimpleNamespace(state_value=self.states.get, active=True)
        self.subscription = SimpleNamespace(
            fetch_context=nullcontext,
            reassignment_in_progress=False,
            subscription=SimpleNamespace(assignment=assignment),
        )
        self._assignment = assignment
        self.fetcher = SimpleNamespace(_records={}, _notify=lambda future: None, _wait_consume_future=None)

    def start(self, offset: int, tp: TP = ONE) -> Intake:
        intake = self.thread.intakes[tp] = Intake(tp, offset)
        self.states[tp].position = offset
        return intake

    def fetch(self, offsets: list[int], end: int, tp: TP = ONE, broken: bool = False) -> None:
        written = batch(offsets, end) if offsets else marker(end - 1, 9, commit=True)
        written = written[:-1] + b"?" if broken else written
        records = partition_records(tp, self.states[tp].position, written)
        self.fetcher._records[tp] = FetchResult(
            tp, assignment=self._assignment, partition_records=records, backoff=0
        )

    def fail(self, error: Exception) -> None:
        self.fetcher._records[ONE] = FetchError(error=error, backoff=0)

    def fill(self) -> None:
        """As many batches are in memory as may be, and more has come."""
        self.start(0).in_flight = 2
        self.fetch([0], end=1)

    async def poll(self, subscription: Any, seconds: float = 0.0) -> list[Batch]:
        """As Faust's loop does."""
        consumer = SimpleNamespace(_closed=False, _fetcher=self.fetcher, _subscription=subscription)
        consumer.seek = lambda tp, offset: None
        self.fetcher._closed, self.thread._ensure_consumer = False, lambda: consumer
        self.thread.thread_loop = asyncio.get_running_loop()
        self.fetcher._create_fetch_waiter = self.thread.thread_loop.create_future
        return await self.thread.next_batches(seconds)

    def collect(self) -> list[tuple[int, int, list[int]]]:
        batches = self.thread._collect(self.fetcher, self.subscription)
        return [(batch.start, batch.end, [record.offset for record in batch.records]) for batch in batches]


def test_a_batch_covers_its_records_the_holes_and_the_markers_behind_them() -> None:
    fetching = Fetching()
    fetching.start(4)
    fetching.fetch([4, 5, 9], end=12)
    assert fetching.collect() == [(4, 12, [4, 5, 9])]


def test_a_fetch_of_nothing_but_markers_belongs_to_the_next_batch() -> None:
    """Else the next batch would begin after the unit's position, and seeking back would never end."""
    fetching = Fetching()
    intake = fetching.start(4)
    fetching.fetch([], end=6)
    assert fetching.collect() == []
    assert intake.read_to == 6
    fetching.fetch([6, 7], end=8)
    assert fetching.collect() == [(4, 8, [6, 7])]


def test_a_batch_counts_as_in_flight_before_it_counts_as_read() -> None:
    """The event loop looks at both from another thread: between them it would take the partition for quiet."""
    fetching = Fetching()
    intake = fetching.thread.intakes[ONE] = Watched(ONE, 0)
    fetching.fetch([0], end=1)
    assert fetching.collect() == [(0, 1, [0])]
    assert intake.moves == [(0, 0), (1, 1)]


class Watched(Intake):
    """Notes each move of `read_to`, with the batches that are in flight by then."""

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "read_to":
            moves = self.__dict__.setdefault("moves", [])
            moves.append((value, getattr(self, "in_flight", 0)))


def test_a_fetch_that_jumped_shows_as_a_gap() -> None:
    fetching = Fetching()
    fetching.start(4)
    fetching.states[ONE].position = 9
    fetching.fetch([9], end=10)
    assert fetching.collect() == [(9, 10, [9])]


def test_a_long_fetch_is_cut_into_batches_that_follow_each_other() -> None:
    fetching = Fetching(limit=2)
    fetching.start(0)
    fetching.fetch([0, 1, 2], end=4)
    assert fetching.collect() == [(0, 2, [0, 1])]
    assert fetching.collect() == [(2, 4, [2])]


def test_no_more_than_two_batches_of_a_partition_are_in_memory() -> None:
    fetching = Fetching(limit=1)
    intake = fetching.start(0)
    fetching.fetch([0, 1, 2], end=3)
    assert [fetching.collect() for _ in range(3)] == [[(0, 1, [0])], [(1, 2, [1])], []]
    intake.in_flight -= 1
    assert fetching.collect() == [(2, 3, [2])]


def test_nothing_is_taken_for_a_partition_that_nobody_has_started() -> None:
    fetching = Fetching()
    fetching.fetch([0], end=1)
    assert fetching.collect() == []


def test_a_partition_that_is_full_does_not_hold_up_another() -> None:
    fetching = Fetching()
    fetching.start(0).in_flight = 2
    fetching.start(0, TWO)
    fetching.fetch([0], end=1)
    fetching.fetch([0], end=1, tp=TWO)
    assert fetching.collect() == [(0, 1, [0])]


def test_nothing_is_taken_while_partitions_are_handed_out_anew() -> None:
    fetching = Fetching()
    fetching.start(0)
    fetching.fetch([0], end=1)
    fetching.subscription.reassignment_in_progress = True
    assert fetching.collect() == []


@pytest.mark.parametrize(
    "rests", [lambda fetching: None, lambda fetching: fetching.fill()], ids=["closed", "full"]
)
async def test_polling_goes_on_while_every_partition_rests(rests: Callable[[Fetching], None]) -> None:
    """aiokafka leaves the group when nobody has polled for the poll interval."""
    fetching, subscription = Fetching(), subscribed()
    rests(fetching)
    subscription._last_fetch_ended -= 1000
    assert await fetching.poll(subscription) == []
    assert subscription.fetcher_idle_time < 10


async def test_polling_goes_on_while_partitions_are_handed_out_anew() -> None:
    """If joining the group fails and nobody has polled for the poll interval, aiokafka never tries to join again."""
    fetching, subscription, bare = Fetching(), subscribed(), consumer()
    bare._thread, bare.flow_active = fetching.thread, False
    bare._stopped, bare._crashed, bare.can_resume_flow = asyncio.Event(), asyncio.Event(), asyncio.Event()
    fetching.thread.run = lambda coroutine: coroutine
    await fetching.poll(subscription)
    idle: list[float] = []

    async def waits(event: asyncio.Event, timeout: float) -> None:
        idle.append(subscription.fetcher_idle_time)
        subscription._last_fetch_ended -= 1000
        bare.flow_active = len(idle) == 3

    bare.wait = waits
    await bare._flows()
    assert len(idle) == 3
    assert max(idle) < 10


def subscribed() -> SubscriptionState:
    subscription = SubscriptionState()
    subscription.subscribe({"in"})
    subscription.assign_from_subscribed({ONE})
    return subscription


async def test_a_partition_that_is_done_wakes_the_fetch_that_waits_for_others() -> None:
    fetching, bare = Fetching(), consumer()
    fetching.fill()
    bare._thread = fetching.thread
    polling = asyncio.create_task(fetching.poll(fetching.subscription, 60.0))
    await asyncio.sleep(0.01)
    bare.release(Batch(fetching.thread.intakes[ONE], [], 0, 0))
    assert len(await asyncio.wait_for(polling, 5)) == 1


async def test_a_partition_that_is_started_wakes_the_fetch_that_waits_for_others() -> None:
    fetching = Fetching()
    fetching.fetch([0], end=1)
    polling = asyncio.create_task(fetching.poll(fetching.subscription, 60.0))
    await asyncio.sleep(0.01)
    await fetching.thread.start_intake(ONE, 0)
    assert len(await asyncio.wait_for(polling, 5)) == 1


@pytest.mark.parametrize("error", [OffsetOutOfRangeError({ONE: 4}), RuntimeError("anything else")])
def test_an_error_of_fetching_is_told_to_the_owner(error: Exception) -> None:
    fetching = Fetching()
    fetching.start(4)
    fetching.fail(error)
    assert fetching.collect() == []
    assert fetching.reported == [(ONE, error)]
    assert ONE not in fetching.fetcher._records


@pytest.mark.parametrize("error", [OffsetOutOfRangeError({ONE: 2}), NoOffsetForPartitionError(ONE)])
def test_an_error_of_what_aiokafka_prefetched_by_itself_is_not(error: Exception) -> None:
    fetching = Fetching()
    fetching.start(4)
    fetching.fail(error)
    assert fetching.collect() == []
    assert fetching.reported == []


def test_a_broken_record_is_told_to_the_owner_and_nothing_of_its_fetch_is_delivered() -> None:
    fetching = Fetching()
    intake = fetching.start(0)
    fetching.fetch([0, 1], end=2, broken=True)
    assert fetching.collect() == []
    assert [type(error) for _, error in fetching.reported] == [CorruptRecordException]
    assert intake.read_to == 0


def test_a_record_has_what_the_logic_needs() -> None:
    fetching = Fetching()
    fetching.start(0)
    fetching.fetch([0], end=1)
    (collected,) = fetching.thread._collect(fetching.fetcher, fetching.subscription)
    assert collected.records == [ConsumedRecord("in", 1, 0, 7, b"k", b"v", [("h", b"x")])]


def consumer() -> Consumer:
    bare = Consumer.__new__(Consumer)
    bare._acked = defaultdict(list)
    bare._thread = SimpleNamespace(wake=lambda: None)  # type: ignore[assignment]
    return bare


def test_what_is_committed_to_the_group_is_the_furthest_acknowledged_offset() -> None:
    bare = consumer()
    for offset in (5, 900_000_000, 7):
        bare.acknowledge(ONE, offset)
    assert bare._new_offset(ONE) == 900_000_000
    assert bare._new_offset(ONE) is None
    assert bare._new_offset(TWO) is None


async def test_what_is_under_way_is_finished_and_committed_before_faust_lets_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events: list[str] = []

    async def note(what: str) -> bool:
        events.append(what)
        return True

    bare = consumer()
    bare.owner = SimpleNamespace(revoked=lambda: note("owner"))  # type: ignore[assignment]
    monkeypatch.setattr(Consumer, "commit", lambda self: note("commit"))
    monkeypatch.setattr(Consumer.__base__, "on_partitions_revoked", lambda self, tps: note("faust"))
    await bare.on_partitions_revoked({ONE})
    assert events == ["owner", "commit", "faust"]


@pytest.mark.parametrize("suspended", [False, True])
async def test_a_batch_that_was_fetched_while_the_group_rebalanced_reaches_its_actor(suspended: bool) -> None:
    """Faust skips in silence what bears an earlier generation; the batch was of a partition started since."""
    bare, batch, got = consumer(), Batch(Intake(ONE, 0), [], 0, 1), list[tuple[Any, int]]()
    bare.app = SimpleNamespace(consumer_generation_id=1)
    bare.flow_active, stopping = True, SimpleNamespace(should_stop=False)
    bare.can_resume_flow, bare.suspend_flow = asyncio.Event(), asyncio.Event()

    async def fetch(timeout: float) -> list[Batch]:
        bare.app.consumer_generation_id = 2
        bare.flow_active = not suspended
        return [batch]

    async def resumed(event: asyncio.Event, timeout: float) -> None:
        assert event is bare.can_resume_flow
        bare.flow_active = True

    async def polled() -> None: ...

    async def deliver(message: Any) -> None:
        got.append((message.value, message.generation_id))
        stopping.should_stop = True

    async def first(delivery: Awaitable[None], suspension: Coroutine[Any, Any, Any]) -> None:
        suspension.close()
        await delivery

    bare._thread = SimpleNamespace(run=lambda awaitable: awaitable, next_batches=fetch, polled=polled)  # type: ignore[assignment]
    bare.callback, bare.wait, bare.wait_first = deliver, resumed, first
    bare._stopped = bare._crashed = asyncio.Event()
    await bare._drain_messages(stopping)
    assert got == [(batch, 2)]


def test_a_batch_is_released_once_however_many_actors_saw_it() -> None:
    bare, intake = consumer(), Intake(ONE, 0)
    intake.in_flight = 2
    batch = Batch(intake, [], 0, 1)
    bare.release(batch)
    bare.release(batch)
    assert intake.in_flight == 1


def test_an_actor_that_outlives_its_partition_gets_nothing_and_breaks_nothing() -> None:
    """Faust's own conductor fails an assertion there, which ends the worker."""
    conductor = Conductor.__new__(Conductor)
    mine, gone = SimpleNamespace(active_partitions={ONE}), SimpleNamespace(active_partitions={TWO})
    conductor._topics = [mine, gone]
    conductor._tp_index = defaultdict(Channels)
    conductor._update_tp_index({ONE})
    assert dict(conductor._tp_index) == {ONE: [mine]}


class Channels(list[Any]):
    """A set of things that cannot be hashed."""

    add = list.append


def test_an_actor_that_stops_does_not_make_the_group_rebalance() -> None:
    """Faust subscribes anew 45 s after any channel was discarded."""
    conductor = Conductor.__new__(Conductor)
    conductor._topics = {"channel"}
    conductor._subscription_changed = SimpleNamespace(set=lambda: pytest.fail("the group would rebalance"))
    conductor.discard("channel")
    assert conductor._topics == set()
