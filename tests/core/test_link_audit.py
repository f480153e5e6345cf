"""What the linker tells of each link and each identifier is, in the end, what became of it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from laws import examples
from linker_world import RULES, World, everyone_hears, everything, link, messages, token

from pipeline.core.linking import SHARED, is_forbidden, persons, shared_by_strangers
from pipeline.core.messages import Heard
from pipeline.core.outputs import IdentifierState, LinkState
from pipeline.core.tokens import person_of
from schemas.state import LinkRule


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


@settings(max_examples=examples(300), deadline=None)
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
