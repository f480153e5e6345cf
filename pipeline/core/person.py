"""A person in memory: the trail, the journeys folded from it, and what the batch under way has done to them.

What always holds: every journey's entries are those of the trail that have its key, in trail order; a journey
without entries has a base; and whatever differs from the store is marked, so that a save writes only that.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container, Iterable
from typing import NamedTuple

from mypy_extensions import mypyc_attr

from pipeline.core.instants import NEVER
from pipeline.core.journey import (
    EntryKey,
    Journey,
    Passage,
    keys_of,
    open_journey,
    order,
)
from pipeline.core.messages import Entry, Micros, Step, Token, Touchpoint
from pipeline.core.plan import JourneyRules, Plan
from pipeline.core.rules import Rule
from pipeline.core.stored import Order
from pipeline.core.trail import OriginKey, Segment, Trail

IDENTIFIERS = 100
"""Identifiers that a person's state names; someone with thousands of orders is known by the first of them."""
MARKS = 1024
"""Identifiers a person remembers to have given up; they matter only while their last touchpoints are under
way.
"""


@mypyc_attr(acyclic=True)
class Arrival:
    """A touchpoint that has come by `identifier`, and the journeys that it belongs to."""

    __slots__ = ("entry", "event", "identifier", "is_late", "journeys")

    def __init__(self, touchpoint: Touchpoint, identifier: Token, is_late: bool) -> None:
        self.entry = touchpoint.entry
        self.event = touchpoint.event
        self.identifier = identifier
        self.is_late = is_late
        self.journeys: list[Journey] = []


class Suspect(NamedTuple):
    """A finding that was published of an opening, to be withdrawn unless the refolded journey still holds
    it.
    """

    journey: Journey
    rule: Rule
    opening: Entry


@mypyc_attr(acyclic=True)
class Person:
    """One person of this partition; `name` is its id as the key of a record, `key` its id as stored.

    `touched` are journeys whose entries the batch changed, by id; `marks` says of an identifier that was
    given up at which version and to which identifier it went. `cut` is the place up to which the trail was
    cut, `removed` how many entries that took; `forgotten` are digests of the last of these, each with the
    origin that brought it. `next_deadline` is a lower bound of the journeys' deadlines. `generation`
    numbers the plan under which it is stored, None if it is not. `waiting` are touchpoints that came out of
    order, so that their journeys have to be refolded before their context is known. `unstated` are the
    journeys whose state is owed to the readers, None: possibly all. `vanished` are journeys that a changed
    map no longer knows. `weight` is what it counts for in memory, in bytes.
    """

    __slots__ = (
        "cut",
        "cut_first_at",
        "dirty_bases",
        "dropped_bases",
        "forgotten",
        "generation",
        "has_new_digests",
        "id",
        "identifiers",
        "is_changed",
        "journeys",
        "key",
        "marks",
        "name",
        "next_deadline",
        "removed",
        "suspects",
        "touched",
        "trail",
        "unstated",
        "vanished",
        "waiting",
        "weight",
    )

    def __init__(self, person_id: str, trail: Trail) -> None:
        self.id = person_id
        self.name = person_id.encode()
        self.key = bytes.fromhex(person_id.replace("-", ""))
        self.trail = trail
        self.journeys: dict[tuple[int, str], Journey] = {}
        self.marks: dict[Token, tuple[int, Token]] = {}
        self.cut: Order | None = None
        self.removed = 0
        self.cut_first_at: Micros | None = None
        self.forgotten: dict[bytes, OriginKey] = {}
        self.has_new_digests = False
        self.generation: int | None = None
        self.identifiers: list[Token] | None = None
        self.weight = 0
        self.is_changed = False
        self.next_deadline: Micros = NEVER
        self.touched: dict[str, Journey] = {}
        self.waiting: list[Arrival] = []
        self.suspects: dict[str, Suspect] = {}
        self.vanished: list[Journey] = []
        self.unstated: dict[str, Journey] | None = {}
        self.dirty_bases: set[str] = set()
        self.dropped_bases: set[str] = set()

    @property
    def touchpoints(self) -> int:
        return len(self.trail) + self.removed

    @property
    def is_limited(self) -> bool:
        """Whether a touchpoint may arrive that is not for the trail."""
        return bool(self.marks or self.forgotten or self.cut is not None)

    @property
    def first_at(self) -> Micros | None:
        """When its first touchpoint happened; None without any."""
        if self.removed or not self.trail.index:
            return self.cut_first_at
        return self.trail.segments[0].entries[0].time

    @property
    def last_at(self) -> Micros | None:
        """When its last touchpoint happened; None without any."""
        if self.trail.index:
            return self.trail.segments[-1].entries[-1].time
        return self.cut[0] if self.cut else None

    def known_by(self) -> list[Token]:
        """The identifiers that brought what is in the trail, in order, the first `IDENTIFIERS` of them."""
        if self.identifiers is None:
            self.identifiers = sorted(self.trail.tokens())[:IDENTIFIERS]
        return self.identifiers

    def is_empty(self) -> bool:
        """Nothing of the trail is left, not even a cut part."""
        return not self.trail.index and not self.removed

    def journey(self, rules: JourneyRules, key: str) -> Journey:
        """The journey with this key, opened if there is none; the batch has touched it."""
        journey = self.journeys.get((rules.index, key))
        if journey is None:
            journey = self.journeys[rules.index, key] = open_journey(rules, key)
        self.touched[journey.id] = journey
        return journey

    def insert(self, entry: Entry, origin: OriginKey) -> None:
        """Add an entry to the trail alone; `join` adds it to its journeys."""
        if self.trail.add(entry, origin) and self.identifiers is not None:
            self._name_identifiers(self.identifiers, origin)
        self.is_changed = True

    @staticmethod
    def _name_identifiers(named: list[Token], origin: OriginKey) -> None:
        """Add those of an origin; `named` stays the least ones of all, so that a full list may lose its last."""
        for token, _ in origin[0]:
            place = bisect_left(named, token)
            if place == len(named) or named[place] != token:
                named.insert(place, token)
        del named[IDENTIFIERS:]

    def replace(self, known: Entry, entry: Entry, origin: OriginKey, plan: Plan) -> list[Journey]:
        """Put another content in the place of an entry; the journeys that the new content belongs to, to be refolded."""
        for rules, key in keys_of(known.fields, plan.journeys):
            self.suspect(self.journey(rules, key), known)
        self.trail.remove(known)
        self.part(known, plan)
        self.insert(entry, origin)
        journeys = [self.journey(rules, key) for rules, key in keys_of(entry.fields, plan.journeys)]
        for journey in journeys:
            journey.is_stale = True
            journey.add(entry)
        return journeys

    def join(self, entry: Entry, plan: Plan) -> None:
        """Add an entry that was another person's to its journeys; those in which it does something are to be refolded."""
        for rules, key in keys_of(entry.fields, plan.journeys):
            journey = self.journey(rules, key)
            journey.is_stale = journey.is_stale or not journey.is_idle(entry)
            journey.add(entry)

    def part(self, entry: Entry, plan: Plan) -> None:
        """Take an entry, which has left the trail, out of its journeys."""
        for rules, key in keys_of(entry.fields, plan.journeys):
            self.journey(rules, key).remove(entry)
        self.is_changed = True
        self.identifiers = None

    def forget(self, journey: Journey) -> None:
        """Let go of a journey."""
        del self.journeys[journey.rules.index, journey.key]
        self.touched.pop(journey.id, None)
        if self.unstated is not None:
            self.unstated.pop(journey.id, None)

    def mark(self, journey: Journey, entry: Entry) -> None:
        """What was published of this entry's findings has changed."""
        if self.cut is not None and order(entry) <= self.cut:
            self.dirty_bases.add(journey.id)
        else:
            self.trail.segment_of(entry).change(entry)

    def refold(self, journey: Journey, asked: Container[EntryKey]) -> dict[EntryKey, Passage]:
        """Refold a stale journey; what was published of it becomes suspect until it is found again."""
        passages = journey.refold(asked)
        self.suspect_all(journey)
        return passages

    def suspect_all(self, journey: Journey) -> None:
        """Let everything that was published of a journey prove itself again."""
        for entry in journey.openings():
            if entry.findings:
                self.suspect(journey, entry)

    def suspect(self, journey: Journey, entry: Entry) -> None:
        """Let everything that was published of an opening in a journey prove itself again."""
        for known in entry.findings:
            rule = journey.owner_of(known.finding_id, entry)
            if rule is not None:
                # of two contents the first is the one that was published
                self.suspects.setdefault(known.finding_id, Suspect(journey, rule, entry))

    def holds_withdrawals(self) -> bool:
        """Whether something has to be withdrawn that nobody would withdraw if the trail went elsewhere."""
        index = self.trail.index
        return any(journey.is_empty() for journey in self.touched.values()) or any(
            index.get((suspect.opening.source, suspect.opening.id)) is not suspect.opening
            for suspect in self.suspects.values()
        )

    def remember_release(self, identifier: Token, version: int, via: Token) -> bool:
        """Keep a mark for what is still under way; whether an older one had to go."""
        known = self.marks.pop(identifier, (0, ""))
        self.marks[identifier] = max(known, (version, via))
        if len(self.marks) <= MARKS:
            return False
        del self.marks[next(iter(self.marks))]
        return True

    def released(self, steps: Iterable[Step]) -> Token | None:
        """The first identifier on this way that the person has given up since."""
        for token, version in steps:
            mark = self.marks.get(token)
            if mark is not None and version < mark[0]:
                return token
        return None


def new_person(person_id: str) -> Person:
    """A person without touchpoints."""
    return Person(person_id, Trail([Segment([], [])]))
