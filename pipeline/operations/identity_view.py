"""Who an identifier is and why: what `throughline identity show` and `explain` tell.

In: an identifier as its source writes it, the warehouse, the journey map's kinds and the key. Out: the chain of claims from
a reference to a personal identifier, the person, its links, and the way between two identifiers. What always holds:
everything is as it was told last; what is on its way is not yet here. Of a kind with a life time an identifier is the one of
the instant that is asked about.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from pipeline.core.instants import MINUTE, micros, moment
from pipeline.core.kinds import IdentifierKind, ranks
from pipeline.core.messages import Micros
from pipeline.core.tokens import begin_of, kind_of, person_of, slot_of
from pipeline.errors import ThroughlineError
from pipeline.operations.identity_words import Identifier, Identify, identified
from pipeline.operations.link_tree import Tree, tree, way
from pipeline.warehouse import identity
from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.identity import ClaimRow, IdentifierRow, LinkRow

_REFERENCES = 8
"""Steps from a reference to whoever owns it: each goes to a stronger kind."""
_WIDEST = 20_000
"""Identifiers that are looked at on the way from one to another."""


class NobodyError(ThroughlineError):
    """An identifier that no touchpoint carries, or a person to whom none came."""


@dataclass(frozen=True)
class Claimed:
    """A reference and the touchpoint by which it belongs to `owner`."""

    reference: Identifier
    owner: Identifier
    by: ClaimRow


@dataclass(frozen=True)
class Whose:
    """What an identifier leads to: `claims` as far as it is a reference, then `token`, which is `person`'s."""

    asked: Identifier
    claims: list[Claimed]
    identifier: Identifier
    token: str
    person: UUID
    row: IdentifierRow | None


@dataclass(frozen=True)
class PersonView:
    """A person: its identifiers by token, the tree of its links, and those that join nobody.

    `references` are tokens by which touchpoints came to it, `values` what is known of tokens in plain text; `came` and
    `went` count the overrides that move touchpoints to it and away from it.
    """

    person: UUID
    named_by: str | None
    members: dict[str, IdentifierRow]
    tree: Tree | None
    refused: list[LinkRow]
    unlinked: list[LinkRow]
    references: list[str]
    values: dict[str, str]
    came: int
    went: int


@dataclass(frozen=True)
class Explanation:
    """The way between two identifiers; None where nothing that was said leads from one to the other."""

    one: Whose
    other: Whose
    way: list[LinkRow] | None
    values: dict[str, str]

    @property
    def are_one(self) -> bool:
        return self.one.person == self.other.person


class IdentityView:
    """Looks things up in one pipeline's warehouse. `at` (µs since 1970) is when identifiers are what is asked about."""

    def __init__(
        self, warehouse: Warehouse, kinds: Mapping[str, IdentifierKind], identify: Identify, at: Micros
    ) -> None:
        self._warehouse = warehouse
        self._at = at
        self._kinds = kinds
        self._dated = [name for name, kind in kinds.items() if kind.lives is not None]
        self._ranks = ranks(kinds)
        self._identify = identify

    def whose(self, asked: Identifier) -> Whose:
        """Raises UnknownKindError, NoIdentifierError, NobodyError."""
        claims: list[Claimed] = []
        identifier, token = self._token(asked, self._at)
        while self._kinds[identifier.kind].kind == "reference" and len(claims) < _REFERENCES:
            claim = self._claim(identifier, token)
            if claim is None:
                break
            claims.append(claim)
            identifier, token = self._token(claim.owner, micros(claim.by.time))
        row = identity.identifiers(self._warehouse, [token]).get(token)
        if row is None and not claims and not self._is_known(identifier, token):
            dated = "; --at INSTANT asks for another time" if identifier.kind in self._dated else ""
            carried = shown(token, {token: identifier.value})
            raise NobodyError(f"no touchpoint in {self._warehouse.database} carries {carried}{dated}")
        person = UUID(person_of(token)) if row is None else row.person_id
        return Whose(asked, claims, identifier, token, person, row)

    def known_person(self, person: UUID) -> PersonView:
        """Raises NobodyError."""
        found = self.person(person)
        if not (found.members or found.references or found.came or found.went):
            raise NobodyError(
                f"no touchpoint in {self._warehouse.database} came to a person {person}; if it has become another's, "
                "ask by one of its identifiers"
            )
        return found

    def person(self, person: UUID) -> PersonView:
        members = identity.members(self._warehouse, person)
        links = identity.links_of(self._warehouse, members)
        known_by = identity.known_by(self._warehouse, person)
        named_by = next((row.named_by for row in members.values()), None)
        came, went = identity.pending_overrides(self._warehouse, person)
        return PersonView(
            person,
            named_by,
            members,
            None if named_by is None else tree(named_by, links),
            [link for link in links if link.status == "refused"],
            [link for link in links if link.status == "unlinked"],
            [token for token in known_by if token not in members],
            self._values([person, *(whose for link in links for whose in link.persons)]),
            came,
            went,
        )

    def explain(self, one: Identifier, other: Identifier) -> Explanation:
        """Raises as `whose` does."""
        start, end = self.whose(one), self.whose(other)
        links = self._around(start.token, end.token)
        found = way(start.token, end.token, links)
        persons = [start.person, end.person, *(whose for link in found or () for whose in link.persons)]
        values = self._values(persons)
        values |= {whose.token: whose.identifier.value for whose in (start, end)}
        return Explanation(start, end, found, values)

    def _token(self, identifier: Identifier, at: Micros) -> tuple[Identifier, str]:
        return identified(identifier, self._kinds, self._identify, at)

    def _is_known(self, identifier: Identifier, token: str) -> bool:
        """Whether a touchpoint carries it, or somebody has spoken of it by name."""
        return any(
            self._identify(*identifier, micros(row.time))[0] == token
            for row in identity.touchpoints_with(self._warehouse, *identifier)
        ) or bool(identity.links_of(self._warehouse, [token]))

    def _claim(self, reference: Identifier, token: str) -> Claimed | None:
        """The first touchpoint that names the reference and something stronger."""
        for row in identity.touchpoints_with(self._warehouse, *reference):
            at = micros(row.time)
            if self._identify(*reference, at)[0] != token:
                continue
            known = [
                (self._ranks[kind], kind)
                for kind, value in row.identities.items()
                if kind in self._ranks and self._identify(kind, value, at)[0]
            ]
            rank, kind = max(known, default=(-1, ""))
            if rank > self._ranks[reference.kind]:
                return Claimed(reference, Identifier(kind, row.identities[kind]), row)
        return None

    def _around(self, start: str, end: str) -> list[LinkRow]:
        """Everything that was said of whoever links lead to from `start`, until `end` is among them."""
        found: dict[tuple[str, str], LinkRow] = {}
        seen: set[str] = set()
        waiting = {start}
        while waiting and len(seen) < _WIDEST:
            links = identity.links_of(self._warehouse, waiting)
            found |= {(link.one, link.other): link for link in links}
            seen |= waiting
            waiting = {token for link in links for token in (link.one, link.other)} - seen
            if end in waiting and all(link.status == "joined" for link in links):
                break
        return list(found.values())

    def _values(self, persons: Iterable[UUID]) -> dict[str, str]:
        """Tokens to values, as far as touchpoints of these persons carry them."""
        values: dict[str, str] = {}
        for person in dict.fromkeys(persons):
            for kind, value, minute in identity.values_near(self._warehouse, person, self._dated):
                values[self._identify(kind, value, minute * MINUTE)[0]] = value
        return values


def shown(token: str, values: Mapping[str, str]) -> str:
    """An identifier for people: its value if that is known, else the beginning of its token."""
    value, kind, begin = values.get(token), kind_of(token), begin_of(token)
    name = f"{kind}={value}" if value is not None else f"{kind}:{token[len(slot_of(token)) + 1 :][:8]}…"
    return name if begin is None else f"{name} (from {moment(begin):%Y-%m-%d %H:%M})"
