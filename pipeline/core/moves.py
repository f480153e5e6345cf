"""Moving: touchpoints that turn out to be another person's leave one trail in parcels and join another.

A release takes out every entry that came by an identifier at an older version. A parcel is self-contained:
its entries, how they came, what was published of the findings that they opened, and a clock that no version
published of them exceeds. So the receiver numbers on, and the sender withdraws nothing of what it sends.
The cut part of a trail stays where it is; only the digests of its touchpoints go along.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec

from pipeline.core.cutting import bound_forgotten, remember_twin
from pipeline.core.findings import merge_published
from pipeline.core.journey import keys_of, order
from pipeline.core.messages import Entry, Origin, Parcel, Token
from pipeline.core.person import Person
from pipeline.core.plan import Plan
from pipeline.core.trail import OriginKey, Segment, origin_key

DIGESTS = 1024
"""Digests in one parcel."""
PARCEL_BYTES = 131_072


def release(person: Person, plan: Plan, identifier: Token, version: int, clock: int) -> list[Parcel]:
    """Take out of a person what came by `identifier` before `version`, packed for the way on."""
    groups = person.trail.take(identifier, version)
    _leave_journeys(person, plan, [entry for _, entries in groups for entry in entries])
    parcels = [
        Parcel([redirect(origin, identifier) for origin in part.origins], part.entries, clock, [])
        for origins, entries in groups
        for part in _small(Segment(origins, entries))
    ]
    return [*parcels, *_release_digests(person, identifier, version, clock)]


def redirect(origin: Origin, identifier: Token) -> Origin:
    """How an entry came, up to `identifier`; from there on the steps are added anew on the way."""
    kept = []
    for token, passed in origin.steps:
        if token == identifier:
            break
        kept.append((token, passed))
    return Origin(tuple(kept), origin.born, origin.moves + 1)


def divert(person: Person, parcel: Parcel) -> tuple[Parcel, list[tuple[Token, Parcel]]]:
    """Part a parcel into what may stay and what the person has given up, with the identifiers that have it
    now.
    """
    stays: list[int] = []
    leaves: dict[Token, list[int]] = {}
    for place, origin in enumerate(parcel.origins):
        released = person.released(origin.steps)
        (stays if released is None else leaves.setdefault(released, [])).append(place)
    diverted = []
    for identifier, places in leaves.items():
        part = _restrict(parcel, places)
        origins = [redirect(origin, identifier) for origin in part.origins]
        diverted.append((identifier, Parcel(origins, part.entries, part.clock, part.forgotten)))
    return _restrict(parcel, stays) if leaves else parcel, diverted


def receive(person: Person, plan: Plan, parcel: Parcel, duplicate_ids: int) -> Counter[str]:
    """Let a parcel, of which the person has given up nothing, join the trail; counts of what that met."""
    counts: Counter[str] = Counter()
    keys = [origin_key(origin) for origin in parcel.origins]
    for entry in parcel.entries:
        known = person.trail.index.get((entry.source, entry.id))
        if known is not None:
            counts["reunited"] += 1
            gone = known if entry.digest < known.digest else entry
            counts["replaced_unmapped"] += gone.type not in plan.owners
            counts["clashes"] += known.digest != entry.digest
            counts["evicted_ids"] += _meet_again(person, plan, known, entry, keys[entry.path], duplicate_ids)
        elif person.cut is not None and order(entry) <= person.cut:
            counts["beyond_trail"] += 1
        else:
            person.insert(entry, keys[entry.path])
            person.join(entry, plan)
    if parcel.forgotten:
        person.forgotten |= {digest: keys[place] for digest, place in parcel.forgotten}
        counts["evicted_ids"] += bound_forgotten(person, duplicate_ids)
    return counts


def _meet_again(
    person: Person, plan: Plan, known: Entry, entry: Entry, origin: OriginKey, duplicate_ids: int
) -> int:
    """Two copies of one touchpoint: the smaller digest stays, with what was published of either; how many digests had to
    go so that it is known how the other came.
    """
    findings = merge_published(person.id, known.findings, entry.findings)
    before = person.trail.origin_of(known)
    if entry.digest < known.digest:
        entry.findings = findings
        person.replace(known, entry, origin, plan)
        return remember_twin(person, known, before, origin, duplicate_ids)
    known.findings = findings
    person.trail.segment_of(known).change(known)
    for rules, key in keys_of(known.fields, plan.journeys):
        person.journey(rules, key).is_stale = True
    if entry.digest != known.digest:
        for rules, key in keys_of(entry.fields, plan.journeys):
            person.suspect(person.journey(rules, key), entry)
    return remember_twin(person, entry, origin, before, duplicate_ids)


def _leave_journeys(person: Person, plan: Plan, entries: list[Entry]) -> None:
    if not person.trail.index and not person.removed:
        person.journeys.clear()
        person.touched.clear()
        person.unstated = {}
    for entry in entries if person.journeys else ():
        person.part(entry, plan)
    for journey in [journey for journey in person.touched.values() if journey.is_empty()]:
        person.forget(journey)
    if entries:
        person.is_changed = True
        person.identifiers = None
        # what was published of an entry that leaves is another's to withdraw
        index = person.trail.index
        person.suspects = {
            name: suspect
            for name, suspect in person.suspects.items()
            if (suspect.opening.source, suspect.opening.id) in index
        }


def _small(part: Segment) -> Iterator[Segment]:
    """The same entries in parts that are not too large for a message, unless one touchpoint is."""
    if len(part.entries) == 1 or len(part.pack()) <= PARCEL_BYTES:
        yield part
        return
    half = len(part.entries) // 2
    for entries in (part.entries[:half], part.entries[half:]):
        smaller = Segment(list(part.origins), [])
        smaller.restrict(entries)
        yield from _small(smaller)


def _release_digests(person: Person, identifier: Token, version: int, clock: int) -> list[Parcel]:
    leaving = [
        (digest, (steps, born, moves))
        for digest, (steps, born, moves) in person.forgotten.items()
        if any(token == identifier and passed < version for token, passed in steps)
    ]
    parcels = []
    for start in range(0, len(leaving), DIGESTS):
        table = Segment([], [])
        digests = [(digest, table.place_of(key)) for digest, key in leaving[start : start + DIGESTS]]
        origins = [redirect(origin, identifier) for origin in table.origins]
        parcels.append(Parcel(origins, [], clock, digests))
    for digest, _ in leaving:
        del person.forgotten[digest]
        person.has_new_digests = True
    return parcels


def _restrict(parcel: Parcel, places: list[int]) -> Parcel:
    """The part of a parcel that came by the origins at `places`."""
    renumbered = {old: new for new, old in enumerate(places)}
    # copies: the same entries are numbered otherwise in another part
    entries = [
        msgspec.structs.replace(entry, path=renumbered[entry.path])
        for entry in parcel.entries
        if entry.path in renumbered
    ]
    forgotten = [(digest, renumbered[place]) for digest, place in parcel.forgotten if place in renumbered]
    return Parcel([parcel.origins[place] for place in places], entries, parcel.clock, forgotten)
