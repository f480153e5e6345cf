"""A person's links as a tree, and the way from one identifier to another: pure functions of link rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from heapq import heappop, heappush
from typing import NamedTuple

from pipeline.warehouse.identity import LinkRow

_NEVER = datetime.max.replace(tzinfo=UTC)


class Branch(NamedTuple):
    """An identifier, the link by which it hangs on the one above it (None at the root), and what hangs on it."""

    token: str
    link: LinkRow | None
    below: list[Branch]


class Tree(NamedTuple):
    """`spare` are links that join who is joined already."""

    root: Branch
    spare: int


def _place(link: LinkRow) -> tuple[datetime, str, str]:
    return link.linked_at or _NEVER, link.linked_source, link.linked_id


def tree(root: str, links: Iterable[LinkRow]) -> Tree:
    """The links that made the person: in their order each that joined what was not one yet, seen from `root`."""
    group: dict[str, str] = {}

    def find(token: str) -> str:
        while (above := group.get(token, token)) != token:
            token = above
        return token

    made: dict[str, list[tuple[str, LinkRow]]] = {}
    spare = 0
    for link in sorted((link for link in links if link.status == "joined"), key=_place):
        one, other = find(link.one), find(link.other)
        if one == other:
            spare += 1
            continue
        group[one] = other
        made.setdefault(link.one, []).append((link.other, link))
        made.setdefault(link.other, []).append((link.one, link))
    top = Branch(root, None, [])
    waiting, seen = [top], {root}
    while waiting:
        branch = waiting.pop()
        for token, link in made.get(branch.token, ()):
            if token not in seen:
                seen.add(token)
                branch.below.append(Branch(token, link, []))
        waiting += branch.below
    return Tree(top, spare)


def way(start: str, end: str, links: Iterable[LinkRow]) -> list[LinkRow] | None:
    """The links from one identifier to another: those with the fewest that join nobody, of these the fewest. None if
    nothing leads there.
    """
    near: dict[str, list[tuple[str, LinkRow]]] = {}
    for link in sorted(links, key=_place):
        near.setdefault(link.one, []).append((link.other, link))
        near.setdefault(link.other, []).append((link.one, link))
    best: dict[str, tuple[int, int]] = {start: (0, 0)}
    came: dict[str, tuple[str, LinkRow]] = {}
    waiting = [(0, 0, start)]
    while waiting:
        blocked, length, token = heappop(waiting)
        if token == end:
            return _back(start, end, came)
        if (blocked, length) > best[token]:
            continue
        for peer, link in near.get(token, ()):
            cost = (blocked + (link.status != "joined"), length + 1)
            if cost < best.get(peer, (1 << 30, 0)):
                best[peer] = cost
                came[peer] = (token, link)
                heappush(waiting, (*cost, peer))
    return None


def _back(start: str, end: str, came: Mapping[str, tuple[str, LinkRow]]) -> list[LinkRow]:
    found: list[LinkRow] = []
    token = end
    while token != start:
        token, link = came[token]
        found.append(link)
    return found[::-1]


def blocked(links: Sequence[LinkRow]) -> list[LinkRow]:
    """Those that join nobody."""
    return [link for link in links if link.status != "joined"]
