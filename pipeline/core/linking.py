"""Which personal identifiers are one person: what was said of pairs of them in, persons and refusals out.

Persons are a pure function of the *set* of what was said and of the rules: links are taken in canonical order (event
time, then source and id), and each joins two persons unless a rule forbids that. What was said of one pair is a
`Pair`; pairs are joined by `said`, whose result depends on no order and on no repetition.

What always holds:
- Two identifiers that somebody has unlinked, and nobody linked since by name, are never one person.
- A person breaks no rule: not the most identifiers of a kind, nor two values of a unique one.
- An identifier that was ever linked to more others than its kind allows is shared by strangers: it joins nobody.

Of identifiers with a life time both limits count those of one period: whoever keeps a device for years has not many.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

from pipeline.core.kinds import IdentifierKind, ranks
from pipeline.core.messages import Pair, Said, Token
from pipeline.core.tokens import kind_of, slot_of
from schemas.state import LinkRule

UNLINKED: Final[LinkRule] = "unlinked"
SHARED: Final[LinkRule] = "shared"
FULL: Final[LinkRule] = "full"
UNIQUE: Final[LinkRule] = "unique"

Links = Mapping[tuple[Token, Token], Pair]
"""What was said of each pair, the lesser token first."""


class Rules(NamedTuple):
    """`ranks` orders kinds from weak to strong, `kinds` are the personal ones."""

    kinds: Mapping[str, IdentifierKind]
    ranks: Mapping[str, int]


def rules_of(kinds: Mapping[str, IdentifierKind]) -> Rules:
    """The rules of a journey map."""
    return Rules({name: kind for name, kind in kinds.items() if kind.kind == "personal"}, ranks(kinds))


Decisive = list[tuple[str, str, bool, int, int]]
"""What may make other persons of the same touchpoints: kinds from weak to strong, each with its `form`, `unique`,
`most_per_person` and `most_links`.
"""


def decisive(rules: Rules) -> Decisive:
    weakest_first = sorted(rules.kinds, key=lambda name: rules.ranks[name])
    kinds = [(name, rules.kinds[name]) for name in weakest_first]
    return [(name, kind.form, kind.unique, kind.most_per_person, kind.most_links) for name, kind in kinds]


def can_follow(old: Decisive, new: Decisive) -> bool:
    """Whether what is kept under the old rules is enough to say who is who under the new ones.

    Not if a kind is gone, has another form or life time, or another is stronger now, for links were made from the
    strongest; and not if more links are allowed, because the links of what was shared are gone.
    """
    names = {name for name, _, _, _, _ in old}
    allowed = {name: most_links for name, _, _, _, most_links in new}
    still = [(name, form) for name, form, _, _, _ in new if name in names]
    return still == [(name, form) for name, form, _, _, _ in old] and all(
        allowed[name] <= most_links for name, _, _, _, most_links in old
    )


class Refusal(NamedTuple):
    """A link that joined nobody: the rule that forbade it, the touchpoint that said it, the two identifiers."""

    rule: LinkRule
    said: Said
    one: Token
    other: Token


class Persons(NamedTuple):
    """`root` names for each identifier the one that names its person; `refused` are in canonical order."""

    root: dict[Token, Token]
    refused: list[Refusal]


def said(known: Pair | None, heard: Pair) -> Pair:
    """What two words on one pair come to: the first link, and the last word of somebody who named the pair."""
    if known is None:
        return heard
    links = [link for link in (known.link, heard.link) if link is not None]
    words = [word for word in (known.word, heard.word) if word is not None]
    return Pair(min(links, default=None), max(words, default=None))


def is_forbidden(pair: Pair) -> bool:
    """Whether the last word on the pair is that it must not be one person."""
    return pair.word is not None and not pair.word[1]


def is_link(pair: Pair) -> bool:
    return pair.link is not None and not is_forbidden(pair)


class _Group:
    """A person while links are taken in: its identifiers, and how many in each slot."""

    __slots__ = ("members", "slots")

    def __init__(self, token: Token) -> None:
        self.members: list[Token] = [token]
        self.slots: dict[str, int] = {slot_of(token): 1}

    def absorb(self, other: _Group) -> None:
        self.members.extend(other.members)
        for slot, count in other.slots.items():
            self.slots[slot] = self.slots.get(slot, 0) + count


def shared_by_strangers(links: Links, rules: Rules) -> set[Token]:
    """The identifiers that were linked to more others than their kind allows; unlinking does not change that."""
    peers: dict[Token, list[Token]] = {}
    for (one, other), pair in links.items():
        if pair.link is not None:
            peers.setdefault(one, []).append(other)
            peers.setdefault(other, []).append(one)
    return {token for token, others in peers.items() if too_many(token, others, rules)}


def too_many(token: Token, linked: Collection[Token], rules: Rules) -> bool:
    """Whether an identifier is linked to more others, at one time, than its kind allows."""
    most = rules.kinds[kind_of(token)].most_links
    return len(linked) > most and at_one_time(linked) > most


def at_one_time(tokens: Iterable[Token]) -> int:
    """How many identifiers these are, of each kind those of its fullest period."""
    fullest: dict[str, int] = {}
    for slot, count in slots_of(tokens).items():
        kind = kind_of(slot)
        fullest[kind] = max(fullest.get(kind, 0), count)
    return sum(fullest.values())


def slots_of(members: Iterable[Token]) -> dict[str, int]:
    """How many identifiers there are of each kind, and of each period of one with a life time."""
    slots: dict[str, int] = {}
    for token in members:
        slot = slot_of(token)
        slots[slot] = slots.get(slot, 0) + 1
    return slots


def persons(links: Links, rules: Rules, shared: Collection[Token]) -> Persons:
    """The persons that the identifiers of these pairs are, and the links that were refused.

    Whatever is linked to one of the identifiers, directly or by way of others that are not shared, has to be among
    `links`.
    """
    groups = {token: _Group(token) for ends in links for token in ends}
    apart = _apart(links)
    refused: list[Refusal] = []
    for link, one, other in _in_order(links):
        if one in shared and other in shared:
            continue  # nobody, so there is no one to tell of it
        rule = _join(groups, one, other, shared, apart, rules)
        if rule is not None:
            refused.append(Refusal(rule, link, one, other))
    first = _first(links)
    root: dict[Token, Token] = {}
    for token, group in groups.items():
        if token not in root:
            name = root_of(group.members, first, rules)
            root.update(dict.fromkeys(group.members, name))
    return Persons(root, refused)


def _apart(links: Links) -> dict[Token, set[Token]]:
    """For each identifier those that must not be one person with it."""
    apart: dict[Token, set[Token]] = {}
    for (one, other), pair in links.items():
        if is_forbidden(pair):
            apart.setdefault(one, set()).add(other)
            apart.setdefault(other, set()).add(one)
    return apart


def _first(links: Links) -> dict[Token, Said]:
    """When each identifier was linked to any other for the first time."""
    first: dict[Token, Said] = {}
    for ends, pair in links.items():
        if pair.link is not None:
            for token in ends:
                first[token] = min(first.get(token, pair.link), pair.link)
    return first


def _in_order(links: Links) -> list[tuple[Said, Token, Token]]:
    found = [(pair.link, one, other) for (one, other), pair in links.items() if pair.link and is_link(pair)]
    found.sort()
    return found


def _join(
    groups: dict[Token, _Group],
    one: Token,
    other: Token,
    shared: Collection[Token],
    apart: Mapping[Token, set[Token]],
    rules: Rules,
) -> LinkRule | None:
    """Make one person of two; the rule that forbids it, None if they are one now."""
    if one in shared or other in shared:
        return SHARED
    mine, theirs = groups[one], groups[other]
    if mine is theirs:
        return None
    rule = forbids(mine.slots, theirs.slots, rules)
    if rule is None and are_apart(mine.members, theirs.members, apart):
        rule = UNLINKED
    if rule is None:
        if len(mine.members) < len(theirs.members):
            mine, theirs = theirs, mine
        mine.absorb(theirs)
        for token in theirs.members:
            groups[token] = mine
    return rule


def forbids(mine: Mapping[str, int], theirs: Mapping[str, int], rules: Rules) -> LinkRule | None:
    """The rule that two persons with so many identifiers in each slot would break as one."""
    for slot, count in mine.items():
        also = theirs.get(slot)
        if also is not None:
            of = rules.kinds[kind_of(slot)]
            if of.unique:
                return UNIQUE
            if count + also > of.most_per_person:
                return FULL
    return None


def are_apart(
    mine: Collection[Token], theirs: Collection[Token], apart: Mapping[Token, Collection[Token]]
) -> bool:
    """Whether an identifier of the one must not be one person with an identifier of the other."""
    if not apart:
        return False
    fewer, more = (mine, theirs) if len(mine) < len(theirs) else (theirs, mine)
    against = {peer for token in fewer for peer in apart.get(token, ())}
    return bool(against) and any(token in against for token in more)


def root_of(members: Iterable[Token], first: Mapping[Token, Said], rules: Rules) -> Token:
    """The identifier that names the person: the strongest, of these the one that was linked first."""
    best: tuple[int, Said, Token] | None = None
    for token in members:
        # one of which nobody has said a link stands alone, whatever its place
        place = (-rules.ranks[kind_of(token)], first.get(token, (0, "", "")), token)
        if best is None or place < best:
            best = place
    assert best is not None
    return best[2]
