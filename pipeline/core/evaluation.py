"""Evaluation: a person that a batch has touched, or whose deadline has passed, in; everything new about it
out.

Stale journeys are refolded first, all of them, because a finding may have moved from one to another. Then
each touched or due journey is evaluated, and findings, journeys and the person are published as far as they
differ.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.core import enrich
from pipeline.core.budget import Budget
from pipeline.core.cutting import shorten
from pipeline.core.findings import Findings
from pipeline.core.frames import FrameWriter
from pipeline.core.instants import NEVER
from pipeline.core.journey import EntryKey, Passage
from pipeline.core.journey_memory import JourneyMemory
from pipeline.core.learning import period_of
from pipeline.core.messages import Origin
from pipeline.core.outputs import JourneyContext
from pipeline.core.person import Arrival, Person
from pipeline.core.plan import Plan
from pipeline.ports import Outbox


@dataclass(frozen=True)
class JourneyConfig:
    """Topics, and the bounds of what a person keeps (see `pipeline.settings`).

    Persons that were used lately are kept unpacked within `cache`, which all partitions of a worker share. The states of
    at most `owed_persons` are put off: their ids are in memory.
    """

    identity_topic: str
    stays_topic: str
    enriched_topic: str
    findings_topic: str
    state_topic: str
    partitions: int
    trail_entries: int = 4096
    duplicate_ids: int = 4096
    cache: Budget = field(default_factory=Budget)
    owed_persons: int = 40_000


class Evaluation:
    """One batch's. What it concludes, it concludes as of the watermark at which it was made."""

    def __init__(
        self,
        outbox: Outbox,
        *,
        partition: int,
        config: JourneyConfig,
        plan: Plan,
        enricher: enrich.Enricher,
        memory: JourneyMemory,
        stays: FrameWriter,
    ) -> None:
        self._send = outbox.send
        self._partition = partition
        self._enricher = enricher
        self._config = config
        self._enriched_topic = config.enriched_topic
        self._plan = plan
        self._memory = memory
        self._counts = memory.counts
        self._time = memory.time
        self._findings = Findings(outbox, config.findings_topic, self._time, memory.limits, stays)

    def conclude(self, person: Person) -> None:
        """Publish what is new about a person, or owe it, and save the person."""
        self.refold(person)
        self._evaluate(person)
        if person.touched or person.vanished or person.is_changed:
            self._owe_states(person)
        self._save(person)

    def judge_again(self, person: Person, period: int) -> None:
        """Judge anew what began in a period whose limits are others now. No state says anything of limits."""
        if person.touched or person.vanished or person.suspects:
            # it was unpacked under a changed map, by which all of it is judged anew
            self.conclude(person)
            return
        affected = [
            journey
            for journey in person.journeys.values()
            if journey.rules.learned and any(period_of(entry.time) == period for entry in journey.openings())
        ]
        for journey in affected:
            person.refold(journey, ())
            self._findings.evaluate(person, journey)
        if affected:
            self._findings.withdraw_suspects(person)
            self._save(person)

    def refold(self, person: Person) -> None:
        """Refold what is stale and publish the touchpoints that have waited for it."""
        asked = {(arrival.entry.source, arrival.entry.id) for arrival in person.waiting}
        passages = {}
        for journey in person.touched.values():
            if journey.is_stale:
                passages[journey.id] = person.refold(journey, asked)
        for waiting in person.waiting:
            self.enriched(person, waiting, _contexts(waiting, passages))
        person.waiting.clear()

    def enriched(self, person: Person, arrival: Arrival, contexts: list[JourneyContext]) -> None:
        """Publish a touchpoint of a person."""
        value = self._enricher.enrich(arrival, person.id, contexts)
        self._send(self._enriched_topic, value, person.name, self._partition)

    def override(self, origin: Origin, person: Person) -> None:
        """Publish that the touchpoints of an origin are this person's now."""
        name = f"override:{origin.born}:{origin.steps[0][0]}"
        self._state(name, enrich.override(origin, person.id))

    def _evaluate(self, person: Person) -> None:
        evaluate, touched = self._findings.evaluate, person.touched
        for journey in touched.values():
            evaluate(person, journey)
        if person.next_deadline <= self._time:
            for journey in person.journeys.values():
                if journey.next_deadline <= self._time and journey.id not in touched:
                    evaluate(person, journey)
        if person.suspects:
            self._findings.withdraw_suspects(person)

    def _save(self, person: Person) -> None:
        """Keep the person, with a trail within its bound, and say when time will change something."""
        if len(person.trail) > self._config.trail_entries:
            self.state(person)
            self._counts.update(
                shorten(person, self._plan, self._config.trail_entries, self._config.duplicate_ids)
            )
        soonest = NEVER
        for journey in person.journeys.values():
            soonest = min(soonest, journey.next_deadline)
        person.next_deadline = soonest
        self._memory.schedule(person.id, soonest)
        self._memory.persons.save(person)

    def state(self, person: Person) -> None:
        """Publish the states that are owed of a person."""
        memory = self._memory
        memory.unstated.pop(person.id, None)
        journeys = (
            {journey.id: journey for journey in person.journeys.values()}
            if person.unstated is None
            else person.unstated
        )
        for name, journey in journeys.items():
            self._state(f"journey:{name}", enrich.journey_state(journey, person.id, memory.tick()))
        person.unstated = {}
        self._state(f"person:{person.id}", enrich.person_state(person, memory.tick()))

    def _owe_states(self, person: Person) -> None:
        """Owe the states of what was touched; say at once what is no more."""
        person.is_changed = False
        for journey in [journey for journey in person.touched.values() if journey.is_empty()]:
            person.forget(journey)
            person.vanished.append(journey)
        for journey in person.vanished:
            value = enrich.vanished_state(journey, person, self._memory.tick())
            self._state(f"journey:{journey.id}", value)
        if person.unstated is not None:
            person.unstated.update(person.touched)
        person.vanished.clear()
        person.touched.clear()
        if not person.is_empty():
            self._memory.owe(person.id)
        elif person.generation is not None:
            self.state(person)

    def stage_counts(self) -> None:
        """Publish what this partition has counted."""
        value = enrich.stage_counts(self._partition, self._counts, self._memory.tick())
        self._state(f"counts:journey/{self._partition}", value)

    def _state(self, key: str, value: bytes) -> None:
        self._send(self._config.state_topic, value, key=key.encode())


def _contexts(arrival: Arrival, passages: dict[str, dict[EntryKey, Passage]]) -> list[JourneyContext]:
    """What the refolded journeys say of a touchpoint; none of those that it was taken out of since."""
    key = (arrival.entry.source, arrival.entry.id)
    return [
        enrich.context(journey, *passages[journey.id][key])
        for journey in arrival.journeys
        if key in passages.get(journey.id, {})
    ]
