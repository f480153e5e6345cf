"""A linker whose rules have changed: its persons follow them, or it says what can't be followed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import examples
from linker_world import NAMES, World, everyone_hears, everything, link, messages, with_rules

from pipeline.core.linker import LinkRulesChangedError
from pipeline.core.linking import persons, shared_by_strangers
from pipeline.core.messages import Heard


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


@settings(max_examples=examples(150), deadline=None)
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
