"""The linker: persons are a function of the set of what was said, whatever the order, the batches and the repetitions."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from laws import examples
from linker_world import CONFIG, KINDS, NAMES, RULES, World, everything, link, messages, word

from pipeline.core.linking import persons, rules_of, shared_by_strangers
from pipeline.core.messages import Heard, Pair
from pipeline.core.tokens import Tokens
from schemas.identifiers import IdentifierKind


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


@settings(max_examples=examples(400), deadline=None)
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
