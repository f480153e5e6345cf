"""What the linker tells everyone: each link as it stands and each identifier's person, as state records.

In: which pairs and identifiers a batch has touched. Out: a record for each, once, at the batch's end. What always holds:
the last record of a pair says what `linking.persons` says of it over everything that was heard; only the persons that
it names are those of that moment.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from pipeline.core.linking import SHARED, is_forbidden
from pipeline.core.messages import Pair, Said, Token
from pipeline.core.outputs import IdentifierState, LinkState, encode, moment
from pipeline.core.stored import Node
from pipeline.core.tokens import person_of
from pipeline.ports import Outbox
from schemas.state import LinkRule, LinkStatus


class LinkAudit:
    """Collects what was touched; `publish` forgets it."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._links: dict[tuple[Token, Token], Pair] = {}
        self._identifiers: dict[Token, None] = {}

    def link(self, one: Token, other: Token, pair: Pair) -> None:
        """Something about this pair may be another than was told; `one` is the lesser token."""
        self._links[one, other] = pair

    def identifier(self, token: Token) -> None:
        """Its person, or whether strangers share it, may be another than was told."""
        self._identifiers[token] = None

    @property
    def owes(self) -> bool:
        return bool(self._links or self._identifiers)

    def publish(self, node_of: Callable[[Token], Node], version: int, outbox: Outbox) -> None:
        """Tell how everything that was touched stands, under a version that only grows."""
        for token in self._identifiers:
            node = node_of(token)
            state = IdentifierState(token, person_of(node.root), node.root, node.shared, version)
            outbox.send(self._topic, encode(state), f"identifier:{token}".encode())
        for (one, other), pair in self._links.items():
            link = _link(one, node_of(one), other, node_of(other), pair, version)
            outbox.send(self._topic, encode(link), f"link:{one}/{other}".encode())
        self._identifiers = {}
        self._links = {}


def _link(one: Token, lesser: Node, other: Token, greater: Node, pair: Pair, version: int) -> LinkState:
    rule: LinkRule | None = SHARED if lesser.shared or greater.shared else lesser.refused.get(other)
    status: LinkStatus = "joined" if rule is None else "refused"
    if is_forbidden(pair):
        status, rule = "unlinked", None
    linked, word = pair.link, pair.word
    return LinkState(
        one,
        other,
        status,
        rule,
        *_place(linked),
        *_place(None if word is None else word[0]),
        None if word is None else word[1],
        [person_of(lesser.root), person_of(greater.root)],
        version,
    )


def _place(said: Said | None) -> tuple[datetime | None, str | None, str | None]:
    return (None, None, None) if said is None else (moment(said[0]), said[1], said[2])
