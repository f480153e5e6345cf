"""Scenario 1: workers killed by SIGKILL, each at an exact place between outputs, changelog, commit and acknowledgement."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from cluster import Cluster, Fault, NewSettings, cluster, until
from workload import Workload, large, send, small

pytestmark = [pytest.mark.services]

MOMENTS = ("output", "changelog", "position", "committing", "committed", "acknowledged")
POINTS = (
    *(f"{stage}.{moment}" for stage in ("ingest", "identity", "journey") for moment in MOMENTS),
    *(f"warehouse.{moment}" for moment in ("gathered", "inserted", "touched", "written")),
    "buckets.recomputed",
)
FEW = (
    "journey.position",
    "identity.committed",
    "warehouse.inserted",
    "journey.committing",
    "ingest.position",
)


@pytest.mark.faults_short
@pytest.mark.timeout(180)
def test_workers_killed_five_times_leave_everything_equal(
    new_settings: NewSettings, tmp_path: Path, assert_base: Callable[..., None]
) -> None:
    with cluster(new_settings(), tmp_path) as running:
        workload = small()
        kill_at(running, FEW, workload, random.Random(1))
        assert_base(running, workload, f"{len(FEW)} workers killed: {', '.join(FEW)}")


@pytest.mark.faults
@pytest.mark.timeout(1200)
def test_workers_killed_at_every_point_of_every_stage_leave_everything_equal(
    new_settings: NewSettings, tmp_path: Path, assert_base: Callable[..., None]
) -> None:
    points, seeded = list(POINTS), random.Random(20)
    seeded.shuffle(points)
    with cluster(new_settings(), tmp_path) as running:
        workload = large()
        kill_at(running, points, workload, seeded)
        assert sorted(running.faults()) == sorted(points)
        assert_base(running, workload, f"{len(points)} workers killed: {', '.join(points)}")


def kill_at(
    running: Cluster, points: list[str] | tuple[str, ...], workload: Workload, seeded: random.Random
) -> None:
    """Two workers at a time, each with the next fault laid into it; a part of the workload for each death."""
    faults = [Fault(point, seeded.randint(1, 3)) for point in points]
    waiting, deaths = iter(faults), 0
    for fault in (next(waiting), next(waiting)):
        running.start(fault)
    parts = workload.parts(len(faults) + 1)
    send(running.settings, next(parts))
    while deaths < len(faults):
        until(lambda: any(worker.exit_code is not None for worker in running.workers), "a worker breaks", 90)
        for dead in running.broken():
            assert dead.fault is not None
            assert dead.fault.signal == signal.SIGKILL
            deaths += 1
            running.start(next(waiting, None))
            send(running.settings, next(parts))
    for part in parts:
        send(running.settings, part)
    assert len(running.faults()) == len(faults), "not every fault took place"
