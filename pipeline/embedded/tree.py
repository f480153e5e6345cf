"""The process tree of `throughline up`: services, then preparation, then workers; and back in reverse.

What always holds: no worker is started before the services answer; Ctrl-C and SIGTERM let workers commit what
they have under way before a service ends; nothing that was started outlives this process, however it ends.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final, NamedTuple, Protocol, Self

from pipeline.embedded.errors import EmbeddedError
from pipeline.embedded.process import Child
from pipeline.embedded.supervision import GiveUp, Policy, Supervision

_TICK_SECONDS: Final = 0.1
_PROBE_SECONDS: Final = 5.0
_ASK_SECONDS: Final = 0.5
_SILENCE_SECONDS: Final = 30.0
EXIT_ABANDONED: Final = 4


class Member(Protocol):
    """A service in the tree; pipeline.embedded.service.Service is one."""

    @property
    def name(self) -> str: ...
    @property
    def exit_code(self) -> int | None: ...
    def launch(self) -> None: ...
    def await_ready(self) -> None: ...
    def stop(self) -> None: ...
    def is_ready(self) -> bool: ...
    def last_words(self) -> str: ...


class Worker(NamedTuple):
    """A worker process to be run: its name, its command, what is added to its environment, and how to ask it whether
    it is ready, which must answer soon.
    """

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = {}
    is_ready: Callable[[], bool] | None = None


class TreeError(EmbeddedError):
    """A part of the tree has ended for good."""

    exit_code = 1


@dataclass
class _Place:
    """A worker's place in the tree; `child` is None while it waits to be started again."""

    worker: Worker
    supervision: Supervision
    child: Child | None = None
    start_at: float = 0.0
    ask_at: float | None = None
    """When to ask whether it is ready; None if it has said so, or can't."""


@dataclass
class _Probe:
    """When a service was last asked, and when it last answered."""

    asked: float
    answered: float


class Tree:
    """Starts, watches and ends it all. `prepare` makes topics and tables once the services answer.

    `logs`: the folder for the workers' output, a file each. `drain_seconds`: how long workers may take to end
    when asked. `tell`: gets a line for the user at each step. As a context manager it starts, then stops.
    """

    def __init__(
        self,
        services: Sequence[Member],
        prepare: Callable[[], None],
        workers: Sequence[Worker],
        *,
        logs: Path,
        drain_seconds: float,
        tell: Callable[[str], None],
        policy: Policy | None = None,
    ) -> None:
        self._services = services
        self._prepare = prepare
        self._places = [_Place(worker, Supervision(policy or Policy())) for worker in workers]
        self._logs = logs
        self._drain_seconds = drain_seconds
        self._tell = tell
        self._probes: dict[str, _Probe] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def run(self) -> int:
        """Starts, watches until SIGINT or SIGTERM, and drains. Returns 0, or 4 if a worker had to be killed.

        A second signal kills the workers that still drain. Raises EmbeddedError if a part can't be started or
        has ended for good; by then everything else was ended, in order.
        """
        with _Signals() as signals:
            with signals.interrupting():
                self.start()
            try:
                while not signals.wait(_TICK_SECONDS):
                    self.check()
            finally:
                drained = self.stop(hurry=signals.came_again)
        return 0 if drained else EXIT_ABANDONED

    def start(self) -> None:
        """Returns when every worker runs. What was started is ended again if something can't be."""
        try:
            self._start_services()
            self._prepare()
            for place in self._places:
                self._start_worker(place, time.monotonic())
        except BaseException:
            self.stop()
            raise

    def _start_services(self) -> None:
        for service in self._services:
            self._tell(f"starting {service.name}")
            service.launch()
        for service in self._services:
            service.await_ready()
            self._probes[service.name] = _Probe(time.monotonic(), time.monotonic())

    def _start_worker(self, place: _Place, now: float) -> None:
        worker = place.worker
        self._tell(f"starting {worker.name}")
        place.child = Child(worker.name, worker.command, self._logs / f"{worker.name}.log", worker.env)
        place.supervision.started(now)
        place.ask_at = now + _ASK_SECONDS if worker.is_ready else None

    def check(self) -> None:
        """One look at every part: restarts workers that may be. Raises TreeError if a part ended for good."""
        now = time.monotonic()
        for service in self._services:
            self._check_service(service, now)
        for place in self._places:
            if place.child:
                self._check_worker(place, place.child, now)
            elif now >= place.start_at:
                self._start_worker(place, now)

    def _check_service(self, service: Member, now: float) -> None:
        if (code := service.exit_code) is not None:
            raise TreeError(f"{service.name} has ended with exit code {code}; {service.last_words()}")
        probe = self._probes[service.name]
        if now - probe.asked < _PROBE_SECONDS:
            return
        probe.asked = now
        if service.is_ready():
            probe.answered = now
        elif now - probe.answered > _SILENCE_SECONDS:
            silence = f"{service.name} has not answered for {now - probe.answered:.0f} s"
            raise TreeError(f"{silence}; {service.last_words()}")

    def _check_worker(self, place: _Place, child: Child, now: float) -> None:
        if (code := child.exit_code) is None:
            self._ask_worker(place, now)
            return
        child.stop(0)
        decision = place.supervision.ended(code, now)
        ended = f"{child.name} has ended with exit code {code}"
        if isinstance(decision, GiveUp):
            raise TreeError(f"{ended} and is not started again ({decision.reason}); {child.last_words()}")
        place.child, place.start_at = None, decision.at
        self._tell(f"{ended}; starting it again in {decision.at - now:.1f} s; {child.last_words()}")

    def _ask_worker(self, place: _Place, now: float) -> None:
        """Tells once of each start that the worker has become ready."""
        is_ready = place.worker.is_ready
        if is_ready is None or place.ask_at is None or now < place.ask_at:
            return
        place.ask_at = now + _ASK_SECONDS
        if is_ready():
            place.ask_at = None
            self._tell(f"{place.worker.name} is ready")

    def stop(self, hurry: Callable[[], bool] = lambda: False) -> bool:
        """Workers first, then the services, the last started first. Did every worker end by itself?"""
        drained = self._drain([place.child for place in self._places if place.child], hurry)
        for service in reversed(self._services):
            self._tell(f"stopping {service.name}")
            service.stop()
        return drained

    def _drain(self, children: Sequence[Child], hurry: Callable[[], bool]) -> bool:
        if children:
            self._tell("draining 1 worker" if len(children) == 1 else f"draining {len(children)} workers")
        for child in children:
            child.ask_to_end()
        limit = time.monotonic() + self._drain_seconds
        while any(child.alive() for child in children) and time.monotonic() < limit and not hurry():
            time.sleep(0.02)
        killed = [child.name for child in children if child.alive()]
        for child in children:
            child.stop(0)
        for place in self._places:
            place.child = None
        if killed:
            self._tell(f"killed {', '.join(killed)}: what was not committed is read again at the next start")
        return not killed


class _Signals:
    """SIGINT and SIGTERM, noted instead of obeyed; the handlers from before come back at the end."""

    def __init__(self) -> None:
        self._count = 0
        self._interrupting = False
        self._came = threading.Event()

    def __enter__(self) -> Self:
        self._before = {
            number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self._count += 1
        self._came.set()
        if self._interrupting:
            raise KeyboardInterrupt

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """Within, a signal raises KeyboardInterrupt."""
        self._interrupting = True
        try:
            yield
        finally:
            self._interrupting = False

    def wait(self, seconds: float) -> bool:
        """Has one come?"""
        return self._came.wait(seconds)

    def came_again(self) -> bool:
        return self._count > 1
