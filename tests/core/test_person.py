"""What a person is known by, however it came together."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journey_world import PLACED, Story

from pipeline.core.budget import Budget
from pipeline.core.messages import Entry
from pipeline.core.person import IDENTIFIERS, Person, new_person


def came_by(person: Person, name: str, *tokens: str) -> None:
    """A touchpoint comes by these identifiers."""
    steps = tuple((token, 0) for token in tokens)
    person.insert(Entry(0, "", "shop", name, "a.b.c", b"", {}), (steps, "born", 0))


@given(
    st.lists(st.lists(st.integers(0, 400), min_size=1, max_size=3, unique=True), max_size=80), st.randoms()
)
def test_a_person_is_known_by_the_least_of_its_identifiers_whenever_it_is_asked(
    ways: list[list[int]], random: Random
) -> None:
    person = new_person("00000000-0000-8000-8000-000000000000")
    for number, way in enumerate(ways):
        came_by(person, str(number), *(f"order_id:{place:03}" for place in way))
        if random.random() < 0.5:
            assert person.known_by() == sorted(person.trail.tokens())[:IDENTIFIERS]
    assert person.known_by() == sorted(person.trail.tokens())[:IDENTIFIERS]


def test_of_many_identifiers_the_first_are_named() -> None:
    person = new_person("00000000-0000-8000-8000-000000000000")
    assert person.known_by() == []
    for number in reversed(range(IDENTIFIERS + 50)):
        came_by(person, str(number), f"order_id:{number:03}")
    assert person.known_by() == [f"order_id:{number:03}" for number in range(IDENTIFIERS)]


@pytest.mark.parametrize("kept", [1, 1_000_000])
def test_what_every_touchpoint_says_is_held_once_however_it_came(kept: int) -> None:
    story = Story(cache=Budget(kept))
    for number in range(3):
        story.happens("2026-03-01 09:00", PLACED, name=f"e{number}")
        story.batch()
    entries = list(story.stage._memory.persons.get(story.person()).trail)
    assert len(entries) == 3
    assert len({id(entry.type) for entry in entries}) == len({id(entry.source) for entry in entries}) == 1
