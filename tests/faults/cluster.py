"""A pipeline whose parts can be broken: topics and tables of its own, workers as processes that may die, freeze, come back.

What always holds: a worker that ended without being asked to fails the test, unless a fault was laid into it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import psutil
from workload import send

from pipeline.embedded.process import Child
from pipeline.engine.errors import EXIT_ABANDONED, EXIT_FAILED, EXIT_FENCED
from pipeline.operations.caught_up import Watcher
from pipeline.operations.pipelines import create
from pipeline.settings import Settings
from pipeline.simulate.faults import SimulatedRecord

_WORKER = Path(__file__).with_name("faulty_worker.py")
_ROOT = Path(__file__).parents[2]
NewSettings = Callable[..., Settings]
"""Settings of a pipeline of the test's own, on the shared services; arguments go first."""
Tell = Callable[[str], None]
"""A line for the end of the run: what was injected, what was compared."""
KILLED = 128 + signal.SIGKILL
MAY_COME_BACK = frozenset({KILLED, EXIT_FAILED, EXIT_ABANDONED, EXIT_FENCED})
HANG = 0
"""In the place of a signal: the thread that passes the point never comes back."""
HOLD = -1
"""In the place of a signal: the thread that passes the point waits until `Cluster.let_go`."""
SESSION_SECONDS = 4.0
"""A worker that is silent for this long has lost its partitions."""


@dataclass(frozen=True)
class Fault:
    """At the `nth` passing of `point` the worker sends `signal` to itself. See `faulty_worker`."""

    point: str
    nth: int = 1
    signal: int = signal.SIGKILL


class Struck(NamedTuple):
    """Where a fault took place: the point, and the records that were worked on, of the offsets [start, end)."""

    point: str
    topic: str
    partition: int
    start: int
    end: int


class WorkerProcess:
    """One worker process, on a leash. `fault` is what was laid into it."""

    def __init__(self, index: int, child: Child, fault: Fault | None) -> None:
        self.index, self.child, self.fault = index, child, fault

    @property
    def pid(self) -> int:
        """Of the worker itself; the child's is that of its leash."""
        (process,) = psutil.Process(self.child.pid).children()
        return process.pid

    @property
    def exit_code(self) -> int | None:
        return self.child.exit_code

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def is_stopped(self) -> bool:
        below = psutil.Process(self.child.pid).children()
        return any(process.status() == psutil.STATUS_STOPPED for process in below)

    def await_end(self, seconds: float = 60.0) -> int:
        until(lambda: self.exit_code is not None, f"worker {self.index} ends", seconds)
        return self.child.stop(0)

    def log(self) -> str:
        return self.child.log.read_text("utf-8", "replace")


@dataclass
class Cluster:
    """A pipeline and its workers. `off`: the mechanism that is switched off in all of them."""

    settings: Settings
    folder: Path
    off: str = ""
    session: float = SESSION_SECONDS
    workers: list[WorkerProcess] = field(default_factory=list)
    started: int = 0
    restarts: bool = False
    """Whether a worker that says it may be started again is, as `throughline up` does; its exit code is in `ends`."""
    ends: list[int] = field(default_factory=list)

    def start(self, fault: Fault | None = None, index: int | None = None, **changed: object) -> WorkerProcess:
        """One more worker; `index`: in the folder of an earlier one. `changed` are settings of its own."""
        settings = self.settings.model_copy(update=changed)
        environment = {**settings.environment(), **self._laid(fault)}
        name = f"worker-{self.started}"
        command = [
            sys.executable,
            str(_WORKER),
            "worker",
            "--index",
            str(self.started if index is None else index),
        ]
        child = Child(name, command, self.folder / f"{name}.log", environment)
        worker = WorkerProcess(self.started, child, fault)
        self.started += 1
        self.workers.append(worker)
        return worker

    def faults(self) -> list[str]:
        """The points at which workers have broken, in order."""
        if not self._log.exists():
            return []
        return [line.split()[1] for line in self._log.read_text("utf-8").splitlines()]

    def struck(self) -> list[Struck]:
        """As `faults`, with the batch; of the points that have one."""
        lines = [line.split() for line in self._log.read_text("utf-8").splitlines()]
        return [Struck(line[1], line[2], *map(int, line[3:])) for line in lines if len(line) > 2]

    def let_go(self) -> None:
        """Whoever is held goes on, now and later."""
        self._log.with_suffix(".go").touch()

    def broken(self) -> list[WorkerProcess]:
        """Takes away and returns the workers that were killed by a fault. Any other end is an AssertionError."""
        ended = [worker for worker in self.workers if worker.exit_code is not None]
        for worker in ended:
            code = worker.child.stop(0)
            assert worker.fault is not None, f"exit code {code}: {worker.child.last_words(30)}"
            assert code == KILLED, f"exit code {code}: {worker.child.last_words(30)}"
            self.workers.remove(worker)
        return ended

    def kill(self, worker: WorkerProcess) -> None:
        worker.child.stop(0)
        self.workers.remove(worker)

    def settle(self, seconds: float = 300.0) -> None:
        """Returns when everything that was sent is worked off."""
        with closing(Watcher(self.settings.kafka_client, self.settings.topology)) as watcher:
            watcher.wait(seconds, lambda _: self.require_all_running(), every=0.2)

    def settle_past_open_transactions(self, seconds: float = 120.0) -> None:
        """As `settle`, when also what the transactions of a frozen worker held back is worked off: the broker ends them."""
        topics = [spec.name for spec in self.settings.topology.specs()]
        with closing(Watcher(self.settings.kafka_client, self.settings.topology)) as watcher:
            watcher.wait_past(topics, seconds)
        self.settle()

    def require_all_running(self) -> None:
        if self.restarts:
            self.tend()
        else:
            assert not self.broken(), "a worker was killed although all faults had taken place"

    def tend(self) -> None:
        """Starts again, without a fault, whoever has ended and may be."""
        for worker in [each for each in self.workers if each.exit_code is not None]:
            code = worker.child.stop(0)
            assert code in MAY_COME_BACK, f"exit code {code}: {worker.child.last_words(30)}"
            self.workers.remove(worker)
            self.ends.append(code)
            self.start()

    def send_and_await_work(self, records: tuple[SimulatedRecord, ...]) -> None:
        """Send the records; return in the middle of the work, when some are read and some are not."""
        with closing(Watcher(self.settings.kafka_client, self.settings.topology)) as watcher:
            before = sum(lag.position for lag in watcher.lags())
            send(self.settings, records)

            def is_in_the_middle() -> bool:
                lags = watcher.lags()
                assert any(lag.records for lag in lags), "everything was worked off before the fault"
                return sum(lag.position for lag in lags) > before

            until(is_in_the_middle, "work has begun")

    def said(self) -> str:
        """The logs of all workers there were."""
        logs = sorted(self.folder.glob("worker-*.log"))
        return "\n".join(log.read_text("utf-8", "replace") for log in logs)

    def end(self) -> None:
        """All workers drain, or are killed."""
        for worker in self.workers:
            if worker.exit_code is None and worker.is_stopped():
                worker.signal(signal.SIGKILL)
            worker.child.ask_to_end()
        # asked twice, a worker ends at once
        limit = time.monotonic() + 30
        while any(worker.child.alive() for worker in self.workers) and time.monotonic() < limit:
            time.sleep(0.02)
        for worker in self.workers:
            worker.child.stop(0)
        self.workers.clear()

    @property
    def _log(self) -> Path:
        return self.folder / "faults.log"

    def _laid(self, fault: Fault | None) -> dict[str, str]:
        laid = {"FAULT_SESSION": str(self.session), "FAULT_OFF": self.off, "PYTHONPATH": str(_ROOT)}
        if fault is not None:
            laid |= {
                "FAULT_POINT": fault.point,
                "FAULT_NTH": str(fault.nth),
                "FAULT_SIGNAL": str(int(fault.signal)),
            }
            laid["FAULT_LOG"] = str(self._log)
        return laid


@contextmanager
def cluster(settings: Settings, folder: Path, off: str = "") -> Iterator[Cluster]:
    """A pipeline on services that run; its workers end with it."""
    create(settings)
    running = Cluster(settings, folder, off)
    try:
        yield running
    finally:
        running.end()


def until(seen: Callable[[], bool], what: str, within: float = 60.0) -> None:
    limit = time.monotonic() + within
    while not seen():
        assert time.monotonic() < limit, f"not within {within:.0f} s: {what}"
        time.sleep(0.05)
