"""Slow units, slow sinks and heavy partitions, in real workers: nobody leaves the group for them, nobody starves."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest
from engine_place import Place, assert_counted_once, numbered, until

pytestmark = [
    pytest.mark.services,
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("ignore:read_text is deprecated:DeprecationWarning"),  # inside kafka-python
]
POLL = 2.0
"""A worker that asks for nothing for so long leaves the group."""


@pytest.fixture
def wide(kafka: str, tmp_path: Path) -> Iterator[Place]:
    """A place with four partitions."""
    place = Place(kafka, tmp_path, partitions=4)
    try:
        yield place
    finally:
        place.end()


def test_a_unit_that_is_slower_than_the_poll_interval_does_not_cost_the_membership(place: Place) -> None:
    worker = place.worker(poll_interval=POLL, batch_records=10)
    slow = [(b"a", b"slow:%d" % (3 * POLL)), *[(b"a", b"%d" % number) for number in range(100)]]
    place.send(slow, partition=0)
    worker.await_log("slow")
    assert_counted_once(place.read(len(slow)), slow)
    assert len(worker.told("rebalance")) == 1


@pytest.mark.faults
def test_a_target_that_is_away_for_longer_than_the_poll_interval_does_not_cost_the_membership(
    place: Place,
) -> None:
    """All partitions rest meanwhile: what is gathered is bounded."""
    worker = place.worker(
        "sinking_worker.py", poll_interval=POLL, batch_records=10, sink_records=20, sink_back_off=0.2
    )
    away = place.folder / "worker-0" / "away"
    until(away.parent.exists)
    away.touch()
    sent = numbered(2_000)
    place.send(sent)
    until(lambda: worker.log.count("could not write") > 5 * POLL * 3)
    away.unlink()
    until(lambda: sum(place.group_offsets().values()) == len(sent), 60, lambda: f"{place.group_offsets()}")
    written = (away.parent / "written").read_bytes().splitlines()
    assert sorted(written) == sorted(b"%s %s" % entry for entry in sent)
    assert len(worker.told("rebalance")) == 1


@pytest.mark.faults
def test_a_rebalance_that_outlasts_the_poll_interval_costs_nobody_the_membership(place: Place) -> None:
    """Its first worker is asked to let go of a batch under way, and is waited for."""
    first = place.worker(poll_interval=POLL)
    slow = [(b"a", b"slow:%d" % (4 * POLL))]
    place.send(slow, partition=0)
    first.await_log("slow")
    second = place.worker(poll_interval=POLL)
    until(lambda: bool(second.told("opened")))
    sent = slow + numbered(1_000)
    place.send(sent[1:])
    assert_counted_once(place.read(len(sent)), sent)
    assert len(first.told("rebalance")) == 2
    assert len(second.told("rebalance")) == 1


def test_a_partition_with_many_waiting_records_does_not_starve_the_others(wide: Place) -> None:
    heavy, light = 100_000, 200
    wide.send(((b"heavy", b"%d" % number) for number in range(heavy)), partition=0)
    for partition in (1, 2, 3):
        wide.send(((b"light", b"%d" % number) for number in range(light)), partition=partition)
    worker = wide.worker()
    wide.read(heavy + 3 * light, seconds=90)
    commits = worker.told("commit")
    done = max(index for index, (partition, *_) in enumerate(commits) if partition != 0)
    share = sum(partition == 0 for partition, *_ in commits[:done]) / (heavy / 500)
    # without turns they wait for all of it; opening them takes a while where others are at work too
    assert share < 0.5, f"the light partitions waited for {share:.0%} of the heavy one"


def test_commits_of_several_partitions_are_in_flight_at_the_same_time(wide: Place) -> None:
    wide.send(numbered(40_000))
    worker = wide.worker()
    wide.read(40_000)
    commits = worker.told("commit")
    overlapping = [
        (one, other)
        for (one, began, ended), (other, later, _) in combinations(commits, 2)
        if one != other and began <= later < ended
    ]
    assert overlapping


def test_units_are_parked_over_a_rebalance_and_only_what_moves_is_opened_anew(wide: Place) -> None:
    sent = numbered(4_000)
    first = wide.worker()
    wide.send(sent[:2_000])
    wide.read(2_000)
    assert sorted(first.told("opened")) == [[0], [1], [2], [3]]
    second = wide.worker()
    until(lambda: len({partition for (partition,) in second.told("opened")}) == 2)
    wide.send(sent[2_000:])
    assert_counted_once(wide.read(4_000), sent)
    assert len(first.told("rebalance")) == 2
    assert sorted(first.told("opened")) == [[0], [1], [2], [3]], "a unit that stayed was opened anew"
