"""A worker that was frozen past its session and revived: fenced, and never a member of its group again."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import psutil
import pytest
from engine_place import HERE, Place, assert_counted_once, numbered, until

from pipeline.embedded.supervision import Policy
from pipeline.embedded.tree import Tree
from pipeline.embedded.tree import Worker as TreeWorker
from pipeline.engine.errors import EXIT_FENCED

pytestmark = [
    pytest.mark.services,
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("ignore:read_text is deprecated:DeprecationWarning"),  # inside kafka-python
]


def test_a_revived_worker_is_fenced_says_so_and_nothing_of_it_is_seen(place: Place) -> None:
    """It is frozen within a batch, and has more to say when it comes back than its next owner has said."""
    first = place.worker()
    place.send([(b"a", b"slow:3"), *numbered(400)], partition=0)
    first.await_log("slow")
    first.signal(signal.SIGSTOP)
    second = place.worker()
    sent = [(b"a", b"slow:3"), *numbered(400)]
    found = place.read(len(sent))  # the other one has taken everything over
    first.signal(signal.SIGCONT)
    assert first.wait() == EXIT_FENCED
    assert_counted_once(found, sent)
    assert sorted(place.read(len(sent))) == sorted(found), "something of the frozen worker is seen"
    assert "this worker was frozen for" in first.log
    assert "it can be started again" in first.log
    assert second.running


def test_a_revived_worker_never_joins_its_group_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG", "INFO")
    first = place.worker()
    place.send(numbered(100))
    place.read(100)
    first.signal(signal.SIGSTOP)
    place.worker()
    place.send(numbered(100))
    place.read(200)
    first.signal(signal.SIGCONT)
    assert first.wait() == EXIT_FENCED
    assert first.log.count("Joined group") == 1


def test_a_worker_that_was_frozen_for_less_than_its_session_goes_on(place: Place) -> None:
    worker = place.worker(session_timeout=30.0)
    sent = numbered(200)
    place.send(sent[:100])
    place.read(100)
    worker.signal(signal.SIGSTOP)
    place.send(sent[100:])
    assert len(place.read(200, seconds=4)) == 100
    worker.signal(signal.SIGCONT)
    assert_counted_once(place.read(200), sent)
    assert worker.running


def test_a_revived_worker_is_started_again_by_its_supervisor(place: Place) -> None:
    told: list[str] = []
    tree = Tree(
        [],
        lambda: None,
        [_counting(place, "worker-0"), _counting(place, "worker-1")],
        logs=place.folder,
        drain_seconds=20,
        tell=told.append,
        policy=Policy(first_wait=0.1),
    )
    sent = numbered(3_000)
    with tree:
        place.send(sent[:1_000])
        place.read(1_000)
        frozen = _process(place, "worker-0")
        frozen.suspend()
        place.send(sent[1_000:2_000])
        assert len(place.read(2_000)) == 2_000
        frozen.resume()

        def is_started_again() -> bool:
            tree.check()
            return told.count("starting worker-0") == 2

        until(is_started_again)
        place.send(sent[2_000:])
        assert_counted_once(place.read(3_000), sent)
    assert any(f"worker-0 has ended with exit code {EXIT_FENCED}; starting it again" in line for line in told)


def _counting(place: Place, name: str) -> TreeWorker:
    environment = {
        "APP": place.app,
        "BROKER": place.bootstrap,
        "DATA": str(place.folder / name),
        "MORE": '{"session_timeout": 6.0, "heartbeat": 0.5, "back_off": 0.1}',
    }
    return TreeWorker(name, [sys.executable, str(HERE / "counting_worker.py")], environment)


def _process(place: Place, name: str) -> psutil.Process:
    """The worker itself, not the leash that holds it."""
    data = str(Path(place.folder / name))
    for process in psutil.Process(os.getpid()).children(recursive=True):
        is_worker = process.cmdline()[1:] == [str(HERE / "counting_worker.py")]
        if is_worker and process.environ().get("DATA") == data:
            return process
    raise AssertionError(f"{name} does not run")
