"""Scenario 9: SIGTERM in the middle of a batch. It is finished or given up within the deadline; the exit code says which."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from cluster import HANG, Fault, NewSettings, cluster, until
from workload import send, small

from pipeline.engine.errors import EXIT_ABANDONED, EXIT_DRAINED

pytestmark = [pytest.mark.services, pytest.mark.timeout(180)]


@pytest.mark.faults
def test_sigterm_with_a_stuck_handler_gives_it_up_and_with_a_busy_one_waits(
    new_settings: NewSettings, tmp_path: Path, assert_base: Callable[..., None]
) -> None:
    workload = small()
    parts = workload.parts(3)
    with cluster(new_settings(drain_seconds=2), tmp_path) as running:
        stuck = running.start(Fault("journey.position", 1, HANG))
        send(running.settings, next(parts))
        until(lambda: bool(running.faults()), "a handler is stuck")
        stuck.signal(signal.SIGTERM)
        assert stuck.await_end(20) == EXIT_ABANDONED, stuck.child.last_words(30)
        running.workers.clear()
        busy = running.start(drain_seconds=30)
        running.send_and_await_work(next(parts))
        busy.signal(signal.SIGTERM)
        assert busy.await_end(40) == EXIT_DRAINED, busy.child.last_words(30)
        running.workers.clear()
        send(running.settings, next(parts))
        running.start()
        assert_base(running, workload, "a stuck worker abandoned (exit code 4), a busy one drained (0)")
