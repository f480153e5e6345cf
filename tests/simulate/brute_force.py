"""The rules of the semantics once more, written to be read and not to be fast: over all touchpoints at once.

In: the records of a simulation and its journey map. Out: what has to be found, as `compare.Found`.
It shares no line with the simulator's bookkeeping, nor with Throughline's core.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hours_by_the_book import hours_of
from learned_by_the_book import Stayed
from persons_by_the_book import Persons, ranked
from promises_by_the_book import found_promises, found_stalls, stays_in, stays_until_met
from values_by_the_book import found_values

from pipeline.simulate.faults import SimulatedRecord
from pipeline.simulate.found import (
    Found,
    FoundDeadLetter,
    FoundPromise,
    FoundStall,
    FoundTouchpoint,
    FoundValue,
)
from pipeline.simulate.truth import DeadLetterTruth, fingerprint
from schemas.journey_map import JourneyMap
from schemas.triggers import Trigger


@dataclass(frozen=True)
class Touch:
    """A decoded touchpoint; `attributes` are those of the CloudEvent."""

    time: datetime
    source: str
    id: str
    type: str
    attributes: dict[str, Any]

    def value(self, path: str) -> Any:
        here: Any = self.attributes
        for name in path.split("."):
            here = here.get(name) if isinstance(here, dict) else None
        return here

    def pulls(self, triggers: list[Trigger]) -> bool:
        return any(
            trigger.type == self.type
            and all(
                self.value(path) in (wanted if isinstance(wanted, list) else [wanted])
                for path, wanted in trigger.where.items()
            )
            for trigger in triggers
        )


def decode(record: SimulatedRecord) -> Touch:
    """A good record, structured or binary."""
    headers = dict(record.headers)
    if "ce_id" in headers:
        attributes = {name[3:]: value.decode() for name, value in headers.items() if name.startswith("ce_")}
        attributes["identities"] = json.loads(attributes["identities"])
        attributes["data"] = json.loads(record.value)
    else:
        attributes = json.loads(record.value)
    return Touch(
        datetime.fromisoformat(attributes["time"]),
        attributes["source"],
        attributes["id"],
        attributes["type"],
        attributes,
    )


def evaluate(
    records: Iterable[SimulatedRecord],
    refused: Iterable[DeadLetterTruth],
    journey_map: JourneyMap,
    end: datetime,
) -> Found:
    """What has to be found of `records` as of `end`; which of them are bad is taken from `refused`."""
    codes = {letter.fingerprint: str(letter.code) for letter in refused}
    letters: list[FoundDeadLetter] = []
    touches: dict[tuple[str, str], Touch] = {}
    good = 0
    for record in records:
        if record.tick is not None:
            continue
        if (mark := fingerprint(record.value)) in codes:
            letters.append(FoundDeadLetter(codes[mark], mark))
            continue
        good += 1
        touch = decode(record)
        touches[touch.source, touch.id] = touch
    ordered = sorted(touches.values(), key=lambda touch: (touch.time, touch.source, touch.id))
    kinds = journey_map.identifiers
    stitched = Persons(ordered, kinds)
    persons = {
        (touch.source, touch.id): ":".join(stitched.person_of(ranked(touch, kinds)[0])) for touch in ordered
    }
    calendars = {name: hours_of(calendar) for name, calendar in journey_map.calendars.items()}
    promises: list[FoundPromise] = []
    values: list[FoundValue] = []
    stalls: list[FoundStall] = []
    journeys = _journeys(ordered, persons, journey_map)
    stays = _stays(journeys, journey_map)
    for (person, type_, key), journey in journeys.items():
        rules = journey_map.journeys[type_]
        for name, promise in rules.deadlines.items():
            promises += found_promises(name, promise, key, journey, end, person, calendars, stays[name])
        for name, figure in rules.values.items():
            values += found_values(name, figure, rules.end, key, journey, end, person)
        for name, stage in rules.stages.items():
            stalls += found_stalls(name, stage, key, journey, end, person, calendars, stays[name])
    found = [
        FoundTouchpoint(
            touch.source, touch.id, persons[touch.source, touch.id], touch.type in journey_map.touchpoints
        )
        for touch in ordered
    ]
    return Found(found, promises, values, stalls, letters, good - len(touches), stitched.refused)


def _stays(
    journeys: dict[tuple[str, str, str], list[Touch]], journey_map: JourneyMap
) -> dict[str, list[Stayed]]:
    """By stage or promise, all stays from which something is learned."""
    stays: dict[str, list[Stayed]] = defaultdict(list)
    for (_, type_, _), journey in journeys.items():
        for name, stage in journey_map.journeys[type_].stages.items():
            if stage.learned is not None:
                stays[name] += stays_in(stage, stage.learned, journey)
        for name, promise in journey_map.journeys[type_].deadlines.items():
            if promise.forecast is not None:
                stays[name] += stays_until_met(promise, promise.forecast, journey)
    return stays


def _journeys(
    ordered: list[Touch], persons: dict[tuple[str, str], str], journey_map: JourneyMap
) -> dict[tuple[str, str, str], list[Touch]]:
    journeys: dict[tuple[str, str, str], list[Touch]] = defaultdict(list)
    for touch in ordered:
        for type_, rules in journey_map.journeys.items():
            key = touch.value(rules.key)
            if key is not None:
                journeys[persons[touch.source, touch.id], type_, key].append(touch)
    return journeys
