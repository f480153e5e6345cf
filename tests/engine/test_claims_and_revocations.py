"""What goes wrong while partitions are claimed or taken away: nothing is opened that is not ours, nobody waits for ever."""

from __future__ import annotations

import asyncio

import pytest
from partitions_bench import ONE, TWO, Bench, raising, settle

from pipeline.engine import partitions
from pipeline.engine.errors import BatchFailedError
from pipeline.engine.transport import Batch

REOPENED = ["discard 1", "claim 1", "open 1", "start 1 at 5"]


@pytest.fixture
async def bench() -> Bench:
    return Bench(drain=5.0)


class Answers:
    """What becomes of each claim in turn: None accepts it, an error is raised, an event is awaited. Then all are
    accepted.
    """

    def __init__(self, *answers: Exception | asyncio.Event | None) -> None:
        self._answers = list(answers)

    async def __call__(self) -> None:
        answer = self._answers.pop(0) if self._answers else None
        if isinstance(answer, asyncio.Event):
            await answer.wait()
        elif answer is not None:
            raise answer


async def failing_later(bench: Bench) -> tuple[asyncio.Event, asyncio.Task[None]]:
    """A batch that is under way, and fails when the event is set."""
    fails = asyncio.Event()

    async def apply(batch: Batch) -> int | None:
        await fails.wait()
        raise RuntimeError("half-way")

    bench.works[ONE].apply = apply  # type: ignore[method-assign]
    batch = Batch(bench.reader.intakes[ONE], [], 5, 7)
    taking = asyncio.create_task(bench.partitions.take(batch))
    await settle()
    return fails, taking


async def test_a_batch_that_fails_while_its_partition_is_taken_away_is_not_tried_again_here(
    bench: Bench,
) -> None:
    await bench.assign(ONE)
    fails, taking = await failing_later(bench)
    bench.works[ONE].settled.clear()
    revoking = asyncio.create_task(bench.partitions.revoked())
    await settle()
    fails.set()
    await settle()
    assert bench.events == ["claim 1", "open 1", "start 1 at 5"]
    assert bench.hooks.aborts == 0
    bench.works[ONE].settled.set()
    assert await revoking
    await taking


@pytest.mark.parametrize("settled", [True, False], ids=["taken away", "being taken away"])
async def test_a_batch_that_failed_just_before_its_partition_was_taken_away_is_not_opened_again(
    bench: Bench, settled: bool
) -> None:
    await bench.assign(ONE)
    work = bench.works[ONE]
    work.does = raising(RuntimeError("once"))
    work.discarded.clear()
    taking = asyncio.create_task(bench.give(5, 7))
    await settle()
    if not settled:
        work.settled.clear()
    revoking = asyncio.create_task(bench.partitions.revoked())
    await settle()
    work.discarded.set()
    await settle()
    assert bench.events == ["claim 1", "open 1", "start 1 at 5", "apply 1", "discard 1"]
    work.settled.set()
    await asyncio.gather(taking, revoking)


async def test_a_partition_that_came_back_before_its_failed_work_was_thrown_away_is_opened_once(
    bench: Bench,
) -> None:
    await bench.assign(ONE)
    work = bench.works[ONE]
    work.does = raising(RuntimeError("once"))
    work.discarded.clear()
    taking = asyncio.create_task(bench.give(5, 7))
    await settle()
    await bench.partitions.revoked()
    await bench.assign(ONE, generation=2)
    work.discarded.set()
    await taking
    assert [event for event in bench.events if event.startswith("claim")] == ["claim 1", "claim 2"]
    assert bench.events.count("open 1") == 2


async def test_reading_that_fails_just_as_its_partition_is_taken_away_opens_nothing(bench: Bench) -> None:
    await bench.assign(ONE)
    bench.partitions.failed(ONE, RuntimeError("reading"))
    assert await bench.partitions.revoked()
    await settle()
    assert bench.events == ["claim 1", "open 1", "start 1 at 5", "discard 1"]


async def test_a_claim_that_is_answered_when_its_partitions_are_gone_opens_nothing(bench: Bench) -> None:
    bench.reader.answers = Answers(answered := asyncio.Event())
    await bench.assign(ONE, TWO)
    assert await bench.partitions.revoked()
    answered.set()
    await settle()
    assert bench.events == ["claim 1"]


async def test_a_claim_that_fails_when_its_partitions_are_gone_is_nobodys_failure(bench: Bench) -> None:
    answered = asyncio.Event()

    async def fails() -> None:
        await answered.wait()
        raise RuntimeError("no coordinator")

    bench.reader.answers = fails
    await bench.assign(ONE)
    assert await bench.partitions.revoked()
    answered.set()
    await settle()
    assert bench.events == ["claim 1"]
    assert bench.hooks.aborts == 0


async def test_a_second_claim_under_way_ends_with_the_assignment(bench: Bench) -> None:
    bench.reader.answers = Answers(None, answered := asyncio.Event())
    await bench.assign(ONE)
    bench.works[ONE].does = raising(RuntimeError("once"))
    await bench.give(5, 7)
    assert bench.events[-2:] == ["discard 1", "claim 1"]
    await bench.partitions.revoked()
    answered.set()
    await settle()
    assert bench.events[-2:] == ["discard 1", "claim 1"]


@pytest.mark.parametrize(
    "first", [RuntimeError("no coordinator"), asyncio.Event()], ids=["fails", "is not answered"]
)
async def test_a_claim_that_comes_to_nothing_is_made_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, first: Exception | asyncio.Event
) -> None:
    monkeypatch.setattr(partitions, "_CLAIM_SECONDS", 0.01)
    bench.reader.answers = Answers(first)
    await bench.assign(ONE)
    await settle()
    assert bench.events == ["claim 1", *REOPENED]
    assert bench.hooks.aborts == 1
    assert bench.stopped == []


@pytest.mark.parametrize(
    "second", [RuntimeError("no coordinator"), asyncio.Event()], ids=["fails", "is not answered"]
)
async def test_a_claim_after_a_failure_that_comes_to_nothing_is_made_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, second: Exception | asyncio.Event
) -> None:
    monkeypatch.setattr(partitions, "_CLAIM_SECONDS", 0.01)
    bench.reader.answers = Answers(None, second)
    await bench.assign(ONE)
    bench.works[ONE].does = raising(RuntimeError("once"))
    await bench.give(5, 7)
    await settle()
    assert bench.events[4:] == ["discard 1", "claim 1", *REOPENED]
    assert bench.stopped == []


async def test_claims_that_keep_failing_stop_the_worker_and_name_the_partition(bench: Bench) -> None:
    bench.reader.answers = Answers(*[OSError("no coordinator")] * 9)
    await bench.assign(ONE)
    await settle()
    assert [(type(error), str(error)) for error in bench.stopped] == [
        (
            BatchFailedError,
            "stage: claiming in-1 failed 3 times, last with OSError: no coordinator",
        )
    ]
