"""The linker: persons are a function of the set of what was said, whatever the order, the batches and the repetitions."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from identity_world import DictStore, Logs

from pipeline.core.frames import IDENTITY_FRAMES, FrameWriter
from pipeline.core.instants import DAY
from pipeline.core.linker import Linker, LinkerConfig, LinkRulesChangedError
from pipeline.core.linking import SHARED, is_forbidden, persons, rules_of, said, shared_by_strangers
from pipeline.core.messages import Assign, Heard, Pair
from pipeline.core.outputs import IdentifierState, LinkState
from pipeline.core.tokens import Tokens, person_of
from schemas.journey_map import IdentifierKind
from schemas.state import LinkRule

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
CONFIG = LinkerConfig(IDENTITY, STATE, PARTITIONS, RULES, hot_identifiers=4)


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


def test_a_link_makes_one_person_of_two_named_by_the_stronger() -> None:
    world = World()
    world.hear(link("e1", "c1", 5))
    assert world.persons() == {frozenset({"e1", "c1"})}
    assert world.owner("e1") == "c1"


def test_of_two_as_strong_the_one_that_was_linked_first_names_the_person() -> None:
    world = World()
    world.hear(link("e2", "d1", 5))
    world.hear(link("e1", "d1", 6))
    assert world.owner("e1") == world.owner("d1") == "e2"
    world.hear(link("e1", "d2", 4))
    assert world.owner("e2") == world.owner("d1") == world.owner("d2") == "e1"


def test_two_values_of_a_unique_kind_are_never_one_person_and_the_first_link_wins() -> None:
    world = World()
    world.hear(link("d1", "c1", 5), link("d1", "c2", 6))
    assert world.persons() == {frozenset({"d1", "c1"})}
    world.hear(link("d1", "c2", 4))
    assert world.persons() == {frozenset({"d1", "c2"})}


def test_a_person_has_no_more_identifiers_of_a_kind_than_it_may() -> None:
    world = World()
    world.hear(link("e1", "c1", 1), link("e2", "c1", 2), link("e3", "c1", 3))
    assert world.persons() == {frozenset({"e1", "e2", "c1"})}


def test_what_is_linked_to_too_many_joins_nobody() -> None:
    world = World()
    world.hear(link("d1", "e1", 1), link("d1", "e2", 2), link("d1", "c1", 3))
    assert world.persons() == {frozenset({"d1", "e1", "e2", "c1"})}
    world.hear(link("d1", "c2", 4))
    assert world.persons() == set()


def test_a_person_has_no_more_of_a_kind_with_a_life_time_than_it_may_in_one_period() -> None:
    world = World()
    world.hear(link("c1", "b01", 1), link("c1", "b11", 2), link("c1", "b21", 3))
    assert world.persons() == {frozenset({"c1", "b01", "b11"})}
    later = [link("c1", f"b{day % 2}{day}", 10 + day) for day in range(2, 20)]
    world.hear(*later)
    assert world.persons() == {frozenset({"c1", "b01", "b11", *(f"b{day % 2}{day}" for day in range(2, 20))})}


def test_what_is_linked_to_few_in_each_period_is_not_shared_and_to_too_many_in_one_it_is() -> None:
    world = World()
    world.hear(*[link("d1", f"b0{day}", day) for day in range(1, 10)], link("d1", "e1", 20))
    assert len(max(world.persons())) == 11
    world.hear(link("d1", "b13", 21))
    assert len(max(world.persons())) == 12
    world.hear(link("d1", "b23", 22))
    assert world.persons() == set()


def test_unlinking_parts_two_as_the_links_that_are_left_say() -> None:
    world = World()
    world.hear(link("d1", "c1", 1), link("d1", "e1", 2), link("e1", "d2", 3))
    world.hear(word("d1", "e1", 9, are_one=False))
    assert world.persons() == {frozenset({"d1", "c1"}), frozenset({"e1", "d2"})}


def test_a_later_link_does_not_undo_an_unlinking_not_even_by_a_detour() -> None:
    world = World()
    world.hear(link("d1", "e1", 1), word("d1", "e1", 9, are_one=False))
    world.hear(link("d1", "e1", 20), link("d1", "d2", 21), link("d2", "e1", 22))
    assert world.persons() == {frozenset({"d1", "d2"})}


def test_a_later_word_by_name_does() -> None:
    world = World()
    world.hear(link("d1", "e1", 1), word("d1", "e1", 9, are_one=False))
    world.hear(word("d1", "e1", 30, are_one=True))
    assert world.persons() == {frozenset({"d1", "e1"})}


def test_what_is_said_again_says_nothing() -> None:
    world = World()
    world.hear(link("d1", "e1", 1))
    assert world.hear(link("d1", "e1", 1), link("d1", "e1", 7)) == []
    assert world.linker.counts["repeated"] == 2


def with_rules(**changes: dict[str, object]) -> LinkerConfig:
    """The usual rules with some of a kind's changed."""
    kinds = {name: kind.model_copy(update=changes.get(name, {})) for name, kind in KINDS.items()}
    return replace(CONFIG, rules=rules_of(kinds))


def test_persons_follow_rules_that_have_changed() -> None:
    world = World()
    world.hear(link("d1", "e1", 1), link("d1", "e2", 2), link("e3", "d2", 3), link("e3", "c1", 4))
    world.restart(with_rules(email={"most_per_person": 1}))
    assert world.linker.owes
    world.calm_down()
    assert world.persons() == {frozenset({"d1", "e1"}), frozenset({"e3", "d2", "c1"})}
    assert world.became_of("d1", "e2") == ("refused", "full")
    world.restart(with_rules(email={"most_per_person": 2}))
    world.calm_down()
    assert world.persons() == {frozenset({"d1", "e1", "e2"}), frozenset({"e3", "d2", "c1"})}


@pytest.mark.parametrize(
    "changes",
    [
        {"device": {"most_links": 4}},
        {"device": {"strength": 2}},
        {"device": {"kind": "reference"}},
        {"email": {"case_sensitive": False}},
        {"device": {"lives": timedelta(days=1)}},
    ],
)
def test_rules_that_ask_for_what_is_not_kept_are_refused(changes: dict[str, dict[str, object]]) -> None:
    world = World()
    world.hear(link("d1", "e1", 1))
    if "strength" in changes.get("device", {}):
        changes = {**changes, "email": {"strength": 1}}
    with pytest.raises(LinkRulesChangedError, match="most_links"):
        world.restart(with_rules(**changes))


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


@settings(max_examples=400, deadline=None)
@given(messages, st.randoms(use_true_random=False))
def test_whatever_the_order_persons_are_those_of_the_set_of_what_was_said(
    heard: list[Heard], random: object
) -> None:
    world = World()
    order = [*heard, *heard[: len(heard) // 3]]
    random.shuffle(order)  # type: ignore[attr-defined]
    while order:
        count = random.randint(1, 6)  # type: ignore[attr-defined]
        world.hear(*order[:count])
        del order[:count]
        if random.random() < 0.2:  # type: ignore[attr-defined]
            world.restart()
    pairs = everything(heard)
    expected = persons(pairs, RULES, shared_by_strangers(pairs, RULES))
    told = {name: world.owner(NAMES[name]) for name in expected.root}
    assert told == {name: NAMES[root] for name, root in expected.root.items()}


@settings(max_examples=300, deadline=None)
@given(messages, st.randoms(use_true_random=False))
def test_whatever_the_order_what_was_told_last_is_what_became_of_each_link(
    heard: list[Heard], random: object
) -> None:
    world = World()
    order = everyone_hears(heard, random)
    while order:
        count = random.randint(1, 6)  # type: ignore[attr-defined]
        world.hear(*order[:count])
        del order[:count]
        if random.random() < 0.2:  # type: ignore[attr-defined]
            world.restart()
    pairs = everything(heard)
    shared = shared_by_strangers(pairs, RULES)
    root, refused = persons(pairs, RULES, shared)
    rules: dict[tuple[str, str], LinkRule] = {(each.one, each.other): each.rule for each in refused}
    links = {key: state for key, state in world.states.items() if isinstance(state, LinkState)}
    assert len(links) == len(pairs)
    for state in links.values():
        pair = pairs[state.one, state.other]
        rule = SHARED if {state.one, state.other} <= shared else rules.get((state.one, state.other))
        status = "unlinked" if is_forbidden(pair) else "joined" if rule is None else "refused"
        assert (state.status, state.rule) == (status, None if status == "unlinked" else rule)
        assert (state.linked_id, state.said_one) == (pair.link and pair.link[2], pair.word and pair.word[1])
    identifiers = {
        state.identifier: state for state in world.states.values() if isinstance(state, IdentifierState)
    }
    assert {name: state.named_by for name, state in identifiers.items()} == root
    assert {name for name, state in identifiers.items() if state.shared} == shared
    assert all(state.person_id == person_of(state.named_by) for state in identifiers.values())


@settings(max_examples=150, deadline=None)
@given(
    messages, messages, st.randoms(use_true_random=False), st.integers(1, 2), st.integers(1, 3), st.booleans()
)
def test_persons_are_those_of_the_new_rules_whatever_was_heard_before_and_after_the_change(
    before: list[Heard], after: list[Heard], random: object, most: int, links: int, unique: bool
) -> None:
    world = World()
    for message in everyone_hears(before, random):
        world.hear(message)
    config = with_rules(
        email={"most_per_person": most, "unique": unique},
        device={"most_links": links},
        customer={"unique": not unique},
    )
    world.restart(config)
    for message in everyone_hears([*before, *after], random):
        world.hear(message)
        if random.random() < 0.1:  # type: ignore[attr-defined]
            world.restart()
    world.calm_down()
    pairs = everything([*before, *after])
    expected = persons(pairs, config.rules, shared_by_strangers(pairs, config.rules))
    told = {name: world.owner(NAMES[name]) for name in expected.root}
    assert told == {name: NAMES[root] for name, root in expected.root.items()}


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


def test_a_refused_link_is_told_with_its_rule_its_touchpoint_and_the_two_persons() -> None:
    world = World()
    world.hear(link("d1", "c1", 5), link("d1", "c2", 6, "wrong"))
    assert world.became_of("d1", "c1") == ("joined", None)
    assert world.became_of("d1", "c2") == ("refused", "unique")
    state = world.states["link:{}/{}".format(*sorted((token("d1"), token("c2")))).encode()]
    assert isinstance(state, LinkState)
    assert (state.linked_source, state.linked_id) == ("shop", "wrong")
    whose = dict(zip((state.one, state.other), state.persons, strict=True))
    assert whose == {token("d1"): person_of(token("c1")), token("c2"): person_of(token("c2"))}


def test_a_link_that_an_earlier_one_pushes_out_is_told_again() -> None:
    world = World()
    world.hear(link("d1", "c1", 5))
    world.hear(link("d1", "c2", 4))
    assert world.became_of("d1", "c1") == ("refused", "unique")
    assert world.became_of("d1", "c2") == ("joined", None)


def test_all_links_of_an_identifier_that_strangers_share_are_refused() -> None:
    world = World()
    others = ["e0", "e1", "c0", "e2", "e3"]
    for number, other in enumerate(others):
        world.hear(link("d1", other, number))
    assert {world.became_of("d1", other) for other in others} == {("refused", "shared")}
    assert world.linker.counts["refused"] == 5
    assert world.linker.counts["shared"] == 1


def test_nothing_is_kept_of_the_links_of_a_shared_identifier() -> None:
    world = World()
    for number in "0123456789":
        world.hear(link("d1", f"e{number}", int(number)))
    sizes = {len(value) for key, value in world.store.items() if token("d1").encode() in key}
    one_more = World()
    for number in "0123":
        one_more.hear(link("d1", f"e{number}", int(number)))
    assert sizes == {len(value) for key, value in one_more.store.items() if token("d1").encode() in key}


def test_a_person_of_many_identifiers_is_counted_once_and_periods_are_not_many() -> None:
    dated = {**KINDS, "device": IdentifierKind(kind="personal", strength=1, lives=timedelta(days=1))}
    kinds = {**dated, "email": IdentifierKind(kind="personal", strength=2)}
    tokens, rules = Tokens("a test's key", kinds), rules_of(kinds)
    customer = tokens.token("customer", "1")

    def hear(world: World, others: list[str]) -> int:
        for time, other in enumerate(others):
            one, peer = sorted((customer, other))
            world.hear(Heard(one, peer, Pair((time, "shop", str(time)))))
        return world.linker.counts["large"]

    days = [tokens.token("device", "d", day * 24 * 3600 * 1_000_000) for day in range(40)]
    assert hear(World(replace(CONFIG, rules=rules)), days) == 0
    assert hear(World(replace(CONFIG, rules=rules)), [tokens.token("email", str(n)) for n in range(40)]) == 1
