"""The bound of a trail: a person in whose trail has grown too long, the same one with its oldest part cut
off.

The cut is by event time. A journey that is settled and lies wholly in the cut part is forgotten; any other
keeps a base, from which it goes on. What was cut can be revised no more: a touchpoint older than the cut is
counted, and recognised as a duplicate if it is among the last `duplicate_ids` that were cut.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

from pipeline.core.journey import Journey, keys_of, order
from pipeline.core.messages import Entry
from pipeline.core.person import Person
from pipeline.core.plan import Plan
from pipeline.core.trail import OriginKey, origin_key

BASES: Final = 256
"""Journeys that a person keeps although all their touchpoints were cut; the most recent ones."""


def digest_of(source: str, touchpoint_id: str) -> bytes:
    """Eight bytes by which a touchpoint that was cut is known again."""
    return blake2b(f"{len(source)}\0{source}{touchpoint_id}".encode(), digest_size=8).digest()


def shorten(person: Person, plan: Plan, trail_entries: int, duplicate_ids: int) -> Counter[str]:
    """Cut whole segments until the trail has at most `trail_entries`; counts of what that took."""
    counts: Counter[str] = Counter()
    while len(person.trail) > trail_entries and len(person.trail.segments) > 1:
        origins, entries = person.trail.cut()
        person.cut = order(entries[-1])
        person.removed += len(entries)
        person.identifiers = None
        if person.cut_first_at is None or entries[0].time < person.cut_first_at:
            person.cut_first_at = entries[0].time
        counts["cut_touchpoints"] += len(entries)
        keys = [origin_key(origin) for origin in origins]
        cut = [(entry, keys[entry.path]) for entry in entries]
        counts["evicted_ids"] += remember(person, cut, duplicate_ids)
        for journey in _journeys_of(person, plan, entries):
            _shorten_journey(person, journey, counts)
    counts["evicted_journeys"] += _bound_bases(person)
    return counts


def _journeys_of(person: Person, plan: Plan, entries: list[Entry]) -> list[Journey]:
    keys = [(rules.index, key) for entry in entries for rules, key in keys_of(entry.fields, plan.journeys)]
    return [person.journeys[key] for key in dict.fromkeys(keys)]


def _shorten_journey(person: Person, journey: Journey, counts: Counter[str]) -> None:
    assert person.cut is not None
    had_base = journey.base is not None
    counts["lost_promises"] += journey.cut(person.cut)
    if journey.entries or not journey.is_settled():
        person.dirty_bases.add(journey.id)
        return
    person.forget(journey)
    counts["forgotten_journeys"] += 1
    if had_base:
        person.dropped_bases.add(journey.id)


def _bound_bases(person: Person) -> int:
    """Let go of the oldest journeys of which only a base is left."""
    idle = [journey for journey in person.journeys.values() if not journey.entries]
    if len(idle) <= BASES:
        return 0
    idle.sort(key=lambda journey: (journey.last_at, journey.id))
    for journey in idle[:-BASES]:
        person.forget(journey)
        person.dirty_bases.discard(journey.id)
        person.dropped_bases.add(journey.id)
    return len(idle) - BASES


def remember(person: Person, cut: Iterable[tuple[Entry, OriginKey]], limit: int) -> int:
    """Keep the digests of cut entries; how many older ones had to go."""
    for entry, origin in cut:
        person.forgotten[digest_of(entry.source, entry.id)] = origin
    return bound_forgotten(person, limit)


def remember_twin(person: Person, twin: Entry, origin: OriginKey, kept: OriginKey, limit: int) -> int:
    """Keep how one of two copies came, if the overrides of the one that stays would not speak for it: it was published
    under another person, or has moved more often. How many older digests had to go.

    So it goes wherever the other goes, and an override says whose both are. Its digest is no touchpoint's: it
    recognises nothing, and a third copy has a place beside it.
    """
    if (origin[1], origin[0][0][0]) == (kept[1], kept[0][0][0]) and origin[2] <= kept[2]:
        return 0
    person.forgotten[digest_of(twin.source, f"{twin.id}\0{origin[1]}")] = origin
    return bound_forgotten(person, limit)


def bound_forgotten(person: Person, limit: int) -> int:
    """Let go of the oldest digests beyond `limit`; how many."""
    excess = max(0, len(person.forgotten) - limit)
    for digest in list(person.forgotten)[:excess]:
        del person.forgotten[digest]
    person.has_new_digests = True
    return excess
