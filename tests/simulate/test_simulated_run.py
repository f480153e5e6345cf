"""The simulation through the real stages, in memory: what was injected is found, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
import pytest

from pipeline.core.dead_letters import decode_headers
from pipeline.core.instants import DAY, micros
from pipeline.core.plan import compile_plan
from pipeline.core.run import JOURNEYS, MemoryPipeline, Published, RunConfig
from pipeline.simulate.compare import (
    CATEGORIES,
    Found,
    FoundDeadLetter,
    FoundPromise,
    FoundStall,
    FoundTouchpoint,
    compare,
)
from pipeline.simulate.episode import Outcomes
from pipeline.simulate.faults import Faults, SimulatedRecord
from pipeline.simulate.simulation import Simulation
from pipeline.simulate.truth import fingerprint
from schemas.journey_map import JourneyMap

BATCH = 2000


def instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def found_in(published: Published, duplicates: int) -> Found:
    findings = [msgspec.json.decode(value) for value in published.findings.values()]
    live = [finding for finding in findings if finding["status"] != "withdrawn"]
    moved = {
        (state["born_person_id"], state["identifier"]): state["person_id"]
        for state in map(msgspec.json.decode, published.states.values())
        if state["kind"] == "override"
    }
    # copies that met only when a person moved were both published; here as in the warehouse their key is one
    touchpoints = [found_touchpoint(msgspec.json.decode(value), moved) for value in published.enriched]
    return Found(
        {(touchpoint.source, touchpoint.id): touchpoint for touchpoint in touchpoints}.values(),
        [found_promise(finding) for finding in live if finding["type"] == "promise"],
        [found_stall(finding) for finding in live if finding["type"] == "stall"],
        [
            FoundDeadLetter(decode_headers(letter.headers).code, fingerprint(letter.value))
            for letter in published.dead_letters
        ],
        duplicates,
    )


def found_touchpoint(touchpoint: dict[str, Any], moved: dict[tuple[str, str], str]) -> FoundTouchpoint:
    born = touchpoint["person_id"]
    person = moved.get((born, touchpoint["identifier"]), born)
    return FoundTouchpoint(touchpoint["source"], touchpoint["id"], person, touchpoint["mapped"])


def found_promise(finding: dict[str, Any]) -> FoundPromise:
    made, due, met = (instant(finding["detail"].get(name)) for name in ("made_at", "due_at", "met_at"))
    assert made is not None
    assert due is not None
    return FoundPromise(finding["rule"], finding["journey_key"], finding["status"], made, due, met)


def found_stall(finding: dict[str, Any]) -> FoundStall:
    entered, since, left = (
        instant(finding["detail"].get(name)) for name in ("entered_at", "since", "left_at")
    )
    assert entered is not None
    assert since is not None
    return FoundStall(finding["rule"], finding["journey_key"], finding["status"], entered, since, left)


def play(records: Iterable[SimulatedRecord], pipeline: MemoryPipeline) -> None:
    for number, record in enumerate(records):
        if record.tick is None:
            pipeline.feed(record.domain, record.value, record.key, record.headers)
        else:
            pipeline.tick(record.tick)
        if number % BATCH == BATCH - 1:
            pipeline.drain()
    pipeline.drain()


SIMULATIONS = [
    Simulation(seed=7, customers=200),
    Simulation(
        seed=11,
        customers=100,
        faults=Faults(duplicates=0.2, disordered=0.3, late=0.2, ahead=0.05, bad=0.05),
        outcomes=Outcomes(late=0.2, never=0.1, stuck=0.2, dropped=0.2),
    ),
]


@pytest.mark.parametrize("partitions", [1, 4])
@pytest.mark.parametrize("simulation", SIMULATIONS, ids=["default", "troubled"])
def test_the_pipeline_finds_all_that_was_injected_and_nothing_else(
    company_map: JourneyMap, simulation: Simulation, partitions: int
) -> None:
    config = RunConfig(identity_key="a key", now=micros(simulation.end) + DAY, partitions=partitions)
    pipeline = MemoryPipeline(compile_plan(company_map), config, keeps_enriched=True)
    play(simulation.records(), pipeline)
    counts = pipeline.counts(JOURNEYS)
    found = found_in(pipeline.published, counts["duplicates"] + counts["reunited"])
    rows = compare(simulation.truth(), found)
    assert [row for row in rows if row.missed or row.extra] == []
    assert {row.category for row in rows if row.found} == set(CATEGORIES)
