"""The order of starting and ending, with services that are pretended and workers that are small real processes."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.embedded.supervision import Policy
from pipeline.embedded.tree import Tree, TreeError, Worker

FAST = Policy(first_wait=0.01, longest_wait=0.02, ends_in_a_row=3)
GOOD = "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(0)); print('ready', flush=True); time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
)


class Pretended:
    """A service that notes what is done to it."""

    def __init__(self, name: str, events: list[str]) -> None:
        self.name = name
        self.events = events
        self.exit_code: int | None = None

    def launch(self) -> None:
        self.events.append(f"launch {self.name}")

    def await_ready(self) -> None:
        self.events.append(f"ready {self.name}")

    def stop(self) -> None:
        self.events.append(f"stop {self.name}")

    def is_ready(self) -> bool:
        return True

    def last_words(self) -> str:
        return f"{self.name} was unwell"


class Stage:
    """A tree of two pretended services, and what happened to it."""

    def __init__(self, folder: Path, *workers: Worker, prepare: Callable[[], None] | None = None) -> None:
        self.events: list[str] = []
        self.told: list[str] = []
        self.folder = folder
        self.services = [Pretended("Kafka", self.events), Pretended("ClickHouse", self.events)]
        prepare = prepare or (lambda: self.events.append("prepare"))
        self.tree = Tree(
            self.services, prepare, workers, logs=folder, drain_seconds=5, tell=self.tell, policy=FAST
        )

    def tell(self, line: str) -> None:
        self.told.append(line)
        if line.startswith(("starting worker", "draining")):
            self.events.append(line)

    def await_line(self, name: str, line: str) -> None:
        limit = time.monotonic() + 20
        while line not in (self.folder / f"{name}.log").read_text():
            assert time.monotonic() < limit
            time.sleep(0.01)


def python(name: str, code: str, **env: str) -> Worker:
    return Worker(name, [sys.executable, "-c", code], env)


UP = ["launch Kafka", "launch ClickHouse", "ready Kafka", "ready ClickHouse", "prepare"]
DOWN = ["stop ClickHouse", "stop Kafka"]


def test_services_then_preparation_then_workers_and_back_in_reverse(tmp_path: Path) -> None:
    stage = Stage(tmp_path, python("worker-0", GOOD), python("worker-1", GOOD))
    with stage.tree:
        for name in ("worker-0", "worker-1"):
            stage.await_line(name, "ready")
        stage.tree.check()
    assert stage.events == [*UP, "starting worker-0", "starting worker-1", "draining 2 workers", *DOWN]


def test_a_worker_gets_its_environment_and_its_own_log(tmp_path: Path) -> None:
    stage = Stage(tmp_path, python("worker-0", "import os; print(os.environ['WHO'])", WHO="me"))
    with stage.tree:
        stage.await_line("worker-0", "me")


def test_without_services_only_the_workers_are_started(tmp_path: Path) -> None:
    events: list[str] = []
    tree = Tree([], lambda: events.append("prepare"), [], logs=tmp_path, drain_seconds=1, tell=events.append)
    with tree:
        tree.check()
    assert events == ["prepare"]


def until_it_raises(stage: Stage) -> str:
    limit = time.monotonic() + 30
    while time.monotonic() < limit:
        try:
            stage.tree.check()
        except TreeError as ended:
            return f"{ended} [{ended.exit_code}]"
        time.sleep(0.01)
    pytest.fail("the tree was to end")


def test_a_worker_that_fails_is_started_again_until_it_failed_too_often(tmp_path: Path) -> None:
    stage = Stage(tmp_path, python("worker-0", "import sys; print('oh dear'); sys.exit(1)"))
    with stage.tree:
        message = until_it_raises(stage)
    assert (
        "worker-0 has ended with exit code 1 and is not started again (it ended 3 times in a row)" in message
    )
    assert message.endswith("oh dear [1]")
    assert stage.events.count("starting worker-0") == 3
    assert stage.events[-2:] == DOWN


def test_a_worker_that_was_killed_is_started_again(tmp_path: Path) -> None:
    once = str(tmp_path / "once")
    code = f"import os\nif not os.path.exists({once!r}):\n open({once!r}, 'w').close(); os.kill(os.getpid(), 9)\n{GOOD}"
    stage = Stage(tmp_path, python("worker-0", code))
    with stage.tree:
        limit = time.monotonic() + 20
        while "ready" not in (tmp_path / "worker-0.log").read_text():
            assert time.monotonic() < limit
            stage.tree.check()
            time.sleep(0.01)
    assert any("worker-0 has ended with exit code 137; starting it again in" in line for line in stage.told)


def test_a_worker_that_is_stopped_for_good_ends_the_tree_with_its_words(tmp_path: Path) -> None:
    stage = Stage(tmp_path, python("worker-0", "import sys; print('topic x is missing'); sys.exit(3)"))
    with stage.tree:
        message = until_it_raises(stage)
    assert "exit code 3 and is not started again (starting it again would give the same)" in message
    assert "topic x is missing" in message


def test_that_a_worker_is_ready_is_told_once_for_each_start(tmp_path: Path) -> None:
    answers = iter([False, True])
    asked: list[bool] = []

    def is_ready() -> bool:
        asked.append(next(answers, True))
        return asked[-1]

    stage = Stage(tmp_path, python("worker-0", GOOD)._replace(is_ready=is_ready))
    with stage.tree:
        limit = time.monotonic() + 20
        while "worker-0 is ready" not in stage.told:
            assert time.monotonic() < limit
            stage.tree.check()
            time.sleep(0.01)
        for _ in range(100):
            stage.tree.check()
            time.sleep(0.01)
    assert asked == [False, True]
    assert stage.told.count("worker-0 is ready") == 1


def test_a_service_that_ends_takes_the_tree_with_it(tmp_path: Path) -> None:
    stage = Stage(tmp_path, python("worker-0", GOOD))
    with stage.tree:
        stage.services[0].exit_code = 134
        with pytest.raises(TreeError, match="Kafka has ended with exit code 134; Kafka was unwell"):
            stage.tree.check()
    assert stage.events[-3:] == ["draining 1 worker", *DOWN]


def test_what_was_started_is_ended_if_preparation_fails(tmp_path: Path) -> None:
    def fail() -> None:
        raise TreeError("no topics")

    stage = Stage(tmp_path, python("worker-0", GOOD), prepare=fail)
    with pytest.raises(TreeError, match="no topics"):
        stage.tree.start()
    assert stage.events == [*UP[:-1], *DOWN]


def run_and_send(stage: Stage, *signals: tuple[str, signal.Signals]) -> int:
    """Runs the tree; sends each signal once its line was told."""

    def send() -> None:
        for line, number in signals:
            while not any(told.startswith(line) for told in stage.told):
                time.sleep(0.01)
            stage.await_line("worker-0", "ready")
            os.kill(os.getpid(), number)

    # a signal that comes when the tree has given its handlers back would end the tests
    before = [
        (number, signal.signal(number, lambda *_: None)) for number in {number for _, number in signals}
    ]
    sender = threading.Thread(target=send)
    sender.start()
    code = stage.tree.run()
    sender.join()
    for number, handler in before:
        signal.signal(number, handler)
    return code


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_drains_the_workers_and_then_ends_the_services(
    tmp_path: Path, number: signal.Signals
) -> None:
    before = signal.getsignal(number)
    stage = Stage(tmp_path, python("worker-0", GOOD))
    assert run_and_send(stage, ("starting worker-0", number)) == 0
    assert stage.events == [*UP, "starting worker-0", "draining 1 worker", *DOWN]
    assert signal.getsignal(number) is before


def test_a_second_signal_kills_a_worker_that_does_not_end(tmp_path: Path) -> None:
    stage = Stage(tmp_path, python("worker-0", STUBBORN))
    assert run_and_send(stage, ("starting worker-0", signal.SIGINT), ("draining", signal.SIGINT)) == 4
    assert stage.told[-3].startswith("killed worker-0: what was not committed is read again")
    assert stage.events[-2:] == DOWN
