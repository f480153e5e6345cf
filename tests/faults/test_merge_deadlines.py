"""Scenario 14: the deadline of a person passes in the middle of a merge, while what would settle it is on its way."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from base import read
from cluster import HOLD, Cluster, Fault, NewSettings, cluster, until
from linked_persons import Told
from linked_workload import (
    DELIVERED,
    LINKED_MAP,
    PLACED,
    VIEWED,
    LinkedWorkload,
    assert_persons_of_the_links,
    sayer,
    workload,
)
from workload import send

from pipeline.core.instants import micros
from pipeline.simulate.simulation import DEFAULT_START

pytestmark = [pytest.mark.services, pytest.mark.faults, pytest.mark.timeout(180)]

CUSTOMERS = 240
_START = micros(DEFAULT_START)
_decode = msgspec.json.Decoder().decode


@lru_cache(maxsize=1)
def divided() -> LinkedWorkload:
    """A promise made to one identifier and kept by another, in time; who they are is said before it is due.

    Half of the customers have ordered by what the merge makes the loser, half by the winner.
    """
    told: list[Told] = []
    for number in range(CUSTOMERS):
        say = sayer(f"{number}", _START, told)
        known = [{"email": f"{number}@example.com"}, {"cookie": f"{number}"}]
        one, other = known if number % 2 else reversed(known)
        say(0.0, PLACED, one, f"{number}")
        say(1.5, DELIVERED, other, f"{number}")
        say(2.5, VIEWED, {**one, **other})
    return workload(told, CUSTOMERS, Random(4))


@pytest.mark.parametrize(
    ("held", "between"),
    [
        pytest.param("linker.given@Heard", "link and assignment", id="assignment"),
        pytest.param("journey.given@Release", "release and arrival", id="release"),
    ],
)
def test_a_deadline_that_passes_in_the_middle_of_a_merge_ends_equal(
    new_settings: NewSettings, tmp_path: Path, assert_base: Callable[..., None], held: str, between: str
) -> None:
    """Whoever has the links, or a partition of losers, is held. Time goes on for all others, so that in the logs of the
    winners it stands before what arrives, and in the losers' behind what they give up.
    """
    whole = divided()
    with cluster(new_settings(journey_map=LINKED_MAP, batch_records=50), tmp_path) as running:
        running.session = 30.0  # a rebalance would wait for the partition that is held
        running.start(Fault(held, signal=HOLD))
        send(running.settings, whole.records[:-1])
        until(lambda: running.faults() == [held], f"a worker is held at {held}")
        assert not broken(running), "the deadline has passed too early"
        send(running.settings, whole.records[-1:])
        until(lambda: bool(broken(running)), "the deadline passes meanwhile")
        running.let_go()
        running.settle()
        revised = broken(running)
        injected = (
            f"the deadlines of {CUSTOMERS} customers passed between {between}; {len(revised)} findings that said broken "
            "were revised"
        )
        assert_base(running, whole, injected)
        kept = {name: finding["status"] for name, finding in last(running).items() if name in revised}
        assert set(kept.values()) == {"kept"}, "not everything was settled in time after all"
    assert_persons_of_the_links(whole, running.settings)


def broken(running: Cluster) -> set[str]:
    """The promises that were ever published as broken."""
    return {each["finding_id"] for each in _findings(running) if each["status"] == "broken"}


def last(running: Cluster) -> dict[str, dict[str, Any]]:
    """The last revision of each finding."""
    return {
        each["finding_id"]: each for each in sorted(_findings(running), key=lambda each: each["revision"])
    }


def _findings(running: Cluster) -> list[dict[str, Any]]:
    topics = read(running.settings)
    return [_decode(record.value()) for record in topics.of(running.settings.topology.findings)]
