"""Identity: whose is it? One partition of `identity.touchpoints` in, `journeys.touchpoints` out.

In come routes, claims, parcels, departures and marks, in frames. A personal identifier names its person; it
has no state here. A reference is settled in its partition, asking no one: its owner is the least of its
claimants by (time, source, id), so the order in which claims come does not matter, and its `version` counts
its changes of owner.

What always holds:
- The claims of a batch are heard first: the order of arrival decides nothing, and what came before its claim
  then need not be called back.
- A claim counts only if its owner's kind is stronger than the reference's own, so a chain of references ends.
- Whatever was sent on under an older version is followed by a `Release` or a `Depart`, in the order of its
  channel.
- A reference remembers what departed through it. A parcel that comes late with an older step is sent the same
  way as any other, and the departure once more behind it: the reference's owner may have changed since. So a
  parcel comes back by the identifier that gave it up, and none can leave a person before its departure is there
  without meeting it on the way.
- A mark leaves after everything that it speaks of, in every partition, and never goes back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from pipeline.core.budget import Budget
from pipeline.core.frames import Frames, FrameWriter
from pipeline.core.identity_marks import IdentityMarks
from pipeline.core.kinds import IdentifierKind, most_forwards, ranks
from pipeline.core.linking import said
from pipeline.core.messages import (
    Assign,
    Claim,
    Depart,
    Heard,
    IdentityMark,
    Micros,
    Pair,
    PassingArrive,
    PassingCarry,
    PassingMessage,
    PassingReceive,
    PassingRoute,
    Release,
    Steps,
    Token,
)
from pipeline.core.recent import Ration
from pipeline.core.stored import Reference, reader
from pipeline.core.tokens import kind_of, partition_of_person, partition_of_token, person_of
from pipeline.ports import Outbox, Record, Store

CLAIMANTS: Final = 4
"""Claims kept of a reference: the owner's and the next ones in line."""
DEPARTURES: Final = 256
"""Departures remembered by a reference; they matter only while a parcel of an older step is under way."""
_REFERENCE: Final = b"r"


@dataclass(frozen=True)
class IdentityConfig:
    """`sources` are the channels of all ingest partitions, each `topic/partition`.

    `links_topic` is the linker's, None where nothing can link two personal identifiers. What was used lately is kept
    unpacked within `cache`, which all partitions of a worker share.
    """

    identity_topic: str
    journeys_topic: str
    partitions: int
    sources: tuple[str, ...]
    kinds: Mapping[str, IdentifierKind]
    links_topic: str | None = None
    cache: Budget = field(default_factory=Budget)


_FRAMES: Frames[PassingMessage] = Frames(PassingMessage)


_PAIR: Final = b"k"
_pack: Final = msgspec.msgpack.Encoder().encode
_unpack_pair: Final = reader(Pair)
_unpack: Final = reader(Reference)


class Identity:
    """The logic of one partition of `identity.touchpoints`.

    `counts` counts, since this object was built: `claims`, `refused_links` (a second owner), `void_claims`
    (of an owner that is not stronger), `departures`.
    """

    _identity: FrameWriter
    _journeys: FrameWriter
    _links: FrameWriter | None

    def __init__(self, partition: int, store: Store, config: IdentityConfig) -> None:
        self.counts: Counter[str] = Counter()
        self._config = config
        self._store = store
        self._ranks = ranks(config.kinds)
        personal = frozenset(name for name, kind in config.kinds.items() if kind.kind == "personal")
        # an identifier of these kinds names its person, whoever is asked
        self._settled = personal if config.links_topic is None else frozenset()
        self._known_references: Ration[Token, Reference] = Ration(config.cache)
        self._references = self._known_references.recent
        self._changed: dict[Token, Reference] = {}
        self._known_pairs: Ration[tuple[Token, Token], Pair] = Ration(config.cache)
        self._pairs = self._known_pairs.recent
        # to the personal identifier, and from there to the one that names the person
        levels = most_forwards(config.kinds) + (0 if config.links_topic is None else 2)
        self._marks = IdentityMarks(partition, config.partitions, config.sources, levels, store)

    @property
    def watermark(self) -> Micros | None:
        """What the journeys may rely on; None until every source has spoken."""
        return self._marks.time

    def process(self, records: Iterable[Record], outbox: Outbox) -> None:
        config = self._config
        self._identity = FrameWriter(outbox, config.identity_topic, config.partitions)
        self._journeys = FrameWriter(outbox, config.journeys_topic, config.partitions)
        self._links = FrameWriter(outbox, config.links_topic, 1) if config.links_topic else None
        others: list[PassingMessage] = []
        for record in records:
            for message in _FRAMES.decode(record):
                if type(message) is Claim:
                    self._claim(message)
                elif isinstance(message, Heard | Assign):
                    self._link(message)
                else:
                    others.append(message)
        route = self._route
        for message in others:
            if type(message) is PassingRoute:
                route(message)
            else:
                self._other(message)
        self._marks.send(self._identity, self._journeys)
        self._identity.flush()
        self._journeys.flush()
        if self._links is not None:
            self._links.flush()
        self._save()

    def quiet(self, now: int, outbox: Outbox) -> bool:  # noqa: ARG002 - the protocol's signature
        """Silence says nothing here: time comes in marks. Others may need the memory."""
        self._known_references.fit()
        self._known_pairs.fit()
        return False

    @property
    def owes(self) -> bool:
        """Nothing is ever put off here."""
        return False

    def _other(self, message: PassingMessage) -> None:
        if isinstance(message, IdentityMark):
            self._marks.hear(message)
        elif isinstance(message, PassingCarry):
            self._carry(message)
        elif isinstance(message, Depart):
            self._depart(message)

    def _route(self, message: PassingRoute) -> None:
        to, path = message.to, message.path
        if kind_of(to) in self._settled:
            self._tell(PassingArrive(person_of(to), (*path, (to, 0)), message.touchpoint))
            return
        reference = self._pass(to)
        path = (*path, (to, reference.version))
        if reference.claims:
            self._forward(PassingRoute(reference.claims[0][3], path, message.touchpoint))
        else:
            self._tell(PassingArrive(person_of(to), path, message.touchpoint))
        if reference.departed:
            self._chase(to, reference, path)

    def _carry(self, message: PassingCarry) -> None:
        to, parcel = message.to, message.parcel
        reference = None if kind_of(to) in self._settled else self._pass(to)
        step = (to, reference.version if reference else 0)
        origins = [msgspec.structs.replace(origin, steps=(*origin.steps, step)) for origin in parcel.origins]
        parcel = msgspec.structs.replace(parcel, origins=origins)
        owner = reference.owner if reference else None
        if owner is None:
            self._tell(PassingReceive(person_of(to), parcel))
        else:
            self._forward(PassingCarry(owner, parcel))
        if reference and reference.departed:
            self._chase(to, reference, tuple([step for origin in origins for step in origin.steps]))

    def _chase(self, to: Token, reference: Reference, steps: Steps) -> None:
        """Send the departures of older steps once more, behind what has just been sent on."""
        departed = reference.departed
        for identifier in dict.fromkeys([token for token, _ in steps if token in departed]):
            version, via = departed[identifier]
            if any(token == identifier and passed < version for token, passed in steps):
                self._resolve(Depart(to, identifier, version, via), reference)

    def _depart(self, message: Depart) -> None:
        self.counts["departures"] += 1
        if kind_of(message.to) in self._settled:
            self._release(message)
            return
        reference = self._reference(message.to)
        version, via = max(
            (message.version, message.via), reference.departed.pop(message.identifier, (0, ""))
        )
        reference.departed[message.identifier] = (version, via)
        if len(reference.departed) > DEPARTURES:
            del reference.departed[next(iter(reference.departed))]
        self._changed[message.to] = reference
        if reference.passed:
            self._resolve(Depart(message.to, message.identifier, version, via), reference)

    def _resolve(self, message: Depart, reference: Reference) -> None:
        owner = reference.owner
        if owner is None:
            self._release(message)
        else:
            self._forward(msgspec.structs.replace(message, to=owner))

    def _release(self, message: Depart) -> None:
        self._tell(Release(person_of(message.to), message.identifier, message.version, message.via))

    def _claim(self, message: Claim) -> None:
        to, owner = message.to, message.owner
        if self._ranks.get(kind_of(owner), -1) <= self._ranks.get(kind_of(to), -1):
            self.counts["void_claims"] += 1
            return
        self.counts["claims"] += 1
        reference = self._reference(to)
        before = reference.owner
        claims = _with_claim(reference.claims, (message.time, message.source, message.id, owner))
        if claims == reference.claims:
            self.counts["refused_links"] += owner != before
            return
        reference.claims = claims
        self._changed[to] = reference
        if before != claims[0][3]:
            reference.version += 1
            self._call_back(to, before, claims[0][3], reference)
        self.counts["refused_links"] += before is not None and before != owner

    def _call_back(self, to: Token, before: Token | None, via: Token, reference: Reference) -> None:
        """What was sent on under the old owner has to follow the new one."""
        if not reference.passed:
            return
        if before is None:
            self._tell(Release(person_of(to), to, reference.version, via))
        else:
            self._forward(Depart(before, to, reference.version, via))

    def _link(self, message: Heard | Assign) -> None:
        if isinstance(message, Assign):
            self._assign(message)
        elif self._links is not None:
            key = (message.to, message.peer)
            known = self._pair(key)
            pair = said(known, message.pair)
            if pair == known:
                return
            self.counts["links"] += 1
            self._pairs.put(key, pair)
            self._store.put(_pair_key(key), _pack(pair))
            self._links.add(0, Heard(message.to, message.peer, pair))

    def _pair(self, key: tuple[Token, Token]) -> Pair | None:
        known = self._pairs.get(key)
        if known is None and (stored := self._store.get(_pair_key(key))):
            known = _unpack_pair(_pair_key(key), stored)
        return known

    def _assign(self, message: Assign) -> None:
        """The linker has said whose a personal identifier is; it is its own or another's that is its own."""
        self.counts["assigned"] += 1
        to, reference = message.to, self._reference(message.to)
        before = reference.owner
        reference.claims = [] if message.owner == to else [(0, "", "", message.owner)]
        reference.version = message.version
        self._changed[to] = reference
        self._call_back(to, before, message.owner, reference)

    def _forward(self, message: PassingRoute | PassingCarry | Depart) -> None:
        """To the partition that knows whose `message.to` is. Of a personal identifier every partition does."""
        if kind_of(message.to) not in self._settled:
            self._identity.add(partition_of_token(message.to, self._config.partitions), message)
        elif type(message) is PassingRoute:
            self._route(message)
        else:
            self._other(message)

    def _tell(self, message: PassingArrive | PassingReceive | Release) -> None:
        self._journeys.add(partition_of_person(message.person, self._config.partitions), message)

    def _pass(self, token: Token) -> Reference:
        """The reference, through which something is about to pass."""
        reference = self._references.get(token) or self._reference(token)
        if not reference.passed:
            reference.passed = True
            self._changed[token] = reference
        return reference

    def _reference(self, token: Token) -> Reference:
        # a changed one may have been forgotten by `_references` before the batch's end
        reference = self._references.get(token) or self._changed.get(token)
        if reference is None:
            key = _REFERENCE + token.encode()
            stored = self._store.get(key)
            reference = _unpack(key, stored) if stored else Reference()
        self._references.put(token, reference)
        return reference

    def _save(self) -> None:
        size = 0
        for token, reference in self._changed.items():
            packed = _pack(reference)
            size += len(packed)
            self._store.put(_REFERENCE + token.encode(), packed)
        self._known_references.fit(size, len(self._changed))
        self._known_pairs.fit()
        self._changed = {}


def _pair_key(pair: tuple[Token, Token]) -> bytes:
    return _PAIR + "\0".join(pair).encode()


def _with_claim(
    claims: list[tuple[Micros, str, str, Token]], claim: tuple[Micros, str, str, Token]
) -> list[tuple[Micros, str, str, Token]]:
    """`claims` and one more: the least of each owner, in order, bounded."""
    if not claims:
        return [claim]
    for known in claims:
        if known[3] == claim[3]:
            if known <= claim:
                return claims
            claims = [other for other in claims if other is not known]
            break
    return sorted([*claims, claim])[:CLAIMANTS]
