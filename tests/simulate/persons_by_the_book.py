"""Who is one person, by the rules of the semantics once more: over all touchpoints at once, and with nothing but sets.

In: the touchpoints in order of time, source and id, each with its identifiers as `ranked` puts them. Out: whose each
identifier is, and the rules by which links were refused. It shares no line with Throughline's core.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any, Protocol

from schemas.identifiers import IdentifierKind

Identifier = tuple[str, str]
Kinds = dict[str, IdentifierKind]
Couple = frozenset[Identifier]


class Touch(Protocol):
    @property
    def type(self) -> str: ...
    def value(self, path: str) -> Any: ...


def ranked(touch: Touch, kinds: Kinds) -> list[Identifier]:
    """A touchpoint's identifiers, the strongest first; a personal one before any reference."""
    identifiers = [
        (kind, value if kinds[kind].case_sensitive else value.lower())
        for kind, value in touch.value("identities").items()
    ]
    return sorted(
        identifiers, key=lambda each: (kinds[each[0]].kind == "reference", -kinds[each[0]].strength)
    )


class Persons:
    """`owner`: of every identifier that is not its own person; `refused`: rules, one for each link."""

    def __init__(self, ordered: Iterable[Touch], kinds: Kinds) -> None:
        self.owner: dict[Identifier, Identifier] = {}
        self.refused: Counter[str] = Counter()
        self._kinds = kinds
        self._links: dict[Couple, None] = {}
        self._words: dict[Couple, bool] = {}
        for touch in ordered:
            self._hear(touch)
        self._join()

    def person_of(self, identifier: Identifier) -> Identifier:
        while identifier in self.owner:
            identifier = self.owner[identifier]
        return identifier

    def _hear(self, touch: Touch) -> None:
        strongest, *weaker = ranked(touch, self._kinds)
        for identifier in weaker:
            if self._kinds[identifier[0]].kind == "reference":
                self.owner.setdefault(identifier, strongest)
                continue
            couple = frozenset((strongest, identifier))
            if touch.type in ("service.identity.linked", "service.identity.unlinked"):
                self._words[couple] = touch.type == "service.identity.linked"
            if touch.type != "service.identity.unlinked":
                self._links.setdefault(couple)

    def _join(self) -> None:
        shared = self._shared()
        apart = [couple for couple, are_one in self._words.items() if not are_one]
        persons: dict[Identifier, set[Identifier]] = {}
        for couple in self._links:
            for identifier in couple:
                persons.setdefault(identifier, {identifier})
        for couple in self._links:
            if couple in apart or couple <= shared:
                continue
            one, other = (persons[identifier] for identifier in couple)
            rule = "shared" if couple & shared else self._forbidden(one, other, apart)
            if rule:
                self.refused[rule] += 1
            else:
                persons.update(dict.fromkeys(one | other, one | other))
        for identifier, person in persons.items():
            root = self._root(person)
            if identifier != root:
                self.owner[identifier] = root

    def _shared(self) -> set[Identifier]:
        degree = Counter(identifier for couple in self._links for identifier in couple)
        return {each for each, links in degree.items() if links > self._kinds[each[0]].most_links}

    def _forbidden(self, one: set[Identifier], other: set[Identifier], apart: list[Couple]) -> str | None:
        if one is other:
            return None
        values: dict[str, int] = defaultdict(int)
        for kind, _ in one | other:
            values[kind] += 1
        for kind, count in values.items():
            if self._kinds[kind].unique and count > 1:
                return "unique"
            if count > self._kinds[kind].most_per_person:
                return "full"
        return "unlinked" if any(couple & one and couple & other for couple in apart) else None

    def _root(self, person: set[Identifier]) -> Identifier:
        strength = max(self._kinds[kind].strength for kind, _ in person)
        linked = (identifier for couple in self._links for identifier in sorted(couple))
        strongest = (each for each in linked if each in person and self._kinds[each[0]].strength == strength)
        return next(strongest)
