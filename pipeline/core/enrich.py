"""Enrichment: a touchpoint and the journeys it belongs to in, its public form with that context out."""

from __future__ import annotations

from collections import Counter

from pipeline.core.journey import Journey, Names
from pipeline.core.messages import Origin
from pipeline.core.outputs import (
    Attribution,
    JourneyContext,
    JourneyState,
    PersonOverride,
    PersonState,
    StageCounts,
    StageVisit,
    encode,
    moment,
)
from pipeline.core.person import Arrival, Person
from pipeline.core.plan import Plan


class Enricher:
    """Knows of each touchpoint type its domain and its owner."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._types: dict[str, tuple[str, str | None]] = {}

    def enrich(self, arrival: Arrival, person: str, contexts: list[JourneyContext]) -> bytes:
        """The enriched touchpoint as JSON; the event's own part goes in as ingest wrote it."""
        touchpoint_type = arrival.entry.type
        domain, owner = self._types.get(touchpoint_type) or self._look_up(touchpoint_type)
        attribution = Attribution(
            person, arrival.identifier, domain, owner, owner is not None, arrival.is_late, contexts
        )
        # two objects become one where the first ends and the second begins
        return b"".join((arrival.event[:-1], b",", encode(attribution)[1:]))

    def _look_up(self, touchpoint_type: str) -> tuple[str, str | None]:
        known = (touchpoint_type.partition(".")[0], self._plan.owner(touchpoint_type))
        # an endless variety of types must not become an endless table
        if len(self._types) < 10_000:
            self._types[touchpoint_type] = known
        return known


def context(journey: Journey, entered: Names, left: Names, stages: Names) -> JourneyContext:
    """A journey as a touchpoint left it."""
    return JourneyContext(journey.id, journey.rules.name, journey.key, stages, entered, left)


def journey_state(journey: Journey, person: str, version: int) -> bytes:
    """A journey with touchpoints as it stands, as JSON."""
    ended_at = journey.ended_at
    return encode(
        JourneyState(
            journey.id,
            journey.rules.name,
            journey.key,
            person,
            version,
            "open" if ended_at is None else "completed",
            moment(journey.opened_at),
            None if ended_at is None else moment(ended_at),
            moment(journey.last_at),
            journey.touchpoints,
            [StageVisit(stage, moment(at)) for stage, at in journey.visits()] if journey.where else [],
        )
    )


def vanished_state(journey: Journey, person: Person, version: int) -> bytes:
    """A journey to which nothing belongs any more, as JSON."""
    is_empty = journey.is_empty()
    opened_at, last_at = (
        (person.last_at, person.last_at) if is_empty else (journey.opened_at, journey.last_at)
    )
    return encode(
        JourneyState(
            journey.id,
            journey.rules.name,
            journey.key,
            person.id,
            version,
            "withdrawn",
            moment(opened_at or 0),
            None,
            moment(last_at or 0),
            0,
            [],
        )
    )


def person_state(person: Person, version: int) -> bytes:
    """A person as it stands, as JSON."""
    first_at, last_at = person.first_at, person.last_at
    return encode(
        PersonState(
            person.id,
            version,
            person.touchpoints,
            None if first_at is None else moment(first_at),
            None if last_at is None else moment(last_at),
            person.known_by(),
        )
    )


def stage_counts(partition: int, counts: Counter[str], version: int) -> bytes:
    """What a partition of the journey stage has counted, as JSON."""
    return encode(StageCounts("journey", partition, version, {name: n for name, n in counts.items() if n}))


def override(origin: Origin, person: str) -> bytes:
    """Where the touchpoints of an origin belong now, as JSON."""
    return encode(PersonOverride(origin.born, origin.steps[0][0], person, origin.moves))
