"""A linker over a store, what it is told and what it tells; and random worlds of links and words, for its tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import msgspec
from hypothesis import strategies as st
from identity_world import DictStore, Logs

from pipeline.core.budget import Budget
from pipeline.core.frames import IDENTITY_FRAMES, FrameWriter
from pipeline.core.instants import DAY
from pipeline.core.linker import Linker, LinkerConfig
from pipeline.core.linking import rules_of, said
from pipeline.core.messages import Assign, Heard, Pair
from pipeline.core.outputs import IdentifierState, LinkState
from pipeline.core.tokens import Tokens
from schemas.identifiers import IdentifierKind

LINKS, IDENTITY, STATE, PARTITIONS = "identity.links", "identity.touchpoints", "journeys.state", 3


KINDS = {
    "customer": IdentifierKind(kind="personal", strength=3, unique=True),
    "email": IdentifierKind(kind="personal", strength=2, most_per_person=2),
    "device": IdentifierKind(kind="personal", strength=1, most_links=3),
    "browser": IdentifierKind(
        kind="personal", strength=1, most_links=2, most_per_person=2, lives=timedelta(days=1)
    ),
}
RULES = rules_of(KINDS)
TOKENS = Tokens("a test's key", KINDS)
CONFIG = LinkerConfig(IDENTITY, STATE, PARTITIONS, RULES, cache=Budget(4000))


def token(name: str) -> str:
    """`c1` is the customer 1, `e1` the e-mail address, `d1` the device, `b12` the browser 1 on day 2."""
    kind = {"c": "customer", "e": "email", "d": "device", "b": "browser"}[name[0]]
    return TOKENS.token(kind, name[1], int(name[2:] or 0) * DAY)


read_state = msgspec.json.Decoder(LinkState | IdentifierState).decode
NAMES = {token(kind + number): kind + number for kind in "ced" for number in "0123456789"} | {
    token(f"b{number}{day}"): f"b{number}{day}" for number in "0123456789" for day in range(20)
}


def link(one: str, other: str, time: int, name: str = "x") -> Heard:
    return _heard(one, other, Pair((time, "shop", name), None))


def word(one: str, other: str, time: int, are_one: bool) -> Heard:
    place = (time, "desk", "w")
    return _heard(one, other, Pair(place if are_one else None, (place, are_one)))


def _heard(one: str, other: str, pair: Pair) -> Heard:
    ends = sorted((token(one), token(other)))
    return Heard(ends[0], ends[1], pair)


class World:
    """A linker over its store, and what the identity partitions were told."""

    def __init__(self, config: LinkerConfig = CONFIG) -> None:
        self.store, self.config = DictStore(), config
        self.linker = Linker(self.store, config)
        self.told: dict[str, Assign] = {}
        self.states: dict[bytes, LinkState | IdentifierState] = {}

    def hear(self, *messages: Heard) -> list[Assign]:
        heard, outbox = Logs(), Logs()
        writer = FrameWriter(heard, LINKS, 1)
        for message in messages:
            writer.add(0, message)
        writer.flush()
        self.linker.process(heard.log(LINKS, 0), outbox)
        return self._hear_of(outbox)

    def _hear_of(self, outbox: Logs) -> list[Assign]:
        for partition in range(PARTITIONS):
            for record in outbox.log(STATE, partition):
                self._read(record.key or b"", read_state(record.value or b""))
        told = [
            message
            for partition in range(PARTITIONS)
            for record in outbox.log(IDENTITY, partition)
            for message in IDENTITY_FRAMES.decode(record)
        ]
        for message in told:
            assert isinstance(message, Assign)
            known = self.told.get(message.to)
            assert known is None or known.version < message.version
            self.told[message.to] = message
        return [message for message in told if isinstance(message, Assign)]

    def _read(self, key: bytes, state: LinkState | IdentifierState) -> None:
        known = self.states.get(key)
        assert known is None or known.version < state.version
        self.states[key] = state

    def became_of(self, one: str, other: str) -> tuple[str, str | None]:
        """Status and rule of a link, as published."""
        state = self.states["link:{}/{}".format(*sorted((token(one), token(other)))).encode()]
        assert isinstance(state, LinkState)
        return state.status, state.rule

    def restart(self, config: LinkerConfig | None = None) -> None:
        self.config = config or self.config
        self.linker = Linker(self.store, self.config)

    def calm_down(self) -> None:
        """Silence, until there is nothing left to do in it."""
        while self.linker.owes:
            outbox = Logs()
            assert self.linker.quiet(0, outbox)
            self._hear_of(outbox)
        assert not self.linker.quiet(0, Logs())

    def persons(self) -> set[frozenset[str]]:
        """Who is one person with whom, by name; who stands alone is left out."""
        found: dict[str, set[str]] = {}
        for to, message in self.told.items():
            found.setdefault(message.owner, {message.owner}).add(to)
        return {frozenset(NAMES[name] for name in members) for members in found.values() if len(members) > 1}

    def owner(self, name: str) -> str:
        told = self.told.get(token(name))
        return NAMES[told.owner] if told else name


def everything(messages: list[Heard]) -> dict[tuple[str, str], Pair]:
    pairs: dict[tuple[str, str], Pair] = {}
    for message in messages:
        ends = (message.to, message.peer)
        pairs[ends] = said(pairs.get(ends), message.pair)
    return pairs


def with_rules(**changes: dict[str, object]) -> LinkerConfig:
    """The usual rules with some of a kind's changed."""
    kinds = {name: kind.model_copy(update=changes.get(name, {})) for name, kind in KINDS.items()}
    return replace(CONFIG, rules=rules_of(kinds))


def everyone_hears(heard: list[Heard], random: object) -> list[Heard]:
    """In any order, some twice; each with everything that was said of its pair so far, as identity passes it on."""
    order = [*heard, *heard[: len(heard) // 3]]
    random.shuffle(order)  # type: ignore[attr-defined]
    known: dict[tuple[str, str], Pair] = {}
    told = []
    for message in order:
        ends = (message.to, message.peer)
        pair = said(known.get(ends), message.pair)
        if pair != known.get(ends):
            known[ends] = pair
            told.append(Heard(*ends, pair))
    return told


names = st.sampled_from(
    [kind + number for kind in "ced" for number in "012"] + ["b00", "b10", "b20", "b01", "b11"]
)
times = st.integers(1, 30)
pairs_of_names = st.tuples(names, names).filter(lambda pair: pair[0] != pair[1])
links = st.builds(
    lambda pair, time, name: link(*pair, time, name), pairs_of_names, times, st.sampled_from("xyz")
)
words = st.builds(
    lambda pair, time, are_one: word(*pair, time, are_one), pairs_of_names, times, st.booleans()
)
messages = st.lists(st.one_of(links, links, links, words), max_size=40)
