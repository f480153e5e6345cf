"""Scenario 12: workers killed in the middle of merges and unmerges, at every step of each message that they consist of."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from base import Topics, counted, latest_states, read
from cluster import Cluster, Fault, NewSettings, Tell, cluster, until
from confluent_kafka.admin import AdminClient
from linked_workload import LINKED_MAP, LinkedWorkload, assert_persons_of_the_links, linked, parted
from test_killed import MOMENTS
from test_switched_off import differences
from workload import send

from pipeline.core.frames import IDENTITY_FRAMES, JOURNEY_FRAMES, LINK_FRAMES, Frames
from pipeline.core.tokens import partition_of_person
from pipeline.settings import Settings

pytestmark = [pytest.mark.services]

STEPS = {
    "linker": ("Heard",),
    "identity": ("Heard", "Assign", "Depart", "Carry"),
    "journey": ("Release", "Receive"),
}
"""Every message of a merge, by the stage that handles it."""
POINTS = tuple(
    f"{stage}.{moment}@{message}"
    for stage, messages in STEPS.items()
    for message in messages
    for moment in MOMENTS
)
FEW = ("linker.committed@Heard", "identity.output@Depart", "journey.position@Receive")
SLICES, SLICE_SECONDS = 16, 0.3
"""Of a workload for each fault, and how long apart."""
_FRAMES: dict[str, Frames[Any]] = {
    "linker": LINK_FRAMES,
    "identity": IDENTITY_FRAMES,
    "journey": JOURNEY_FRAMES,
}
_decode = msgspec.json.Decoder().decode
Check = Callable[..., None]


@pytest.fixture
def linked_settings(new_settings: NewSettings) -> Settings:
    """Batches so small that a merge takes many."""
    return new_settings(journey_map=LINKED_MAP, partitions=4, batch_records=50)


@pytest.mark.faults_short
@pytest.mark.timeout(180)
def test_workers_killed_three_times_in_the_middle_of_merges_leave_everything_equal(
    linked_settings: Settings, tmp_path: Path, assert_base: Check
) -> None:
    workload = linked(households=45, days=8)
    with cluster(linked_settings, tmp_path) as running:
        between = kill_while_merging(running, FEW, workload)
        assert_base(running, workload, told(running, FEW, between, "merges"))
        assert_persons_of_the_links(workload, running.settings)


@pytest.mark.faults
@pytest.mark.timeout(2400)
def test_workers_killed_at_every_step_of_a_merge_leave_everything_equal(
    linked_settings: Settings, tmp_path: Path, assert_base: Check
) -> None:
    points = shuffled(POINTS)
    workload = linked(households=1_000, days=len(points))
    with cluster(linked_settings, tmp_path) as running:
        between = kill_while_merging(running, points, workload)
        assert_base(running, workload, told(running, points, between, "merges"))
        assert_persons_of_the_links(workload, running.settings)


@pytest.mark.faults
@pytest.mark.timeout(2400)
def test_workers_killed_at_every_step_of_an_unmerge_leave_everything_equal(
    linked_settings: Settings, tmp_path: Path, assert_base: Check
) -> None:
    """Everything is linked, and at rest, before the first word that parts two identifiers.

    All of it happens within a month: limits of a day that lies further back are not told again.
    """
    points = shuffled(POINTS)
    workload, linked_by = parted(households=1_000, days=8)
    with cluster(linked_settings, tmp_path) as running:
        first = running.start()
        send(running.settings, workload.records[:linked_by])
        running.settle()
        running.kill(first)
        words = replace(workload, records=workload.records[linked_by:])
        between = kill_while_merging(running, points, words)
        assert_base(running, workload, told(running, points, between, "unmerges"))
        assert_persons_of_the_links(workload, running.settings)


def shuffled(points: Sequence[str]) -> list[str]:
    found = list(points)
    random.Random(30).shuffle(found)
    return found


def kill_while_merging(running: Cluster, points: Sequence[str], workload: LinkedWorkload) -> int:
    """Two workers at a time, each with the next fault laid into it, while the workload comes little by little.

    Asserts that each killed worker was at work on such a message. Returns how many overrides lead from a partition of the
    one worker to a partition of the other, as they are shared out at the end; that there are such is asserted.
    """
    coming, waiting = workload.parts(SLICES * len(points)), iter(points)
    for point in islice(waiting, 2):
        running.start(Fault(point))
    while len(running.faults()) < len(points):
        part = next(coming, None)
        assert part is not None, f"never came to some of the points: {running.faults()}"
        send(running.settings, part)
        time.sleep(SLICE_SECONDS)
        # the last ones are left alone, so that everything comes their way
        for point in islice(waiting, len(running.broken())):
            running.start(Fault(point))
    until(lambda: not running.broken() and not running.workers, "the last worker ends")
    assert sorted(running.faults()) == sorted(points)
    for _ in range(2):
        running.start()
    for part in coming:
        send(running.settings, part)
    until(lambda: len(set(owners(running).values())) == 2, "two workers share the partitions", 30)
    owner = owners(running)
    running.settle()
    topics = read(running.settings)
    assert_struck_while_merging(running, topics)
    between = moved_between(topics, running.settings, owner)
    assert between, "nothing has moved from worker to worker"
    return between


def assert_struck_while_merging(running: Cluster, topics: Topics) -> None:
    """The records that each killed worker was at, read from outside, hold a message of the kind that was asked for."""
    for struck in running.struck():
        stage, message = struck.point.partition(".")[0], struck.point.partition("@")[2]
        held = {
            type(each).__name__
            for record in topics.records[struck.topic, struck.partition]
            if struck.start <= record.offset() < struck.end
            for each in _FRAMES[stage].decode(SimpleNamespace(value=record.value()))
        }
        assert message in held, f"{struck} held {held}"


def owners(running: Cluster) -> dict[int, str]:
    """Which member of the group has which partition of persons."""
    settings = running.settings
    admin, group = AdminClient(settings.kafka_client), settings.topology.app
    members = admin.describe_consumer_groups([group])[group].result().members
    return {
        place.partition: member.member_id
        for member in members
        for place in member.assignment.topic_partitions
        if place.topic == settings.topology.journeys
    }


def moved_between(topics: Topics, settings: Settings, owner: Mapping[int, str]) -> int:
    """Overrides from a person of the one worker to a person of the other."""

    def owner_of(person: str) -> str:
        return owner[partition_of_person(person, settings.partitions)]

    states = [_decode(value) for value in latest_states(topics, settings).values()]
    overrides = [state for state in states if state["kind"] == "override"]
    return sum(owner_of(each["born_person_id"]) != owner_of(each["person_id"]) for each in overrides)


def told(running: Cluster, points: Sequence[str], between: int, what: str) -> str:
    counts = counted(read(running.settings), running.settings)
    return (
        f"{len(points)} workers killed in the middle of {what}: {', '.join(points)}; {counts['received']:,} touchpoints "
        f"moved, {counts['bounced']:,} of them on their way, {between:,} groups from worker to worker"
    )


@pytest.mark.faults
@pytest.mark.timeout(300)
@pytest.mark.parametrize("mechanism", ["called back", "departures"])
def test_without_the_mechanism_merges_and_unmerges_are_told(
    linked_settings: Settings, tmp_path: Path, tell: Tell, mechanism: str
) -> None:
    workload = linked(households=70, days=12)
    with cluster(linked_settings, tmp_path, off=mechanism) as running:
        running.start()
        running.start()
        for part in workload.parts(SLICES):
            send(running.settings, part)
            time.sleep(SLICE_SECONDS)
        running.settle()
        said = differences(linked_settings, workload)
        assert said, f"equal although {mechanism} was switched off"
        tell(f"switched off: {mechanism}; BASE said {len(said)} things, first: {said[0][:160]}")
