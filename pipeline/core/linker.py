"""The linker: links of personal identifiers in, from all identity partitions; assignments to persons out.

It is the one writer of persons: one partition of `identity.links`. It keeps what was said of each pair, and for each
identifier the one that names its person; when that changes, the identifier's identity partition is told, with a
version that only grows. The result is that of `linking.persons` over everything that was said, whatever the order. What
became of each link, and whose each identifier is, is published besides (`link_audit`).

A link that comes behind all others of the two persons joins them in passing. Any other (a late link, a word that
parts two identifiers, one that turns out to be shared) has the persons around it computed anew.

What always holds after a batch, but for persons that still follow the rules of an earlier map:
- Every identifier has the root that `linking.persons` gives it, and its partition has been told.
- A root knows all members of its person; no other identifier has members.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import msgspec

from pipeline.core.budget import Budget
from pipeline.core.frames import LINK_FRAMES, FrameWriter
from pipeline.core.link_audit import LinkAudit
from pipeline.core.linking import (
    SHARED,
    UNLINKED,
    Rules,
    are_apart,
    at_one_time,
    can_follow,
    decisive,
    forbids,
    is_forbidden,
    is_link,
    persons,
    root_of,
    said,
    slots_of,
    too_many,
)
from pipeline.core.messages import Assign, Heard, Micros, Pair, Said, Token
from pipeline.core.recent import Ration
from pipeline.core.stored import LinkerState, Node, reader
from pipeline.core.tokens import partition_of_token
from pipeline.ports import Outbox, Record, Store
from schemas.state import LinkRule

FOLLOWING: Final = 2_000
"""Identifiers at a time whose persons are computed anew after the rules have changed: part of a second."""
LARGE: Final = 20
"""A person with more identifiers than this is worth a look: most have three."""
_NODE: Final = b"n"
_STATE: Final = b"s"
_pack: Final = msgspec.msgpack.Encoder().encode
_unpack: Final = reader(Node)
_unpack_state: Final = reader(LinkerState)


class LinkRulesChangedError(ValueError):
    """Of what is kept it can't be said who is who by the journey map's rules."""

    def __init__(self) -> None:
        super().__init__(
            "the journey map has another order of strength, another form or life time of identifiers, fewer personal kinds, "
            "or a greater most_links than persons were linked by, and what that asks for is not kept; bring the old rules "
            "back, or replay the sources into a pipeline under a new name"
        )


@dataclass(frozen=True)
class LinkerConfig:
    """`partitions` are those of `identity_topic`; what was used lately is kept unpacked within `cache`."""

    identity_topic: str
    state_topic: str
    partitions: int
    rules: Rules
    cache: Budget = field(default_factory=Budget)


class Linker:
    """The logic of the one partition of `identity.links`.

    `counts` counts, since this object was built: `links` that said something new, `repeated` ones, `refused` (now
    forbidden by a rule), `shared` (identifiers that turned out to be), `assigned`, `large` (times that a person came to
    have more than 20 identifiers), `computed_anew` (identifiers whose persons were).
    """

    def __init__(self, store: Store, config: LinkerConfig) -> None:
        self.counts: Counter[str] = Counter()
        self._store = store
        self._config = config
        self._rules = config.rules
        self._known: Ration[Token, Node] = Ration(config.cache)
        self._hot = self._known.recent
        self._changed: dict[Token, Node] = {}
        self._before: dict[Token, Token] = {}
        self._audit = LinkAudit(config.state_topic)
        self._unsettled: dict[Token, None] = {}
        kept = store.get(_STATE)
        rules = decisive(config.rules)
        self._state = _unpack_state(_STATE, kept) if kept else LinkerState(rules=rules)
        if self._state.rules != rules:
            if not can_follow(self._state.rules, rules):
                raise LinkRulesChangedError
            self._state.rules, self._state.behind = rules, b""

    def process(self, records: Iterable[Record], outbox: Outbox) -> None:
        heard = [message for record in records for message in LINK_FRAMES.decode(record)]
        # in order of time, so that most of them come behind all others
        heard.sort(key=_place)
        for message in heard:
            self._hear(message)
        self._follow()
        self._finish(outbox)

    def quiet(self, now: int, outbox: Outbox) -> bool:  # noqa: ARG002 - the protocol's signature
        """In silence persons are made to follow changed rules, some at a time."""
        if self._state.behind is None:
            self._known.fit()
            return False
        self._follow()
        self._finish(outbox)
        return True

    @property
    def watermark(self) -> Micros | None:
        """Time does not come this way."""
        return None

    @property
    def owes(self) -> bool:
        """Whether there are persons by the rules of an earlier map."""
        return self._state.behind is not None

    def _finish(self, outbox: Outbox) -> None:
        if self._unsettled:
            self._settle()
        self._tell(outbox)
        self._save()

    def _follow(self) -> None:
        """Have the persons of the next identifiers computed anew by the rules of today."""
        behind = self._state.behind
        if behind is None:
            return
        part = list(islice(self._store.scan(_NODE, behind), FOLLOWING))
        for key, _ in part:
            token = key[len(_NODE) :].decode()
            self._share(token, self._node(token))
            self._unsettle(token)
        self._state.behind = part[-1][0] if len(part) == FOLLOWING else None
        self._store.put(_STATE, _pack(self._state))

    def _hear(self, message: Heard) -> None:
        one, other = self._node(message.to), self._node(message.peer)
        # a shared one keeps no pairs: what the other knows is all there is
        known = one.pairs.get(message.peer) or other.pairs.get(message.to)
        pair = said(known, message.pair)
        if pair == known or (one.shared and other.shared):
            self.counts["repeated"] += 1
            if one.shared and other.shared:
                # nobody keeps it, so it can't be known whether it was told
                self._audit.link(message.to, message.peer, message.pair)
            return
        self.counts["links"] += 1
        self._audit.link(message.to, message.peer, pair)
        is_simple = known is None and pair.word is None and not (one.shared or other.shared)
        self.counts["refused"] += one.shared or other.shared
        is_last = is_simple and self._is_last(one, other, pair.link)
        ends = ((message.to, one, message.peer), (message.peer, other, message.to))
        for token, node, peer in ends:
            if not node.shared:
                if not node.pairs:
                    self._audit.identifier(token)
                self._change(token, node).pairs[peer] = pair
        for token, node, _ in ends:
            self._share(token, node)
        if is_last and not (one.shared or other.shared):
            self._join(message.to, message.peer)
        else:
            self._unsettle(message.to, message.peer)

    def _is_last(self, one: Node, other: Node, link: Said | None) -> bool:
        """Whether all links of the two persons come before this one, and nothing about them is open."""
        if link is None or self._state.behind is not None:
            return False
        for root in (one.root, other.root):
            for token in self._members(root):
                if token in self._unsettled:
                    return False
                for pair in self._node(token).pairs.values():
                    if pair.link is not None and pair.link >= link:
                        return False
        return True

    def _join(self, one: Token, other: Token) -> None:
        """Take in a link that comes behind all others of its two persons."""
        mine, theirs = self._node(one).root, self._node(other).root
        if mine == theirs:
            return
        members, others = self._members(mine), self._members(theirs)
        rule = forbids(slots_of(members), slots_of(others), self._rules)
        if rule is None and are_apart(members, others, self._apart([*members, *others])):
            rule = UNLINKED
        if rule is not None:
            self._refuse(one, other, rule)
            return
        together = [*members, *others]
        self._name(together, root_of(together, self._first(together), self._rules))

    def _settle(self) -> None:
        """Compute the persons around everything that is unsettled anew."""
        region = self._region()
        self.counts["computed_anew"] += len(region)
        links: dict[tuple[Token, Token], Pair] = {}
        shared: set[Token] = set()
        for token in region:
            node = self._node(token)
            if node.shared:
                shared.add(token)
            for peer, pair in node.pairs.items():
                if self._node(peer).shared:
                    shared.add(peer)
                links[(token, peer) if token < peer else (peer, token)] = pair
        found = persons(links, self._rules, shared)
        members: dict[Token, list[Token]] = {}
        for token in region:
            members.setdefault(found.root.get(token, token), []).append(token)
        for root, tokens in members.items():
            self._name(tokens, root)
        refused = {(refusal.one, refusal.other): refusal.rule for refusal in found.refused}
        for one, other in links:
            rule = refused.get((one, other))
            if rule is None or rule == SHARED:
                self._accept(one, other)
            else:
                self._refuse(one, other, rule)
        self._unsettled = {}

    def _region(self) -> list[Token]:
        """Every identifier whose person may hang on what is unsettled: what links lead to, but not by way of a
        shared one; and the members of their present persons.
        """
        seen: dict[Token, None] = dict.fromkeys(self._unsettled)
        waiting = list(seen)
        while waiting:
            token = waiting.pop()
            node = self._node(token)
            near = [] if node.shared else [peer for peer, pair in node.pairs.items() if is_link(pair)]
            for peer in [*near, *self._members(node.root)]:
                if peer not in seen and not self._node(peer).shared:
                    seen[peer] = None
                    waiting.append(peer)
        return list(seen)

    def _share(self, token: Token, node: Node) -> None:
        """See whether an identifier has become one that strangers share; then it leaves everyone."""
        linked = [peer for peer, pair in node.pairs.items() if pair.link is not None]
        if too_many(token, linked, self._rules):
            self._change(token, node)
            self._audit.identifier(token)
            for peer, pair in node.pairs.items():
                self._unsettle(token, peer)
                self._audit.link(min(token, peer), max(token, peer), pair)
                self._accept(min(token, peer), max(token, peer))
            self.counts["shared"] += 1
            self.counts["refused"] += len(node.pairs)
            node.shared, node.pairs = True, {}

    def _unsettle(self, *tokens: Token) -> None:
        for token in tokens:
            self._unsettled[token] = None
            # whoever is one person with it may be another's after this
            for member in self._members(self._node(token).root):
                self._unsettled[member] = None

    def _name(self, members: list[Token], root: Token) -> None:
        """Make these identifiers one person, named by `root`."""
        if len(members) > LARGE and at_one_time(members) > LARGE >= at_one_time(self._members(root)):
            self.counts["large"] += 1
        for token in members:
            node = self._node(token)
            kept = sorted(members) if token == root and len(members) > 1 else []
            if node.root != root:
                self._audit.identifier(token)
            if node.root != root or node.members != kept:
                self._before.setdefault(token, node.root)
                node = self._change(token, node)
                node.root, node.members = root, kept

    def _accept(self, one: Token, other: Token) -> None:
        node = self._node(one)
        if other in node.refused:
            del self._change(one, node).refused[other]
            self._audited(one, other)

    def _refuse(self, one: Token, other: Token, rule: LinkRule) -> None:
        node = self._node(one)
        if node.refused.get(other) != rule:
            self.counts["refused"] += 1
            self._change(one, node).refused[other] = rule
            self._audited(one, other)

    def _audited(self, one: Token, other: Token) -> None:
        pair = self._node(one).pairs.get(other) or self._node(other).pairs.get(one)
        if pair is not None:
            self._audit.link(one, other, pair)

    def _tell(self, outbox: Outbox) -> None:
        """Tell the identity partitions of every identifier whose person is another than before the batch, and everyone of
        what became of the links.
        """
        moved = {
            token: root
            for token, before in self._before.items()
            if (root := self._node(token).root) != before
        }
        self._before = {}
        if not moved and not self._audit.owes:
            return
        self._state.version += 1
        self._assign(moved, outbox)
        self._audit.publish(self._node, self._state.version, outbox)
        self._store.put(_STATE, _pack(self._state))

    def _assign(self, moved: dict[Token, Token], outbox: Outbox) -> None:
        config = self._config
        writer = FrameWriter(outbox, config.identity_topic, config.partitions)
        for token, root in moved.items():
            writer.add(partition_of_token(token, config.partitions), Assign(token, root, self._state.version))
        writer.flush()
        self.counts["assigned"] += len(moved)

    def _members(self, root: Token) -> list[Token]:
        return self._node(root).members or [root]

    def _first(self, members: Iterable[Token]) -> dict[Token, Said]:
        first: dict[Token, Said] = {}
        for token in members:
            links = [pair.link for pair in self._node(token).pairs.values() if pair.link is not None]
            if links:
                first[token] = min(links)
        return first

    def _apart(self, members: Iterable[Token]) -> dict[Token, list[Token]]:
        apart: dict[Token, list[Token]] = {}
        for token in members:
            against = [peer for peer, pair in self._node(token).pairs.items() if is_forbidden(pair)]
            if against:
                apart[token] = against
        return apart

    def _node(self, token: Token) -> Node:
        # one that the batch has changed may have been forgotten by `_hot` before the batch's end
        node = self._changed.get(token) or self._hot.get(token)
        if node is None:
            key = _NODE + token.encode()
            kept = self._store.get(key)
            node = _unpack(key, kept) if kept else Node(token)
            self._hot.put(token, node)
        return node

    def _change(self, token: Token, node: Node) -> Node:
        self._changed[token] = node
        # `_hot` may have forgotten this one, and unpacked another meanwhile
        self._hot.put(token, node)
        return node

    def _save(self) -> None:
        size = 0
        for token, node in self._changed.items():
            packed = _pack(node)
            size += len(packed)
            self._store.put(_NODE + token.encode(), packed)
        self._known.fit(size, len(self._changed))
        self._changed = {}


def _place(message: Heard) -> Said:
    pair = message.pair
    return pair.link or (pair.word[0] if pair.word else (0, "", ""))
