"""Laws of linked persons: whatever the order, each touchpoint ends at the person that the set of links says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from identity_world import IDENTITY, JOURNEYS, DictStore, FakeRecord, World
from laws import examples

from pipeline.core.budget import Budget
from pipeline.core.identity import Identity, IdentityConfig
from pipeline.core.instants import MINUTE
from pipeline.core.linker import Linker, LinkerConfig
from pipeline.core.linking import persons, rules_of, said, shared_by_strangers
from pipeline.core.messages import Claim, Entry, Heard, IdentityMessage, Pair, Route, Touchpoint
from pipeline.core.tokens import Tokens, person_of
from schemas.identifiers import IdentifierKind

LINKS, STATE = "identity.links", "journeys.state"
KINDS = {
    "customer": IdentifierKind(kind="personal", strength=900, unique=True),
    "email": IdentifierKind(kind="personal", strength=700, most_per_person=2),
    "device": IdentifierKind(kind="personal", strength=300, most_links=3),
    # the events' times are 0 to 20 minutes: two periods, at most two of them a person's in each
    "cookie": IdentifierKind(
        kind="personal", strength=200, lives=timedelta(minutes=11), most_links=2, most_per_person=1
    ),
    "order": IdentifierKind(kind="reference", strength=500),
    "ticket": IdentifierKind(kind="reference", strength=400, lives=timedelta(minutes=7)),
}
RULES = rules_of(KINDS)
PERSONAL = RULES.kinds
TOKENS = Tokens("a test's key", KINDS)


@dataclass(frozen=True)
class Said:
    """A touchpoint, or with `apart` a word on two identifiers."""

    id: str
    time: int
    identities: dict[str, str]
    apart: bool | None = None

    def messages(self) -> list[IdentityMessage]:
        tokens = {
            kind: TOKENS.token(kind, self.identities[kind], self.time * MINUTE)
            for kind in KINDS
            if kind in self.identities
        }
        personal = [token for kind, token in tokens.items() if kind in PERSONAL]
        place = (self.time, "shop", self.id)
        if self.apart is not None:
            pair = Pair(None if self.apart else place, (place, not self.apart))
            return [_heard(one, personal[0], pair) for one in personal[1:]]
        strongest = personal[0] if personal else next(iter(tokens.values()))
        touchpoint = Touchpoint(Entry(self.time, "", "shop", self.id, "a.b.c", b"", {}), b"{}")
        weaker = [token for kind, token in tokens.items() if kind not in PERSONAL and token != strongest]
        return [
            Route(strongest, (), touchpoint),
            *(Claim(token, strongest, *place) for token in weaker),
            *(_heard(token, strongest, Pair(place)) for token in personal[1:]),
        ]


def _heard(one: str, other: str, pair: Pair) -> Heard:
    ends = sorted((one, other))
    return Heard(ends[0], ends[1], pair)


class LinkedWorld(World):
    """As `World`, with a linker."""

    def __init__(self, random: Random, partitions: int) -> None:
        super().__init__(random, partitions)
        self.config = IdentityConfig(
            IDENTITY, JOURNEYS, partitions, ("shop/0",), KINDS, cache=Budget(4000), links_topic=LINKS
        )
        self.identity = [Identity(p, self.stores[p], self.config) for p in range(partitions)]
        self.links = DictStore()
        self.relink()

    def relink(self) -> None:
        self.linker = Linker(
            self.links, LinkerConfig(IDENTITY, STATE, self.partitions, RULES, cache=Budget(4000))
        )

    def step(self, only: str | None = None) -> bool:
        start = self.read.get((LINKS, 0), 0)
        waiting = self.logs.log(LINKS, 0)[start:]
        if waiting and (self.random.random() < 0.3 or not self.behind((IDENTITY, JOURNEYS))):
            records: list[FakeRecord] = waiting[: self.random.randint(1, 5)]
            self.linker.process(records, self.logs)
            self.read[LINKS, 0] = start + len(records)
            if self.random.random() < 0.1:
                self.relink()
            return True
        return super().step(only)


def expected_homes(heard: list[Said]) -> dict[str, list[str]]:
    messages = [message for each in heard for message in each.messages()]
    pairs: dict[tuple[str, str], Pair] = {}
    owner: dict[str, tuple[int, str, str, str]] = {}
    for message in messages:
        if isinstance(message, Heard):
            ends = (message.to, message.peer)
            pairs[ends] = said(pairs.get(ends), message.pair)
        elif isinstance(message, Claim):
            value = (message.time, message.source, message.id, message.owner)
            owner[message.to] = min(owner.get(message.to, value), value)
    root = persons(pairs, RULES, shared_by_strangers(pairs, RULES)).root

    def resolve(token: str) -> str:
        return resolve(owner[token][3]) if token in owner else root.get(token, token)

    routes = [message for message in messages if isinstance(message, Route)]
    return {route.touchpoint.entry.id: [person_of(resolve(route.to))] for route in routes}


IDENTITIES = st.fixed_dictionaries(
    {},
    optional={
        "customer": st.sampled_from("AB"),
        "email": st.sampled_from("ABC"),
        "device": st.sampled_from("12"),
        "cookie": st.sampled_from("12"),
        "order": st.sampled_from("12"),
        "ticket": st.sampled_from("1"),
    },
).filter(bool)
TOUCHPOINTS = st.tuples(st.integers(0, 20), IDENTITIES, st.none())
TWO = st.sampled_from(
    [("customer", "email"), ("email", "device"), ("customer", "device"), ("email", "cookie")]
)
WORDS = st.tuples(
    st.integers(0, 20),
    TWO.flatmap(lambda kinds: st.fixed_dictionaries({kind: st.sampled_from("AB1") for kind in kinds})),
    st.booleans(),
)
EVENTS = st.lists(st.one_of(TOUCHPOINTS, TOUCHPOINTS, TOUCHPOINTS, WORDS), min_size=1, max_size=14).map(
    lambda drawn: [Said(f"e{n}", *each) for n, each in enumerate(drawn)]
)


@settings(max_examples=examples(400), deadline=None)
@given(events=EVENTS, random=st.randoms(use_true_random=False), partitions=st.integers(1, 3))
def test_every_order_of_arrival_ends_with_each_touchpoint_at_the_same_person(
    events: list[Said], random: Random, partitions: int
) -> None:
    world = LinkedWorld(random, partitions)
    messages = [message for event in events for message in event.messages()]
    messages += messages[: len(messages) // 4]
    random.shuffle(messages)
    for message in messages:
        world.say([message])
        for _ in range(random.randint(0, 4)):
            world.step()
    world.settle()
    assert world.homes() == expected_homes(events)
