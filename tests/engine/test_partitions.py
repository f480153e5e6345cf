"""Who works on which partition: assignment, failure, revocation, with neither Faust nor a broker."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from partitions_bench import ONE, TWO, Bench, FakeWork, raising, settle

from pipeline.engine.errors import BatchFailedError, FencedError, StopWorker
from pipeline.engine.opening import Committed
from pipeline.engine.stage_work import OneThread
from pipeline.engine.transport import Batch, NotOwnerError


@pytest.fixture
async def bench() -> Bench:
    return Bench()


async def test_work_is_opened_after_the_claim_and_read_from_its_own_position(bench: Bench) -> None:
    await bench.assign(ONE)
    assert bench.events == ["claim 1", "open 1", "start 1 at 5"]


async def test_nothing_is_opened_without_an_accepted_claim(bench: Bench) -> None:
    bench.reader.refuses = True
    await bench.assign(ONE, TWO)
    assert bench.events == ["claim 1"]


async def test_one_partition_that_cannot_open_holds_up_no_other(bench: Bench) -> None:
    await bench.assign(ONE)
    bench.works[ONE].opens = raising(RuntimeError("no"))
    await bench.assign(ONE, TWO, generation=2)
    assert "start 2 at 5" in bench.events


async def test_partitions_are_opened_side_by_side(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    both_have_begun = asyncio.Barrier(2)

    async def opens(work: FakeWork, committed: Committed | None) -> int:
        await both_have_begun.wait()
        return work.position

    monkeypatch.setattr(FakeWork, "open", opens)
    await bench.assign(ONE, TWO)
    assert set(bench.reader.intakes) == {ONE, TWO}


async def test_a_batch_that_was_read_for_an_earlier_assignment_is_not_applied(bench: Bench) -> None:
    await bench.assign(ONE)
    old = bench.reader.intakes[ONE]
    await bench.partitions.revoked()
    await bench.assign(ONE, generation=2)
    batch = await bench.give(5, 7, old)
    assert "apply 1" not in bench.events
    assert batch.released


async def test_after_a_gap_the_reader_seeks_back(bench: Bench) -> None:
    await bench.assign(ONE)
    bench.works[ONE].does = lambda batch: 5
    await bench.give(8, 9)
    assert bench.events[-2:] == ["apply 1", "start 1 at 5"]


async def test_work_that_fails_is_thrown_away_claimed_and_opened_anew(bench: Bench) -> None:
    await bench.assign(ONE)
    bench.works[ONE].does = raising(RuntimeError("once"))
    await bench.give(5, 7)
    assert bench.events[-5:] == ["apply 1", "discard 1", "claim 1", "open 1", "start 1 at 5"]
    assert bench.stopped == []
    assert bench.hooks.aborts == 1


async def test_work_that_keeps_failing_stops_the_worker_and_names_the_batch(bench: Bench) -> None:
    await bench.assign(ONE)
    bench.works[ONE].does = raising(OSError("always"))
    for _ in range(3):
        await bench.give(5, 7)
    (stopped,) = bench.stopped
    assert isinstance(stopped, BatchFailedError)
    assert str(stopped) == (
        "stage: the batch of in-1 with the offsets 5 to 6 failed 3 times, last with OSError: always"
    )
    assert ONE not in bench.reader.intakes


async def test_a_success_forgives_the_failures_before_it(bench: Bench) -> None:
    await bench.assign(ONE)
    for does in (raising(RuntimeError("a")), raising(RuntimeError("b")), lambda batch: None) * 2:
        bench.works[ONE].does = does
        await bench.give(5, 7)
    assert bench.stopped == []


async def test_work_that_is_fenced_again_and_again_ends_the_worker_as_fenced(bench: Bench) -> None:
    await bench.assign(ONE)
    bench.works[ONE].does = raising(FencedError("fenced"))
    for _ in range(3):
        await bench.give(5, 7)
    assert [str(error) for error in bench.stopped] == ["fenced"]
    assert bench.hooks.fences == 3


async def test_an_error_that_says_stop_is_not_tried_again(bench: Bench) -> None:
    await bench.assign(ONE)
    bench.works[ONE].does = raising(StopWorker("as it is"))
    await bench.give(5, 7)
    assert [str(error) for error in bench.stopped] == ["as it is"]
    assert bench.events[-1] == "apply 1"


async def test_work_that_failed_is_not_reopened_when_its_partition_is_gone(bench: Bench) -> None:
    await bench.assign(ONE)
    bench.works[ONE].does = raising(RuntimeError("once"))
    batch = Batch(bench.reader.intakes[ONE], [], 5, 7)
    taking = asyncio.create_task(bench.partitions.take(batch))
    await asyncio.sleep(0)
    await bench.partitions.revoked()
    await taking
    await settle()
    assert bench.events.count("open 1") == 1


async def test_revoking_waits_for_the_batch_under_way(bench: Bench) -> None:
    await bench.assign(ONE)
    bench.works[ONE].settled.clear()
    asyncio.get_running_loop().call_later(0.01, bench.works[ONE].settled.set)
    assert await bench.partitions.revoked()
    assert not bench.works[ONE].abandoned


async def test_a_batch_that_outlives_the_deadline_is_abandoned_and_its_actor_freed(bench: Bench) -> None:
    await bench.assign(ONE)
    work = bench.works[ONE]
    work.settled.clear()
    never = asyncio.Event()

    async def stuck(batch: Batch) -> int | None:
        await never.wait()
        return None

    work.apply = stuck  # type: ignore[method-assign]
    taking = asyncio.create_task(bench.partitions.take(Batch(bench.reader.intakes[ONE], [], 5, 7)))
    await asyncio.sleep(0)
    assert not await bench.partitions.revoked()
    assert work.abandoned
    await asyncio.wait_for(taking, 1)
    never.set()


async def test_a_partition_that_comes_back_finds_its_work_one_that_does_not_is_given_back(
    bench: Bench,
) -> None:
    await bench.assign(ONE, TWO)
    kept = bench.works[ONE]
    await bench.partitions.revoked()
    await bench.assign(ONE, generation=2)
    assert bench.works[ONE] is kept
    assert "discard 1" not in bench.events
    assert "discard 2" in bench.events


async def test_quiet_is_said_when_everything_up_to_the_stable_end_was_read(bench: Bench) -> None:
    await bench.assign(ONE)
    bench.reader.stable_end = 5
    bench.partitions.say_quiet()
    await settle()
    assert bench.events[-1] == "quiet 1"


@pytest.mark.parametrize(
    "prevent",
    [
        lambda bench: setattr(bench.reader, "stable_end", 6),
        lambda bench: setattr(bench.reader, "age", 60.0),
        lambda bench: setattr(bench.reader.intakes[ONE], "in_flight", 1),
        lambda bench: bench.reader.intakes.clear() or bench.partitions.failed(ONE, RuntimeError("reading")),
    ],
    ids=["more to read", "the broker is silent", "a batch is under way", "not open"],
)
async def test_quiet_is_not_said_when(bench: Bench, prevent: Callable[[Bench], None]) -> None:
    await bench.assign(ONE)
    bench.reader.stable_end = 5
    prevent(bench)
    bench.works[ONE].opens = raising(NotOwnerError())
    await settle()
    bench.partitions.say_quiet()
    await settle()
    assert "quiet 1" not in bench.events


async def test_quiet_is_not_said_before_nothing_has_come_for_the_interval() -> None:
    bench = Bench(quiet_interval=60.0)
    await bench.assign(ONE)
    bench.reader.stable_end = 5
    bench.partitions.say_quiet()
    await settle()
    assert "quiet 1" not in bench.events
    bench.reader.intakes[ONE].since -= 61
    bench.partitions.say_quiet()
    await settle()
    assert bench.events[-1] == "quiet 1"


async def test_a_worker_that_is_ending_opens_nothing_any_more(bench: Bench) -> None:
    await bench.assign(ONE)
    assert await bench.partitions.drain()
    await bench.assign(ONE, TWO, generation=2)
    assert bench.events.count("open 1") == 1
    assert "open 2" not in bench.events


async def test_states_tell_how_far_each_partition_is(bench: Bench) -> None:
    await bench.assign(ONE)
    bench.reader.stable_end = 12
    (state,) = bench.partitions.states()
    assert (state.stage, state.topic, state.partition, state.ready) == ("stage", "in", 1, True)
    assert (state.position, state.lag) == (5, 7)


async def test_a_thread_that_nobody_waits_for_any_more_still_excludes_the_next() -> None:
    entered, leave, order = threading.Event(), threading.Event(), list[str]()

    def first() -> None:
        entered.set()
        leave.wait(5)
        order.append("first")

    with ThreadPoolExecutor(2) as pool:
        thread = OneThread(pool)
        cancelled = asyncio.create_task(thread.run(first))
        while not entered.is_set():
            await asyncio.sleep(0.001)
        cancelled.cancel()
        second = asyncio.create_task(thread.run(lambda: order.append("second")))
        third = asyncio.create_task(thread.run(lambda: order.append("third")))
        await settle()
        assert order == []
        leave.set()
        await asyncio.gather(second, third)
    assert order == ["first", "second", "third"]
