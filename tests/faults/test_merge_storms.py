"""Scenario 13: thousands of links within a minute, when all of their touchpoints are there already."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from base import counted, read
from cluster import Cluster, NewSettings, cluster, until
from linked_workload import LINKED_MAP, assert_persons_of_the_links
from storm_workload import LARGE, SMALL, Sizes, Storm, storm
from test_disorder import doubled, in_order_of_arrival
from workload import Workload, send

from pipeline.core.instants import MINUTE
from pipeline.engine.errors import EXIT_DRAINED
from pipeline.settings import Settings

pytestmark = [pytest.mark.services, pytest.mark.timeout(900)]

SIZES = [
    pytest.param(SMALL, 1, marks=pytest.mark.faults, id="small"),
    pytest.param(LARGE, 6, marks=pytest.mark.faults, id="large"),
]
CROSSINGS = Sizes(stars=0, arms=0, chains=0, length=0, crossings=60)
SEEDS = range(12)


@pytest.fixture
def storm_settings(new_settings: NewSettings) -> Settings:
    return new_settings(journey_map=LINKED_MAP, partitions=6, batch_records=50)


@pytest.mark.faults
def test_a_storm_of_merges_through_two_workers_ends_equal(
    storm_settings: Settings, tmp_path: Path, assert_base: Callable[..., None]
) -> None:
    workload = storm(LARGE)
    with cluster(storm_settings, tmp_path) as running:
        running.start()
        running.start()
        before = calm(running, workload)
        send(running.settings, workload.records[workload.calm :])
        running.settle()
        assert_base(running, workload, f"{said(workload)}; {moved(running) - before:,} touchpoints moved")
    assert_persons_of_the_links(workload, storm_settings)


@pytest.mark.parametrize(("size", "rounds"), SIZES)
def test_a_storm_of_merges_while_workers_join_and_leave_with_every_record_twice_ends_equal(
    storm_settings: Settings, tmp_path: Path, assert_base: Callable[..., None], size: Sizes, rounds: int
) -> None:
    once = storm(size)
    workload = twice(once)
    with cluster(storm_settings, tmp_path) as running:
        running.start()
        running.start()
        before = calm(running, workload)
        parts = Storm(workload.records[workload.calm :], 0, 0).parts(2 * rounds)
        for _ in range(rounds):
            send(running.settings, next(parts))
            running.start()
            time.sleep(1)
            leaving = running.workers.pop(0)
            send(running.settings, next(parts))
            until(lambda: bool(leaving.log()), "the worker that is to leave has begun")  # noqa: B023 - within its round
            leaving.child.ask_to_end()
            assert leaving.await_end() == EXIT_DRAINED, leaving.child.last_words(30)
        running.settle()
        injected = (
            f"{said(once)}, every record twice, shuffled by 2 min; {rounds} workers joined and {rounds} left meanwhile; "
            f"{moved(running) - before:,} touchpoints moved"
        )
        assert_base(running, workload, injected, came_to=doubled(once, storm_settings))
    assert_persons_of_the_links(once, storm_settings)


def calm(running: Cluster, workload: Storm) -> int:
    """All touchpoints from before the storm are worked off; returns how many have moved."""
    send(running.settings, workload.records[: workload.calm])
    running.settle()
    return moved(running)


def moved(running: Cluster) -> int:
    counts = counted(read(running.settings), running.settings)
    return counts["received"]


def said(workload: Storm) -> str:
    return f"{workload.links:,} links within a minute"


def twice(once: Storm) -> Storm:
    """Every record twice, each of the two later by up to two minutes."""
    dice = random.Random(9)
    records = [
        record
        if record.tick is not None
        else record._replace(arrival=record.arrival + dice.randrange(2 * MINUTE))
        for record in once.records
        for _ in range(1 + (record.tick is None))
    ]
    found: Workload = in_order_of_arrival(once, records)
    return Storm(found.records, found.customers, found.end, once.told)
