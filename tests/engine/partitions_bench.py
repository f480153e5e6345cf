"""Partitions over fakes: a reader and works that note what is asked of them, with neither Faust nor a broker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from faust.types import TP

from pipeline.engine.config import EngineConfig
from pipeline.engine.errors import EngineError
from pipeline.engine.hooks import Hooks
from pipeline.engine.opening import Committed
from pipeline.engine.partitions import Partitions
from pipeline.engine.transport import Batch, Fetched, Intake, NotOwnerError

ONE, TWO = TP("in", 1), TP("in", 2)


async def at_once() -> None:
    """A claim that is answered without delay."""


class FakeReader:
    """Hands out intakes; `refuses` makes claims fail, `answers` is awaited by each of them first."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.intakes: dict[TP, Intake] = {}
        self.refuses = False
        self.answers: Callable[[], Awaitable[None]] = at_once
        self.stable_end, self.age = 0, 0.0

    async def claim(self, tps: set[TP], generation: int) -> dict[TP, Committed | None]:
        self.events.append(f"claim {generation}")
        await self.answers()
        if self.refuses:
            raise NotOwnerError
        return dict.fromkeys(tps)

    async def start_intake(self, tp: TP, offset: int) -> Intake:
        self.events.append(f"start {tp.partition} at {offset}")
        self.intakes[tp] = Intake(tp, offset)
        return self.intakes[tp]

    def stop_intake(self, tp: TP) -> None:
        self.intakes.pop(tp, None)

    def release(self, batch: Batch) -> None:
        batch.released = True

    def fetched(self, tp: TP) -> Fetched | None:
        return Fetched(self.stable_end, self.age)


class FakeWork:
    """Notes what is asked of it; `does` is what a batch does."""

    def __init__(self, tp: TP, events: list[str]) -> None:
        self.name, self.tp, self.topic_id = "stage", tp, "id"
        self.events = events
        self.position = 5
        self.does: Callable[[Batch], int | None] = lambda batch: None
        self.opens: Callable[[], None] = lambda: None
        self.settled = asyncio.Event()
        self.settled.set()
        self.discarded = asyncio.Event()
        self.discarded.set()
        self.abandoned = False

    def _note(self, what: str) -> None:
        self.events.append(f"{what} {self.tp.partition}")

    async def open(self, committed: Committed | None) -> int:
        self._note("open")
        self.opens()
        return self.position

    async def apply(self, batch: Batch) -> int | None:
        self._note("apply")
        await asyncio.sleep(0)
        return self.does(batch)

    async def quiet(self, now: int, read_to: int) -> None:
        self._note("quiet")

    async def settle(self) -> None:
        await self.settled.wait()

    def abandon(self) -> None:
        self.abandoned = True

    async def discard(self) -> None:
        self._note("discard")
        await self.discarded.wait()


class Bench:
    """Partitions over fakes."""

    def __init__(self, **settings: Any) -> None:
        self.reader = FakeReader()
        self.works: dict[TP, FakeWork] = {}
        self.stopped: list[EngineError] = []
        self.hooks = CountingHooks()
        quick = {"drain": 0.05, "tries": 2, "back_off": 0.001, "quiet_interval": 0.0}
        config = EngineConfig("app", "nowhere:1", Path(), **{**quick, **settings})
        self.partitions = Partitions(config, self.hooks, self._work, self.stopped.append)
        self.partitions.reader = self.reader

    def _work(self, tp: TP) -> FakeWork:
        self.works[tp] = FakeWork(tp, self.reader.events)
        return self.works[tp]

    @property
    def events(self) -> list[str]:
        return self.reader.events

    async def assign(self, *tps: TP, generation: int = 1) -> None:
        await self.partitions.assigned(set(tps), generation)
        await settle()

    async def give(self, start: int, end: int, intake: Intake | None = None, tp: TP = ONE) -> Batch:
        batch = Batch(intake or self.reader.intakes[tp], [], start, end)
        await self.partitions.take(batch)
        await settle()
        return batch


class CountingHooks(Hooks):
    def __init__(self) -> None:
        self.aborts = self.fences = 0

    def on_abort(self, stage: str, topic: str, partition: int) -> None:
        self.aborts += 1

    def on_fence(self, stage: str, topic: str, partition: int) -> None:
        self.fences += 1


async def settle() -> None:
    """Let every task that can run do so."""
    for _ in range(30):
        await asyncio.sleep(0.001)


def raising(error: Exception) -> Callable[..., None]:
    def raises(*_: object) -> None:
        raise error

    return raises
