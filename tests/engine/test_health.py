"""Whether a worker is alive and whether it works, without a broker: beats on a clock that the test holds."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from partitions_bench import ONE, TWO, Bench, settle

from pipeline.engine import health
from pipeline.engine.errors import EXIT_FENCED, FencedError, SilencedError
from pipeline.engine.health import CONSUMER, LOOP, POLL, NotReady, Pulse, not_ready
from pipeline.engine.transport import ConsumerThread, NotOwnerError


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    held = Clock()
    monkeypatch.setattr(health, "steady", held)
    return held


def test_each_part_tells_for_how_long_it_was_silent(clock: Clock) -> None:
    pulse = Pulse()
    pulse.beat(LOOP)
    clock.now += 3
    pulse.beat(POLL)
    clock.now += 4
    assert pulse.silences() == {LOOP: 7.0, POLL: 4.0}


def test_a_beat_tells_how_long_ago_the_last_one_was(clock: Clock) -> None:
    pulse = Pulse()
    assert pulse.beat(CONSUMER) == 0
    clock.now += 12.5
    assert pulse.beat(CONSUMER) == 12.5


class Beating:
    """A consumer thread of a session of 10 s; `silenced` are the silences that its worker was told of."""

    def __init__(self) -> None:
        self.silenced: list[float] = []
        self.thread = ConsumerThread.__new__(ConsumerThread)
        self.thread._silenced = False
        self.thread.app = SimpleNamespace(
            pulse=Pulse(),
            conf=SimpleNamespace(broker_session_timeout=10.0),
            silenced=self.silenced.append,
        )
        self.thread.parent_loop = SimpleNamespace(call_soon_threadsafe=lambda call, *rest: call(*rest))

    async def after(self, clock: Clock, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
        """Two beats that lie so far apart."""
        rests = iter([seconds])

        async def rest(_: float) -> None:
            passed = next(rests, None)
            if passed is None:
                raise asyncio.CancelledError
            clock.now += passed

        monkeypatch.setattr(asyncio, "sleep", rest)
        try:
            await self.thread._beat()
        except asyncio.CancelledError:
            return


async def test_a_loop_that_was_silent_for_longer_than_the_session_is_told(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    beating = Beating()
    await beating.after(clock, 11.0, monkeypatch)
    assert beating.silenced == [11.0]


async def test_a_loop_whose_silence_the_session_may_have_outlived_is_not(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have sent a heartbeat just before its next beat was due."""
    beating = Beating()
    await beating.after(clock, 10.4, monkeypatch)
    assert beating.silenced == []


async def test_who_was_silent_claims_nothing(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    beating, committed = Beating(), list[Any]()
    await beating.after(clock, 60.0, monkeypatch)

    async def nothing(tps: Any) -> dict[Any, Any]:
        return {}

    coordinator = SimpleNamespace(generation=3, fetch_committed_offsets=nothing)
    member = SimpleNamespace(_coordinator=coordinator, commit=committed.append)
    beating.thread._ensure_consumer = lambda: member
    with pytest.raises(NotOwnerError):
        await beating.thread.claim({ONE}, 3)
    assert committed == []


def test_a_silenced_worker_ends_as_a_fenced_one() -> None:
    assert issubclass(SilencedError, FencedError)
    assert SilencedError.exit_code == EXIT_FENCED


async def test_a_worker_is_ready_when_all_its_partitions_are_recovered_and_their_lag_is_known() -> None:
    bench = Bench()
    assert not_ready(bench.partitions) == [NotReady("the group is handing out its partitions")]
    await bench.assign(ONE, TWO)
    assert not_ready(bench.partitions) == []


async def test_a_worker_that_was_given_no_partition_is_ready() -> None:
    bench = Bench()
    await bench.assign()
    assert not_ready(bench.partitions) == []


async def test_a_partition_that_is_not_recovered_is_named() -> None:
    bench = Bench()
    bench.reader.answers = asyncio.Event().wait  # type: ignore[assignment]
    await bench.assign(ONE)
    assert not_ready(bench.partitions) == [NotReady("its state is not recovered yet", "stage", "in", 1)]


async def test_a_partition_whose_lag_is_not_known_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    await bench.assign(ONE)
    monkeypatch.setattr(bench.reader, "fetched", lambda tp: None)
    assert not_ready(bench.partitions) == [NotReady("its lag is not known yet", "stage", "in", 1)]


async def test_a_lag_that_the_broker_told_long_ago_is_not_known_unless_the_partition_rests() -> None:
    bench = Bench()
    await bench.assign(ONE)
    bench.reader.age = 90.0
    assert not_ready(bench.partitions) == [NotReady("its lag was last known 90 s ago", "stage", "in", 1)]
    bench.reader.intakes[ONE].in_flight = 2
    assert not_ready(bench.partitions) == []


async def test_a_worker_is_not_ready_while_partitions_are_handed_out_anew_or_when_it_ends() -> None:
    bench = Bench()
    await bench.assign(ONE)
    await bench.partitions.revoked()
    assert not_ready(bench.partitions) == [NotReady("the group is handing out its partitions")]
    await bench.assign(ONE, generation=2)
    assert not_ready(bench.partitions) == []
    await bench.partitions.drain()
    assert not_ready(bench.partitions) == [NotReady("the worker is ending")]


async def test_what_a_fenced_worker_has_under_way_is_abandoned_without_waiting() -> None:
    bench = Bench()
    await bench.assign(ONE, TWO)
    for work in bench.works.values():
        work.settled.clear()
    bench.partitions.abandon()
    await settle()
    assert [work.abandoned for work in bench.works.values()] == [True, True]
    assert bench.reader.intakes == {}
    await bench.assign(ONE, generation=2)
    assert bench.events.count("claim 1") == 1, "a fenced worker has opened a partition"
