"""The journey stage: one partition of `journeys.touchpoints` in; enriched touchpoints, findings and state
out.

A batch is applied first. Then each person that it touched, and each whose deadline the watermark has
passed, is evaluated once and what has changed is published, so that a promise made and kept within one
batch is published once.

What always holds:
- A touchpoint with a known (source, id) changes nothing, unless its content has the smaller digest.
- What is published last of a finding depends on the set of touchpoints and the watermark, not on their
  order.
- The version of a state is a Lamport clock of the partition that travels with parcels: it grows along every
  journey and every person, wherever they are.
"""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.core import moves
from pipeline.core.cutting import digest_of, remember, remember_twin
from pipeline.core.enrich import Enricher, context
from pipeline.core.evaluation import Evaluation, JourneyConfig
from pipeline.core.fields import key_text
from pipeline.core.frames import JOURNEY_FRAMES, FrameWriter
from pipeline.core.journey import journey_id, keys_of, order
from pipeline.core.journey_memory import STATE_LAG, JourneyMemory
from pipeline.core.messages import (
    Arrive,
    Carry,
    Entry,
    JourneyMark,
    JourneyMessage,
    Limits,
    Micros,
    Origin,
    Parcel,
    Receive,
    Release,
    Token,
)
from pipeline.core.outputs import JourneyContext
from pipeline.core.person import Arrival, Person
from pipeline.core.plan import Plan
from pipeline.core.tokens import partition_of_token, person_of
from pipeline.core.trail import OriginKey
from pipeline.ports import Outbox, Record, Store

CHUNK = 2000
"""Persons folded anew in one batch, under a changed map or by limits that were learned since."""
DUE = 4000
"""Persons whose deadlines have passed that one batch evaluates; the next ones go on."""


class JourneyStage:
    """The logic of one partition of `journeys.touchpoints`.

    `counts` counts, since the pipeline began (they are kept with the state): `touchpoints`, `unmapped`,
    `late`, `duplicates`, `reunited` (two copies of one touchpoint that met by a move), `clashes` (of two
    contents under one id), `replaced_unmapped` (given up for another content or copy, and counted as unmapped before),
    `beyond_trail` (older than the cut), `cut_touchpoints`, `evicted_ids`,
    `forgotten_journeys`, `evicted_journeys`, `lost_promises`, `released`, `received`, `bounced` (reached a
    person that had given them up), `evicted_marks`.
    """

    _evaluation: Evaluation
    _identity: FrameWriter

    def __init__(self, partition: int, store: Store, config: JourneyConfig, plan: Plan) -> None:
        self._partition = partition
        self._config = config
        self._plan = plan
        self._enricher = Enricher(plan)
        self._memory = JourneyMemory(store, plan, config.partitions, config.cache, config.owed_persons)
        self.counts = self._memory.counts
        self._changed: dict[str, Person] = {}
        self._time: Micros = 0

    @property
    def watermark(self) -> Micros | None:
        """Deadlines before it have fired, or are owed; None until every identity partition has spoken."""
        return self._memory.watermark.time

    def process(self, records: Iterable[Record], outbox: Outbox) -> None:
        self._begin(outbox)
        decode, arrive = JOURNEY_FRAMES.decode, self._arrive
        for record in records:
            for message in decode(record):
                if type(message) is Arrive:
                    arrive(message)
                else:
                    self._other(message)
                    self._time = self._memory.time
        self._conclude(outbox, STATE_LAG)

    def quiet(self, now: int, outbox: Outbox) -> bool:  # noqa: ARG002 - the protocol's signature
        """Silence says nothing here, time comes in marks; but it leaves time for what was put off."""
        if not self.owes:
            self._memory.persons.trim()  # others may need the memory
            return False
        self._begin(outbox)
        self._conclude(outbox, 0)
        return True

    @property
    def owes(self) -> bool:
        """Whether something was put off until `quiet`: states, counts, deadlines that have passed, or the
        folding of persons under a changed map or by other limits.
        """
        memory = self._memory
        return memory.owes or memory.has_outdated or memory.has_due or memory.limits.has_affected

    def _begin(self, outbox: Outbox) -> None:
        self._changed = {}
        self._time = self._memory.time
        self._identity = FrameWriter(outbox, self._config.identity_topic, self._config.partitions)
        self._stays = FrameWriter(outbox, self._config.stays_topic, 1)
        self._evaluation = self._evaluate(outbox)

    def _evaluate(self, outbox: Outbox) -> Evaluation:
        return Evaluation(
            outbox,
            partition=self._partition,
            config=self._config,
            plan=self._plan,
            enricher=self._enricher,
            memory=self._memory,
            stays=self._stays,
        )

    def _conclude(self, outbox: Outbox, state_lag: int) -> None:
        memory = self._memory
        evaluation = self._evaluate(outbox)
        conclude = evaluation.conclude
        for person in self._changed.values():
            conclude(person)
        for person_id in memory.take_due(DUE):
            conclude(memory.persons.get(person_id))
        memory.persons.trim()
        for person_id in memory.take_outdated(CHUNK):
            conclude(memory.persons.get(person_id))
        memory.persons.trim()
        for person_id, period in memory.limits.take_affected(CHUNK):
            evaluation.judge_again(memory.persons.get(person_id), period)
        memory.persons.trim()
        if self._plan.learned and memory.watermark.time is not None:
            # all stays before it have been told, however many conclusions were put off
            mark = memory.limits.mark(self._partition, memory.watermark.time)
            if mark is not None:
                self._stays.add(0, mark)
        for person_id in memory.take_owed(state_lag):
            evaluation.state(memory.persons.get(person_id))
        if memory.take_counts(state_lag):
            evaluation.stage_counts()
        self._identity.flush()
        self._stays.flush()
        memory.save()

    def _person(self, person_id: str) -> Person:
        """The person, which the batch is about to change."""
        person = self._changed.get(person_id)
        if person is None:
            person = self._changed[person_id] = self._memory.persons.get(person_id)
            if person.touched or person.vanished or person.suspects:
                # what a changed map means for it is settled before anything else happens to it
                self._evaluation.conclude(person)
        return person

    def _other(self, message: JourneyMessage) -> None:
        if isinstance(message, JourneyMark):
            self._memory.watermark.advance(message.channel, message.time)
        elif isinstance(message, Release):
            self._release(message)
        elif isinstance(message, Receive):
            self._receive(message)
        elif isinstance(message, Limits):
            self._memory.limits.hear(message)

    def _arrive(self, message: Arrive) -> None:
        touchpoint, steps = message.touchpoint, message.path
        person = self._changed.get(message.person) or self._person(message.person)
        entry = touchpoint.entry
        arrival = Arrival(touchpoint, steps[0][0], entry.time < self._time)
        origin = (steps, person.id, 0)
        known = person.trail.index.get((entry.source, entry.id))
        if known is not None:
            self._arrive_again(person, known, entry, origin, arrival)
        elif not (person.is_limited and self._pass_by(person, entry, origin, arrival)):
            self._count(arrival)
            self._memory.persons.sharing([entry])
            person.insert(entry, origin)
            self._join(person, entry, arrival)

    def _join(self, person: Person, entry: Entry, arrival: Arrival) -> None:
        """Add an entry of the trail to its journeys, and publish it unless they have to be refolded first."""
        contexts = []
        is_waiting = False
        fields, journeys = entry.fields, arrival.journeys
        for rules in self._plan.journeys:
            value = fields.get(rules.key)
            key = None if value is None else key_text(value)
            if key is None:
                continue
            journey = person.journey(rules, key)
            journeys.append(journey)
            passage = journey.add(entry)
            if passage is None:
                is_waiting = True
            else:
                contexts.append(context(journey, *passage))
        if is_waiting:
            for journey in journeys:
                journey.is_stale = True
            person.waiting.append(arrival)
        else:
            self._evaluation.enriched(person, arrival, contexts)

    def _arrive_again(
        self, person: Person, known: Entry, entry: Entry, origin: OriginKey, arrival: Arrival
    ) -> None:
        self.counts["duplicates"] += 1
        self.counts["clashes"] += entry.digest != known.digest
        if entry.digest < known.digest:
            self._count_replaced(known, entry)
            entry.findings = known.findings
            before = person.trail.origin_of(known)
            evicted = remember_twin(person, known, before, origin, self._config.duplicate_ids)
            self.counts["evicted_ids"] += evicted
            arrival.journeys.extend(person.replace(known, entry, origin, self._plan))
            person.waiting.append(arrival)

    def _count_replaced(self, known: Entry, entry: Entry) -> None:
        """What it counted as may have been told by another partition, which no count goes back in."""
        owners = self._plan.owners
        if (known.type in owners) != (entry.type in owners):
            self.counts["unmapped" if known.type in owners else "replaced_unmapped"] += 1

    def _pass_by(self, person: Person, entry: Entry, origin: OriginKey, arrival: Arrival) -> bool:
        """Whether a touchpoint is not for the trail: cut already, older than the cut, or given up to
        another.
        """
        if person.forgotten and digest_of(entry.source, entry.id) in person.forgotten:
            self.counts["duplicates"] += 1
            return True
        identifier = person.released(origin[0])
        is_beyond = person.cut is not None and order(entry) <= person.cut
        if identifier is None and not is_beyond:
            return False
        self._count(arrival)
        self._evaluation.enriched(person, arrival, [] if identifier is None else self._elsewhere(entry))
        if identifier is None:
            self.counts["beyond_trail"] += 1
            remember(person, [(entry, origin)], self._config.duplicate_ids)
            return True
        self.counts["bounced"] += 1
        sent_on = moves.redirect(Origin(origin[0], origin[1], origin[2]), identifier)
        self._carry(identifier, Parcel([sent_on], [entry], self._memory.clock, []))
        return True

    def _elsewhere(self, entry: Entry) -> list[JourneyContext]:
        """The journeys of a touchpoint that goes on to another person: they have their names, and stages that nobody here
        knows.
        """
        return [
            JourneyContext(journey_id(rules.name, key), rules.name, key, (), (), ())
            for rules, key in keys_of(entry.fields, self._plan.journeys)
        ]

    def _count(self, arrival: Arrival) -> None:
        counts = self.counts
        counts["touchpoints"] += 1
        if arrival.is_late:
            counts["late"] += 1
        if arrival.entry.type not in self._plan.owners:
            counts["unmapped"] += 1

    def _release(self, message: Release) -> None:
        person = self._person(message.person)
        self._evaluation.refold(person)
        if person.holds_withdrawals():
            self._evaluation.conclude(person)
        identifier, version, via = message.identifier, message.version, message.via
        for parcel in moves.release(person, self._plan, identifier, version, self._memory.clock):
            self.counts["released"] += len(parcel.entries)
            self._carry(identifier, parcel)
        # an identifier that names the person speaks to it from one partition only, so nothing follows its
        # release
        if person_of(identifier) != person.id:
            self.counts["evicted_marks"] += person.remember_release(identifier, version, via)

    def _receive(self, message: Receive) -> None:
        person, parcel = self._person(message.person), message.parcel
        self._memory.hear(parcel.clock)
        if person.marks:
            parcel, diverted = moves.divert(person, parcel)
            for identifier, part in diverted:
                self.counts["bounced"] += len(part.entries)
                self._carry(identifier, part)
        self.counts["received"] += len(parcel.entries)
        self._memory.persons.sharing(parcel.entries)
        self.counts.update(moves.receive(person, self._plan, parcel, self._config.duplicate_ids))
        if self._plan.learned:
            for entry in parcel.entries:
                self._memory.limits.remember_told(person.id, entry.findings)
        for origin in parcel.origins:
            self._evaluation.override(origin, person)

    def _carry(self, identifier: Token, parcel: Parcel) -> None:
        """Back by the identifier that was given up: its partition knows whose it is, and what has departed by way of it
        meanwhile. Whoever it belongs to now does not know that.
        """
        self._identity.add(partition_of_token(identifier, self._config.partitions), Carry(identifier, parcel))
