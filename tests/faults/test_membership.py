"""Scenario 2: workers that join and leave, and workers that are frozen past their session and come back as zombies."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from base import aborted_records
from cluster import SESSION_SECONDS, Cluster, Fault, NewSettings, WorkerProcess, cluster, until
from workload import large, send, small

from pipeline.engine.errors import EXIT_DRAINED, EXIT_FENCED

pytestmark = [pytest.mark.services]

JOINS_AND_LEAVES = 10
_SLICES = 40
FROZEN_POINTS = ("journey.position", "identity.position", "ingest.position")


@pytest.mark.faults
@pytest.mark.timeout(180)
def test_a_zombie_with_an_open_transaction_is_fenced_and_nothing_of_it_is_seen(
    new_settings: NewSettings, tmp_path: Path, assert_base: Callable[..., None]
) -> None:
    with cluster(new_settings(), tmp_path) as running:
        workload = small()
        parts = workload.parts(2)
        zombie = freeze(running, "journey.position", next(parts))
        send(running.settings, next(parts))
        running.start()
        time.sleep(SESSION_SECONDS + 2)
        running.settle()
        revive(running, zombie)
        thrown_away = aborted_records(running.settings)
        assert thrown_away, "the frozen worker had written nothing"
        assert_base(running, workload, f"1 worker frozen past its session; {thrown_away} records aborted")


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_workers_that_join_leave_and_freeze_leave_everything_equal(
    new_settings: NewSettings, tmp_path: Path, assert_base: Callable[..., None]
) -> None:
    workload = large()
    parts = workload.parts(JOINS_AND_LEAVES + len(FROZEN_POINTS) + 2)
    # so many partitions that each of four workers has one of every stage
    with cluster(new_settings(partitions=8), tmp_path) as running:
        for _ in range(3):
            running.start()
        send(running.settings, next(parts))
        running.settle()
        for _ in range(JOINS_AND_LEAVES):
            send(running.settings, next(parts))
            running.start()
            leaving = running.workers.pop(0)
            time.sleep(2)
            leaving.child.ask_to_end()
            assert leaving.await_end() == EXIT_DRAINED, leaving.child.last_words(30)
        for number, point in enumerate(FROZEN_POINTS):
            zombie = freeze(running, point, next(parts))
            time.sleep(SESSION_SECONDS + (90 if number == 0 else 5))
            revive(running, zombie)
        send(running.settings, next(parts))
        thrown_away = aborted_records(running.settings)
        assert thrown_away, "the frozen workers had written nothing"
        injected = (
            f"{JOINS_AND_LEAVES} workers joined and {JOINS_AND_LEAVES} left, {len(FROZEN_POINTS)} frozen "
            f"(one for {90 + SESSION_SECONDS:.0f} s); {thrown_away} records aborted"
        )
        assert_base(running, workload, injected)


def freeze(running: Cluster, point: str, part: tuple[object, ...]) -> WorkerProcess:
    """A worker that stops in its open transaction, all of which the broker has but its end."""
    zombie = running.start(Fault(point, 1, signal.SIGSTOP))
    frozen = len(running.faults())
    # little by little: the others must not have done it all before it has its partitions
    size = len(part) // _SLICES + 1
    for begin in range(0, len(part), size):
        send(running.settings, part[begin : begin + size])  # type: ignore[arg-type]
        if len(running.faults()) == frozen:
            time.sleep(0.5)
    until(lambda: len(running.faults()) > frozen, f"a worker freezes at {point}", 30)
    until(zombie.is_stopped, "it is frozen")
    return zombie


def revive(running: Cluster, zombie: WorkerProcess) -> None:
    """It goes on where it was: with committing a transaction that is not its any more."""
    zombie.signal(signal.SIGCONT)
    until(lambda: zombie.exit_code is not None, "it ends by itself", 30)
    running.workers.remove(zombie)
    assert zombie.await_end() == EXIT_FENCED, zombie.child.last_words(30)
    assert "frozen" in zombie.child.last_words(30)
    running.start()
