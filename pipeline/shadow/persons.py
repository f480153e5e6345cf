"""Whose each touchpoint is under either map in; who would be joined, split or renamed out.

Persons are compared by their touchpoints and not by their identifiers, because a map may change the form of an
identifier, and with it every token and every id that comes from it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from hashlib import blake2b

import msgspec

from pipeline.core.run import Published
from pipeline.shadow.report import PersonChange, Persons

_OVERRIDE = b"override:"

Origin = tuple[str, str]
"""The person that a touchpoint was published under, and the token of the identifier that attributed it."""


class _Attributed(msgspec.Struct):
    source: str
    id: str
    person_id: str
    identifier: str


class _Override(msgspec.Struct):
    born_person_id: str
    identifier: str
    person_id: str


_attributed = msgspec.json.Decoder(_Attributed).decode
_override = msgspec.json.Decoder(_Override).decode


class PublishedToPersons(Published):
    """What a reader holds, and of every touchpoint no more than its origin."""

    def __init__(self) -> None:
        super().__init__(keeps_enriched=False)
        self._origins: dict[Origin, Origin] = {}
        self._touchpoints: dict[bytes, Origin] = {}

    def touchpoint(self, value: bytes) -> None:
        said = _attributed(value)
        origin = (said.person_id, said.identifier)
        key = blake2b(f"{len(said.source)}\0{said.source}{said.id}".encode(), digest_size=8).digest()
        self._touchpoints[key] = self._origins.setdefault(origin, origin)

    def whose(self) -> dict[bytes, str]:
        """By touchpoint the person that it belongs to now, resolved as the warehouse does."""
        moved = {
            (said.born_person_id, said.identifier): said.person_id
            for key, value in self.states.items()
            if key.startswith(_OVERRIDE)
            for said in (_override(value),)
        }
        return {key: moved.get(origin, origin[0]) for key, origin in self._touchpoints.items()}


class PersonComparison:
    """Who shares touchpoints with whom. Touchpoints that only one map accepts say nothing here."""

    def __init__(self, live: Mapping[bytes, str], new: Mapping[bytes, str]) -> None:
        self._new_of: defaultdict[str, set[str]] = defaultdict(set)
        self._live_of: defaultdict[str, set[str]] = defaultdict(set)
        for key, was in live.items():
            now = new.get(key)
            if now is not None:
                self._new_of[was].add(now)
                self._live_of[now].add(was)

    def changed(self) -> Iterable[str]:
        """Persons of the new map who were somebody else, or several, or a part of somebody."""
        for now, before in self._live_of.items():
            if len(before) > 1 or any(len(self._new_of[was]) > 1 for was in before):
                yield now

    def persons(self, examples: int) -> Persons:
        joined = {now: before for now, before in self._live_of.items() if len(before) > 1}
        split = {was: after for was, after in self._new_of.items() if len(after) > 1}
        return Persons(
            joined=len(joined),
            split=len(split),
            renamed=sum(self._is_renamed(now, before) for now, before in self._live_of.items()),
            joined_examples=[PersonChange(sorted(joined[now]), [now]) for now in sorted(joined)[:examples]],
            split_examples=[PersonChange([was], sorted(split[was])) for was in sorted(split)[:examples]],
        )

    def _is_renamed(self, now: str, before: set[str]) -> bool:
        return len(before) == 1 and now not in before and len(self._new_of[next(iter(before))]) == 1
