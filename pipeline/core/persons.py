"""Persons and the store: bytes by key in, unpacked persons out, and back at the end of a batch.

A person is a *head* (`p` + id), which begins with its next deadline so that opening a partition unpacks
nothing; sealed trail segments (`s` + id + number); bases of journeys whose oldest part was cut (`b` + id +
journey id); and the digests of what was cut (`f` + id). Journeys are not kept: they are folded from the
trail when a person is unpacked. A batch writes only the keys that it changed, and no value is larger than
`VALUE_BYTES` unless one touchpoint is.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import Final

import msgspec

from pipeline.core.budget import Budget
from pipeline.core.journey import keys_of, open_journey
from pipeline.core.messages import Entry
from pipeline.core.person import Person, new_person
from pipeline.core.plan import Plan
from pipeline.core.recent import Words
from pipeline.core.stored import Base, Digests, Head, Run, UnreadableStateError, reader
from pipeline.core.trail import OriginKey, Segment, Trail, origin_key
from pipeline.ports import Store

VALUE_BYTES: Final = 65_536
_PERSON_BYTES: Final = 3_500
_UNPACKED_BYTES: Final = 6
"""What a person takes in memory, and for each byte that the trail is packed into. The objects of persons with 2.1
touchpoints on average add up to 5,665 bytes where this says 5,588, with 6.1 to 10,554 (9,498), with 24.5 to 29,369 (30,577).
"""
_DIGEST_BYTES: Final = 200
HEAD: Final = b"p"
_SEGMENT, _BASE, _FORGOTTEN = b"s", b"b", b"f"


_pack: Final = msgspec.msgpack.Encoder().encode
_unpack_head: Final = reader(Head)
_unpack_run: Final = reader(Run)
_unpack_base: Final = reader(Base)
_unpack_digests: Final = reader(Digests)


class Persons:
    """The persons of one partition, unpacked under `plans[generation]`; between batches they are kept so within `cache`.

    One that was stored under an earlier plan is folded anew when it is unpacked: all its journeys are
    touched, and whatever was published of it is suspect.
    """

    def __init__(
        self,
        store: Store,
        plans: Mapping[int, Plan],
        generation: int,
        cache: Budget,
        unstated: Container[str],
    ) -> None:
        self._store = store
        self._plans = plans
        self._generation = generation
        self._share = cache.share()
        self._unstated = unstated
        self._hot: dict[str, Person] = {}
        self._words = Words()
        self._plain_head = _pack(Head(generation, [], 0, {}, None, 0, None, [], has_forgotten=False))

    def get(self, person_id: str) -> Person:
        """The person, unpacked; a new one if nothing is kept of it."""
        person = self._hot.get(person_id)
        if person is None:
            person = self._hot[person_id] = self._load(person_id) or new_person(person_id)
            self._weigh(person)
        return person

    def outdated(self, after: str | None) -> Iterator[str]:
        """Everyone who was folded under an earlier plan, in the order of their ids, behind `after`."""
        for key, value in self._store.scan(HEAD, b"" if after is None else head_key(after)):
            if _parts(key, value)[0].generation != self._generation:
                yield person_id(key)

    def save(self, person: Person) -> None:
        """Write what the batch changed of a person; a person without anything to keep is deleted."""
        self._hot[person.id] = self._hot.pop(person.id, person)  # the most recently used are evicted last
        self._write(person)
        self._weigh(person)

    def _write(self, person: Person) -> None:
        if person.is_empty() and not person.marks:
            self._delete(person)
            return
        if person.dirty_bases or person.dropped_bases:
            self._save_bases(person)
        if person.has_new_digests:
            self._save_forgotten(person)
        if person.trail.next_number:
            self._save_segments(person)
        self._save_head(person)

    def trim(self) -> None:
        """Pack away those that have not been used for longest; only while everyone is saved."""
        hot, excess = self._hot, self._share.held - self._share.room
        if excess <= 0:
            return
        for person_id in list(hot):
            weight = hot.pop(person_id).weight
            self._share.held -= weight
            excess -= weight
            if excess <= 0:
                break

    def _weigh(self, person: Person) -> None:
        """Keep account of what a person takes that has just been packed or unpacked."""
        if person.id in self._hot:
            weight = _PERSON_BYTES + _UNPACKED_BYTES * person.trail.packed_bytes
            weight += _DIGEST_BYTES * len(person.forgotten)
            self._share.held += weight - person.weight
            person.weight = weight

    def _load(self, person_id: str) -> Person | None:
        key = bytes.fromhex(person_id.replace("-", ""))
        value = self._store.get(HEAD + key)
        if value is None:
            return None
        try:
            return self._unpack(person_id, key, value)
        except UnreadableStateError:
            raise
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # each value can be read, but they do not make one person
            raise UnreadableStateError(HEAD + key, f"{type(error).__name__}: {error}") from error

    def _unpack(self, person_id: str, key: bytes, value: bytes) -> Person:
        head, run = _parts(HEAD + key, value)
        segments = [self._load_segment(key, number) for number in head.segments]
        tail = Segment(run.origins, self.sharing(run.entries), None, len(value))
        person = Person(person_id, Trail([*segments, tail], head.next_number))
        for segment in person.trail.segments:
            segment.is_dirty = False
        person.marks = head.marks
        person.cut = head.cut
        person.removed = head.removed
        person.cut_first_at = head.cut_first_at
        person.generation = head.generation
        person.unstated = None if person_id in self._unstated else {}
        person.next_deadline = int.from_bytes(value[:8], "big")
        if head.has_forgotten:
            person.forgotten = self._load_forgotten(key)
        bases = [self._load_base(_base_key(key, name)) for name in head.bases]
        fold_journeys(person, self._plans[head.generation], bases)
        if head.generation != self._generation:
            fold_anew(person, self._plans[self._generation], bases)
        return person

    def _load_segment(self, key: bytes, number: int) -> Segment:
        at = _segment_key(key, number)
        run_bytes = self._get(at)
        run = _unpack_run(at, run_bytes)
        return Segment(run.origins, self.sharing(run.entries), number, len(run_bytes))

    def sharing(self, entries: list[Entry]) -> list[Entry]:
        """The same entries, with the texts that all of them have held once: a tenth of what they take."""
        one = self._words.one
        for entry in entries:
            entry.type, entry.source = one(entry.type), one(entry.source)
        return entries

    def _load_base(self, at: bytes) -> Base:
        return _unpack_base(at, self._get(at))

    def _load_forgotten(self, key: bytes) -> dict[bytes, OriginKey]:
        kept = _unpack_digests(_FORGOTTEN + key, self._get(_FORGOTTEN + key))
        origins = [origin_key(origin) for origin in kept.origins]
        return {digest: origins[place] for digest, place in kept.digests}

    def _get(self, key: bytes) -> bytes:
        value = self._store.get(key)
        if value is None:
            raise UnreadableStateError(key, "it is not there, and its head names it")
        return value

    def _save_bases(self, person: Person) -> None:
        for journey in person.journeys.values():
            if journey.base is not None and journey.id in person.dirty_bases:
                self._store.put(_base_key(person.key, journey.id), _pack(journey.base))
        for name in sorted(person.dropped_bases):
            self._store.delete(_base_key(person.key, name))
        person.dirty_bases.clear()
        person.dropped_bases.clear()

    def _save_forgotten(self, person: Person) -> None:
        table = Segment([], [])
        digests = [(digest, table.place_of(origin)) for digest, origin in person.forgotten.items()]
        self._store.put(_FORGOTTEN + person.key, _pack(Digests(table.origins, digests)))
        person.has_new_digests = False

    def _save_segments(self, person: Person) -> None:
        trail = person.trail
        if len(trail.segments) > 1:
            # a segment that has to be split inserts its first half before itself
            position = 0
            while position < len(trail.segments) - 1:
                position += self._save_segment(person, trail.segments[position])
        for number in trail.dropped:
            self._store.delete(_segment_key(person.key, number))
        trail.dropped.clear()

    def _save_segment(self, person: Person, segment: Segment) -> int:
        """Write a sealed segment if it has changed; 0 if it was split instead, so that the halves come
        next.
        """
        if segment.is_dirty:
            value = segment.pack()
            if len(value) > VALUE_BYTES and len(segment.entries) > 1:
                person.trail.split(segment)
                return 0
            self._store.put(_segment_key(person.key, segment.number or 0), value)
            segment.seal()
        return 1

    def _head(self, person: Person) -> bytes:
        """The fixed part of a head."""
        trail = person.trail
        if not trail.next_number and not person.is_limited:
            return self._plain_head
        head = Head(
            self._generation,
            [segment.number or 0 for segment in trail.segments[:-1]],
            trail.next_number,
            person.marks,
            person.cut,
            person.removed,
            person.cut_first_at,
            [journey.id for journey in person.journeys.values() if journey.base] if person.cut else [],
            bool(person.forgotten),
        )
        return _pack(head)

    def _save_head(self, person: Person) -> None:
        trail = person.trail
        tail = trail.segments[-1]
        deadline, fixed, run = person.next_deadline.to_bytes(8, "big"), self._head(person), tail.pack()
        if len(run) > VALUE_BYTES and len(tail.entries) > 1:
            trail.split(tail)
            self._save_segments(person)
            self._save_head(person)
            return
        self._store.put(HEAD + person.key, b"".join([deadline, len(fixed).to_bytes(4, "big"), fixed, run]))
        tail.is_dirty = False
        person.generation = self._generation

    def _delete(self, person: Person) -> None:
        del self._hot[person.id]
        self._share.held -= person.weight
        if person.generation is None:
            return
        self._store.delete(HEAD + person.key)
        if person.forgotten:
            self._store.delete(_FORGOTTEN + person.key)
        self._save_bases(person)
        self._save_segments(person)


def fold_journeys(person: Person, plan: Plan, bases: list[Base]) -> None:
    """Fold all journeys of a person anew; each gets the person's next deadline as a lower bound of its own."""
    by_name = {rules.name: rules for rules in plan.journeys}
    journeys = person.journeys = {}
    for base in bases:
        rules = by_name.get(base.journey_type)
        if rules is not None:
            journeys[rules.index, base.key] = open_journey(rules, base.key, base)
    for entry in person.trail:
        for rules, key in keys_of(entry.fields, plan.journeys):
            journey = journeys.get((rules.index, key))
            if journey is None:
                journey = journeys[rules.index, key] = open_journey(rules, key)
            journey.entries.append(entry)
    for journey in journeys.values():
        journey.refold()
        journey.next_deadline = person.next_deadline


def fold_anew(person: Person, plan: Plan, bases: list[Base]) -> None:
    """Fold a person under another plan, to be compared with what was published under the one before."""
    before = person.journeys
    for journey in before.values():
        person.suspect_all(journey)
    fold_journeys(person, plan, bases)
    person.touched = {journey.id: journey for journey in person.journeys.values()}
    person.vanished = [journey for journey in before.values() if journey.id not in person.touched]
    person.dropped_bases |= {journey.id for journey in person.vanished if journey.base}


def _parts(key: bytes, value: bytes) -> tuple[Head, Run]:
    """A head is its next deadline (8 bytes), the length of its fixed part (4), that part, and the tail."""
    tail = 12 + int.from_bytes(value[8:12], "big")
    return _unpack_head(key, value[12:tail]), _unpack_run(key, value[tail:])


def head_key(person: str) -> bytes:
    """Where the head of a person is kept."""
    return HEAD + bytes.fromhex(person.replace("-", ""))


def person_id(key: bytes) -> str:
    """Whose head is kept there."""
    digits = key[1:].hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _segment_key(person: bytes, number: int) -> bytes:
    return _SEGMENT + person + number.to_bytes(4, "big")


def _base_key(person: bytes, journey: str) -> bytes:
    return _BASE + person + bytes.fromhex(journey)
