"""A simulation through the real stages, in memory, and what a reader of the public topics then holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from pipeline.core.dead_letters import decode_headers
from pipeline.core.instants import DAY, micros
from pipeline.core.plan import compile_plan
from pipeline.core.run import JOURNEYS, MemoryPipeline, RunConfig
from pipeline.simulate.compare import Row, compare
from pipeline.simulate.faults import SimulatedRecord
from pipeline.simulate.found import (
    Found,
    FoundDeadLetter,
    FoundPromise,
    FoundStall,
    FoundTouchpoint,
    FoundValue,
)
from pipeline.simulate.ledger import Alarms, ClockRun, DatesTold, Forecast, LimitLearned, PartsBrought
from pipeline.simulate.simulation import Simulation
from pipeline.simulate.truth import fingerprint
from schemas.journey_map import JourneyMap

BATCH = 2000


def rows_of(
    simulation: Simulation,
    journey_map: JourneyMap,
    records: Iterable[SimulatedRecord] | None = None,
    partitions: int = 1,
) -> list[Row]:
    """What is found of the simulation's records, or of others in their place, against its truth."""
    config = RunConfig(identity_key="a key", now=micros(simulation.end) + DAY, partitions=partitions)
    pipeline = MemoryPipeline(compile_plan(journey_map), config, keeps_enriched=True)
    play(simulation.records() if records is None else records, pipeline)
    return compare(simulation.truth(), found_in(pipeline))


def inexact(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if not row.is_exact]


def instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def found_in(pipeline: MemoryPipeline) -> Found:
    published, counts = pipeline.published, pipeline.counts(JOURNEYS)
    findings = [msgspec.json.decode(value) for value in published.findings.values()]
    live = [finding for finding in findings if finding["status"] != "withdrawn"]
    states = [msgspec.json.decode(value) for value in published.states.values()]
    moved = {
        (state["born_person_id"], state["identifier"]): state["person_id"]
        for state in states
        if state["kind"] == "override"
    }
    # copies that met only when a person moved were both published; here as in the warehouse their key is one
    touchpoints = [found_touchpoint(msgspec.json.decode(value), moved) for value in published.enriched]
    return Found(
        {(touchpoint.source, touchpoint.id): touchpoint for touchpoint in touchpoints}.values(),
        [found_promise(finding) for finding in live if finding["type"] == "promise"],
        [found_value(finding) for finding in live if finding["type"] == "value_promise"],
        [found_stall(finding) for finding in live if finding["type"] == "stall"],
        [
            FoundDeadLetter(decode_headers(letter.headers).code, fingerprint(letter.value))
            for letter in published.dead_letters
        ],
        counts["duplicates"] + counts["reunited"],
        Counter(
            state["rule"] for state in states if state["kind"] == "link" and state["status"] == "refused"
        ),
    )


def found_touchpoint(touchpoint: dict[str, Any], moved: dict[tuple[str, str], str]) -> FoundTouchpoint:
    born = touchpoint["person_id"]
    person = moved.get((born, touchpoint["identifier"]), born)
    return FoundTouchpoint(touchpoint["source"], touchpoint["id"], person, touchpoint["mapped"])


def found_promise(finding: dict[str, Any]) -> FoundPromise:
    detail = finding["detail"]
    made, due, met = (instant(detail.get(name)) for name in ("made_at", "due_at", "met_at"))
    assert made is not None
    assert due is not None
    dates, parts = detail.get("revisions"), detail.get("parts")
    return FoundPromise(
        finding["rule"],
        finding["journey_key"],
        finding["status"],
        made,
        due,
        met,
        finding["person_id"],
        detail.get("gap_hours"),
        detail.get("per"),
        clock_run(detail),
        dates
        and DatesTold(dates["count"], *(datetime.fromisoformat(dates[f"{which}_due_at"]) for which in DUES)),
        alarms(detail),
        parts and PartsBrought(parts["needed"], parts["brought"]),
        forecast_told(detail),
    )


def found_value(finding: dict[str, Any]) -> FoundValue:
    detail = finding["detail"]
    made = instant(detail["made_at"])
    assert made is not None
    return FoundValue(
        finding["rule"],
        finding["journey_key"],
        finding["status"],
        made,
        detail["promised_from"],
        detail["promised_to"],
        detail.get("observed"),
        detail.get("gap"),
        finding["person_id"],
        detail.get("per"),
    )


def forecast_told(detail: dict[str, Any]) -> Forecast | None:
    told, at_risk_at = detail.get("forecast"), instant(detail["at_risk_at"])
    assert at_risk_at is not None
    return told and Forecast(at_risk_at, told["probability"], told["ended"])


DUES = ("first", "latest", "best")


def found_stall(finding: dict[str, Any]) -> FoundStall:
    detail = finding["detail"]
    entered, since, left = (instant(detail.get(name)) for name in ("entered_at", "since", "left_at"))
    assert entered is not None
    assert since is not None
    return FoundStall(
        finding["rule"],
        finding["journey_key"],
        finding["status"],
        entered,
        since,
        left,
        finding["person_id"],
        # of a stall neither the truth nor a table says since when its clock runs
        msgspec.structs.replace(clock_run(detail), started_at=None, spent_seconds=None),
        alarms(detail),
        limit_learned(detail),
    )


def limit_learned(detail: dict[str, Any]) -> LimitLearned | None:
    """The kind that is told decides, so that nobody is taken at his word who says both."""
    if detail["limit_kind"] == "declared":
        return None
    return LimitLearned(detail["learned"]["ended"], detail["learned"].get("segment"))


def clock_run(detail: dict[str, Any]) -> ClockRun:
    clock = detail.get("clock", {})
    return ClockRun(
        instant(clock.get("started_at")),
        instant(clock.get("paused_at")),
        clock.get("paused_seconds", 0.0),
        clock.get("spent_seconds"),
        clock.get("resets", 0),
    )


def alarms(detail: dict[str, Any]) -> Alarms:
    said = [warning["status"] for warning in detail.get("warnings", ())]
    step = detail.get("escalation", {"step": 0, "to": ""})
    return Alarms(said.count("passed"), said.count("skipped"), step["step"], step["to"])


def play(records: Iterable[SimulatedRecord], pipeline: MemoryPipeline) -> None:
    for number, record in enumerate(records):
        if record.tick is None:
            pipeline.feed(record.domain, record.value, record.key, record.headers)
        else:
            pipeline.tick(record.tick)
        if number % BATCH == BATCH - 1:
            pipeline.drain()
    pipeline.drain()
