"""Whose each touchpoint is, from the set of everything that was said and nothing else: no stage, no order, no move.

In: touchpoints as sources tell them. Out: for each the token that names its person at the end. It is what tests of
merging hold every pipeline against, the one in memory too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from pipeline.core.kinds import ranks
from pipeline.core.linking import Links, persons, rules_of, said, shared_by_strangers
from pipeline.core.messages import Pair, Said, Token
from pipeline.core.tokens import Tokens
from schemas.identifiers import IdentifierKind

WORDS = {"service.identity.linked": True, "service.identity.unlinked": False}


@dataclass(frozen=True, eq=False)
class Told:
    """A touchpoint at `time` (µs); `order` is the number that its source knows, None if it is of no order."""

    time: int
    source: str
    id: str
    type: str
    identities: Mapping[str, str]
    order: str | None = None
    data: Mapping[str, str] = field(default_factory=dict)

    @property
    def place(self) -> Said:
        return (self.time, self.source, self.id)


def owners(told: Iterable[Told], kinds: Mapping[str, IdentifierKind], key: str) -> dict[Told, Token]:
    """For each touchpoint the identifier that names its person, under the journey map's kinds and the secret key."""
    told, strongest_first = list(told), sorted(kinds, key=ranks(kinds).__getitem__, reverse=True)
    token = Tokens(key, kinds).token
    links: dict[tuple[Token, Token], Pair] = {}
    claims: dict[Token, tuple[Said, Token]] = {}
    asked: dict[Told, Token] = {}
    for each in told:
        present = [kind for kind in strongest_first if kind in each.identities]
        to, *weaker = [token(kind, each.identities[kind]) for kind in present]
        asked[each] = to
        for kind, other in zip(present[1:], weaker, strict=True):
            if kinds[kind].kind == "personal":
                ends = (min(to, other), max(to, other))
                links[ends] = said(links.get(ends), _pair(each))
            else:
                claims[other] = min(claims.get(other, (each.place, to)), (each.place, to))
    resolve = _resolver(links, claims, kinds)
    return {each: resolve(to) for each, to in asked.items()}


def _pair(told: Told) -> Pair:
    are_one = WORDS.get(told.type)
    if are_one is None:
        return Pair(told.place)
    return Pair(told.place if are_one else None, (told.place, are_one))


def _resolver(
    links: Links, claims: Mapping[Token, tuple[Said, Token]], kinds: Mapping[str, IdentifierKind]
) -> Callable[[Token], Token]:
    rules = rules_of(kinds)
    root = persons(links, rules, shared_by_strangers(links, rules)).root

    def resolve(token: Token) -> Token:
        return resolve(claims[token][1]) if token in claims else root.get(token, token)

    return resolve


def order_keys(owner: Mapping[Told, Token]) -> dict[Told, str]:
    """The key of each touchpoint's order: the same number of two persons is two orders.

    Else both would have a journey of that name, and which of the two is published last depends on the order of arrival.
    """
    of: dict[str, list[Token]] = {}
    keys = {}
    for told, person in owner.items():
        if told.order is not None:
            those = of.setdefault(told.order, [])
            if person not in those:
                those.append(person)
            keys[told] = f"{told.order}.{those.index(person)}"
    return keys
