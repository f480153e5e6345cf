"""The work of a stateful stage on one partition: its unit, in one thread at a time.

In: batches on the event loop. Out: the unit's calls in a thread pool, never two at once, not even when the
coroutine that awaited the first was cancelled.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any, TypeVar, TypeVarTuple

from faust.types import TP

from pipeline.engine.errors import ChangelogDamagedError
from pipeline.engine.hooks import Hooks
from pipeline.engine.opening import Committed, Opener
from pipeline.engine.pace import Pace, Part
from pipeline.engine.transport import Batch
from pipeline.engine.unit import AbandonedError, Outcome, StageSpec, Unit
from pipeline.ports import DamagedStateError

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")


class OneThread:
    """Runs calls in a pool, one after the other."""

    def __init__(self, pool: Executor) -> None:
        self._pool = pool
        self._turn = asyncio.Lock()
        self._running: asyncio.Future[Any] | None = None

    async def run(self, call: Callable[[*_Ts], _T], *arguments: *_Ts) -> _T:
        """Waits for the earlier call, then for this one; being cancelled ends the waiting, not the thread."""
        async with self._turn:  # first come, first served: a closing must not overtake an opening
            await self.idle()
            running = asyncio.get_running_loop().run_in_executor(self._pool, call, *arguments)
            running.add_done_callback(_seen)
            self._running = running
        return await asyncio.shield(running)

    async def idle(self) -> None:
        """Returns when no thread is at work."""
        while self._running is not None and not self._running.done():
            await asyncio.wait({self._running})


def _seen(future: asyncio.Future[Any]) -> None:
    """An error that nobody waits for any more is not worth a warning."""
    if not future.cancelled():
        future.exception()


class StageWork:
    """A partition's unit over its openings. See `partitions.Work`."""

    def __init__(
        self,
        spec: StageSpec,
        tp: TP,
        opener: Opener,
        hooks: Hooks,
        pool: Executor,
        acknowledge: Callable[[TP, int], None],
    ) -> None:
        self.name, self.tp, self.topic_id = spec.name, tp, ""
        self._spec, self._opener, self._hooks = spec, opener, hooks
        self._thread = OneThread(pool)
        self._acknowledge = acknowledge
        self._pace = Pace(opener.transaction_timeout)
        self._unit: Unit | None = None
        self._called_off = False
        self._rebuilds = False
        """Whether the state was found to be damaged, so that it now comes from the changelog and nothing else."""

    async def open(self, committed: Committed | None) -> int:
        await self._thread.idle()
        self._called_off = False
        return await self._thread.run(self._open, committed)

    async def apply(self, batch: Batch) -> int | None:
        unit, outcome = await self._thread.run(self._process, batch)
        if outcome is Outcome.GAP:
            return unit.position
        # what is owed has to show from outside: the batch stays unread until it is settled
        self._acknowledge(self.tp, batch.start if unit.owes else unit.position)
        return None

    async def quiet(self, now: int, read_to: int) -> None:
        unit = await self._thread.run(self._quiet, now, read_to)
        if unit.stored and not unit.owes:
            self._acknowledge(self.tp, unit.position)

    async def settle(self) -> None:
        self._called_off = True  # a recovery is not worth waiting for
        await self._thread.idle()

    def abandon(self) -> None:
        if self._unit is not None:
            self._unit.abandon()

    async def discard(self) -> None:
        self._called_off = True
        await self._thread.run(self._close)

    def _open(self, committed: Committed | None) -> int:
        if self._unit is not None and not self._unit.keeps(self._opener.logs):
            self._close()
        if self._unit is None:
            unit = self._opener.open(self._spec, self.tp.partition, committed, lambda: self._called_off)
            self._unit, self.topic_id = unit, unit.topic_id
        return self._unit.position

    def _process(self, batch: Batch) -> tuple[Unit, Outcome]:
        unit = self._opened()
        outcome = Outcome.DROPPED
        with self._given_up_if_this_fails(unit):
            for part in self._pace.parts(batch.records, batch.start, batch.end):
                outcome = self._commit(unit, part)
                if outcome is Outcome.GAP:
                    break
        self._rebuilds = self._rebuilds and outcome is not Outcome.COMMITTED
        return unit, outcome

    def _commit(self, unit: Unit, part: Part) -> Outcome:
        began = time.monotonic()
        try:
            return unit.process(*part)
        finally:
            self._pace.took(len(part.records), time.monotonic() - began)

    def _quiet(self, now: int, read_to: int) -> Unit:
        unit = self._opened()
        with self._given_up_if_this_fails(unit):
            unit.quiet(now, read_to)
        return unit

    @contextmanager
    def _given_up_if_this_fails(self, unit: Unit) -> Iterator[None]:
        """A unit that failed half-way is of no use, also if a rebalance swallows the error and parks it."""
        try:
            yield
        except DamagedStateError as error:
            unit.abandon()
            unit.distrust()
            if self._rebuilds:
                raise ChangelogDamagedError(self._spec.changelog, self.tp.partition, error) from error
            self._rebuilds = True
            raise
        except BaseException:
            unit.abandon()
            raise

    def _opened(self) -> Unit:
        if self._unit is None:
            raise AbandonedError(f"{self.tp.topic}-{self.tp.partition} was closed before its turn came")
        return self._unit

    def _close(self) -> None:
        unit, self._unit = self._unit, None
        if unit is not None:
            unit.close()
        # also when there is no unit: an opening that failed has told of its recovery
        self._hooks.on_close(self.name, self.tp.topic, self.tp.partition)
