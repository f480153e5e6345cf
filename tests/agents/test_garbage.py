"""Workers do without Python's garbage collection: they may, because what they do all the time leaves no cycles."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agents import garbage
from pipeline.core.plan import compile_plan
from pipeline.core.run import MemoryPipeline, RunConfig
from pipeline.maps import load_map
from pipeline.simulate.simulation import workload

MAP = Path(__file__).parents[2] / "examples" / "company" / "map.yaml"


@pytest.fixture
def no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Nowhere:
    """What is said to it is gone."""

    def send(self, *_: Any, **__: Any) -> None: ...


def pipeline() -> MemoryPipeline:
    return MemoryPipeline(
        compile_plan(load_map(MAP)), RunConfig(identity_key="a test's key", now=4_000_000_000_000_000)
    )


def test_a_stage_leaves_no_cycles_however_much_it_processes(no_collection: None) -> None:
    stages = pipeline()
    records = [record for record in workload(300, 3000) if record.tick is None]
    gc.collect()
    for start in range(0, len(records), 500):
        for record in records[start : start + 500]:
            stages.feed(record.domain, record.value, record.key, record.headers)
        stages.work()
    assert gc.collect() < 20


def test_a_stage_that_is_closed_is_gone_without_a_collection(no_collection: None) -> None:
    stages = pipeline()
    for record in workload(50, 500):
        if record.tick is None:
            stages.feed(record.domain, record.value, record.key, record.headers)
    stages.work()
    logics = [stages._logics.pop(queue) for queue in list(stages._logics)]
    for logic in logics:
        logic.process([], Nowhere())  # lets go of the pipeline, which is the test's own
    del stages, record, logic
    gc.collect()
    del logics
    assert gc.collect() == 0


def test_collection_is_off_once_a_worker_begins_to_work() -> None:
    said = "import gc; from agents import garbage; garbage.relax(); print(gc.isenabled(), gc.get_freeze_count() > 1000)"
    run = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "True"]


def test_a_look_for_cycles_finds_new_ones_and_passes_over_what_is_old() -> None:
    """However much is kept: a look at all of it would stop a worker for longer than its session."""
    said = """
import gc, time
from agents import garbage
garbage.relax()
kept = [[number, [number]] for number in range(400_000)]
gc.collect(0)
new = [[] for _ in range(100)]
for each in new: each.append(each)
del new, each
began = time.perf_counter(); found = gc.collect(0); young = time.perf_counter() - began
began = time.perf_counter(); gc.collect(); full = time.perf_counter() - began
print(found, young * 20 < full)
"""
    run = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["100", "True"]


def test_cycles_are_looked_for_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    timers: list[Any] = []

    class Timer:
        def __init__(self, seconds: float, call: Any) -> None:
            self.seconds, self.call, self.daemon = seconds, call, False

        def start(self) -> None:
            timers.append(self)

    collected: list[tuple[int, ...]] = []
    monkeypatch.setattr(garbage.threading, "Timer", Timer)
    for name in ("freeze", "disable"):
        monkeypatch.setattr(garbage.gc, name, lambda: None)
    monkeypatch.setattr(garbage.gc, "collect", lambda *generation: collected.append(generation))
    garbage.relax()
    timers[0].call()
    assert (collected, len(timers)) == ([(), (0,)], 2)
    assert all(timer.daemon and timer.seconds == garbage.SECONDS for timer in timers)
