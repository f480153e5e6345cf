"""A partition's unit over its openings: when it is kept, when it is built anew, what shows as read."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from faust.types import TP
from unit_bench import Bench

from pipeline.engine.errors import ChangelogDamagedError
from pipeline.engine.hooks import Hooks
from pipeline.engine.logs import Bounds
from pipeline.engine.stage_work import StageWork
from pipeline.engine.transport import Batch, Intake
from pipeline.engine.unit import Unit
from pipeline.engine.unpacking import ConsumedRecord
from pipeline.ports import DamagedStateError

PLACE = TP("in", 3)


class Place:
    """A stage's work; every opening builds another unit, which stands at offset 10."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.benches: list[Bench] = []
        self.acknowledged: list[int] = []
        self.closed: list[tuple[str, str, int]] = []
        self.fails: Exception | None = None
        self.transaction_timeout = 10.0
        self.logs = SimpleNamespace(bounds=lambda *_: Bounds(0, 0))
        spec, hooks = Bench().unit.spec, Hooks()
        hooks.on_close = lambda *place: self.closed.append(place)  # type: ignore[method-assign]
        self.new_work = lambda: StageWork(spec, PLACE, self, hooks, pool, self._acknowledge)  # type: ignore[arg-type]
        self.work = self.new_work()

    def open(self, *_: object) -> Unit:
        """As an Opener."""
        if self.fails is not None:
            raise self.fails
        self.benches.append(Bench())
        return self.benches[-1].unit

    def _acknowledge(self, tp: TP, offset: int) -> None:
        self.acknowledged.append(offset)

    async def give(self, start: int, end: int) -> int | None:
        records = [ConsumedRecord("in", 3, offset, 0, b"k", b"v", []) for offset in range(start, end)]
        return await self.work.apply(Batch(Intake(PLACE, start), records, start, end))


@pytest.fixture
def place() -> Iterator[Place]:
    with ThreadPoolExecutor(1) as pool:
        yield Place(pool)


async def test_a_unit_that_was_parked_at_rest_is_kept(place: Place) -> None:
    await place.work.open(None)
    await place.give(10, 12)
    assert await place.work.open(None) == 12
    assert len(place.benches) == 1


@pytest.mark.parametrize("failing", ["a batch", "the quiet time"])
async def test_a_unit_that_failed_is_not_kept_although_nobody_has_thrown_it_away(
    place: Place, failing: str
) -> None:
    """A rebalance swallows the error, and parks what is there."""
    await place.work.open(None)
    place.benches[0].logic.fails = RuntimeError("half-way")
    with pytest.raises(RuntimeError, match="half-way"):
        await (place.give(10, 12) if failing == "a batch" else place.work.quiet(0, 10))
    await place.work.open(None)
    assert len(place.benches) == 2
    assert place.benches[0].producer.committed == []


async def test_a_damaged_state_is_given_up_and_the_second_time_in_a_row_the_changelog_is_to_blame(
    place: Place,
) -> None:
    distrusted = []
    for _ in range(2):
        await place.work.open(None)
        place.benches[-1].logic.fails = DamagedStateError("the state has lost k")
        place.benches[-1].unit.distrust = lambda: distrusted.append(True)  # type: ignore[method-assign]
        with pytest.raises((DamagedStateError, ChangelogDamagedError)) as raised:
            await place.give(10, 12)
    assert distrusted == [True, True]
    assert isinstance(raised.value, ChangelogDamagedError)
    assert "-3 holds state that this version cannot use: the state has lost k; " in str(raised.value)


async def test_a_batch_that_was_committed_shows_that_the_changelog_is_right(place: Place) -> None:
    for _ in range(3):
        await place.work.open(None)
        await place.give(10, 12)
        place.benches[-1].logic.fails = DamagedStateError("the state has lost k")
        with pytest.raises(DamagedStateError):
            await place.give(12, 14)
        await place.work.discard()


async def test_what_was_committed_shows_as_read(place: Place) -> None:
    await place.work.open(None)
    await place.give(10, 12)
    assert place.acknowledged == [12]


async def test_a_batch_after_which_something_is_owed_shows_as_unread(place: Place) -> None:
    await place.work.open(None)
    place.benches[0].logic.owes = True
    await place.give(10, 12)
    await place.give(12, 15)
    assert place.acknowledged == [10, 12]


async def test_what_is_still_owed_when_it_is_quiet_still_shows_as_unread(place: Place) -> None:
    await place.work.open(None)
    place.benches[0].logic.owes = True
    await place.give(10, 12)
    await place.work.quiet(0, 12)
    assert place.acknowledged == [10]
    place.benches[0].logic.owes = False
    await place.work.quiet(0, 12)
    assert place.acknowledged == [10, 12]


async def test_that_a_partition_has_left_is_told_and_parking_is_not_leaving(place: Place) -> None:
    """Whoever exports its state would else go on doing so beside its new owner."""
    await place.work.open(None)
    await place.give(10, 12)
    await place.work.settle()
    assert place.closed == []
    await place.work.discard()
    assert place.closed == [("echo", "in", 3)]


async def test_a_parked_unit_that_somebody_else_has_written_for_meanwhile_is_told_as_closed(
    place: Place,
) -> None:
    await place.work.open(None)
    place.logs.bounds = lambda *_: Bounds(0, 7)
    await place.work.open(None)
    assert place.closed == [("echo", "in", 3)]


async def test_an_opening_that_failed_is_told_as_closed_because_it_has_told_of_its_recovery(
    place: Place,
) -> None:
    place.fails = RuntimeError("half-way")
    with pytest.raises(RuntimeError, match="half-way"):
        await place.work.open(None)
    await place.work.discard()
    assert place.closed == [("echo", "in", 3)]


async def test_a_batch_whose_transaction_would_last_too_long_is_committed_in_parts(place: Place) -> None:
    """Else the broker aborts it, and however often it is tried again, it takes as long."""
    place.transaction_timeout = 1e-9
    place.work = place.new_work()
    await place.work.open(None)
    await place.give(10, 14)
    assert len(place.benches[0].producer.committed) == 1
    await place.give(14, 24)
    committed = place.benches[0].producer.committed[1:]
    assert len(committed) == 10
    assert place.benches[0].unit.position == 24
    assert place.acknowledged == [14, 24]
