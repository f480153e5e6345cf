"""The trail keeps its order, its index and its origins through every change."""

from __future__ import annotations

from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import examples

from pipeline.core.journey import order
from pipeline.core.messages import Entry
from pipeline.core.stored import Run
from pipeline.core.trail import SEGMENT, Segment, Trail

_unpack = msgspec.msgpack.Decoder(Run).decode


def entry(time: int, name: str) -> Entry:
    return Entry(time, "", "shop", name, "a.b.c", b"", {}, 0, ())


def check(trail: Trail, expected: dict[str, str]) -> None:
    """`expected`: id of each entry → the identifier that brought it."""
    entries = list(trail)
    assert entries == sorted(entries, key=order)
    assert {other.id for other in entries} == set(expected)
    assert {("shop", name) for name in expected} == set(trail.index)
    assert trail.tokens() == set(expected.values())
    for segment in trail.segments:
        assert len(segment.entries) <= SEGMENT
        assert segment.entries or len(trail.segments) == 1
        for other in segment.entries:
            assert segment.origins[other.path].steps[0][0] == expected[other.id]
            assert trail.segment_of(other) is segment
        stored = _unpack(segment.pack())
        assert (stored.entries, stored.origins) == (segment.entries, segment.origins)
    numbers = [segment.number for segment in trail.segments]
    assert numbers[-1] is None
    assert None not in numbers[:-1]
    assert not set(numbers) & set(trail.dropped)


@settings(max_examples=examples(150), deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 200))
def test_any_insertions_and_removals_leave_a_trail_in_order(random: Random, steps: int) -> None:
    trail = Trail([Segment([], [])])
    expected: dict[str, str] = {}
    for number in range(steps):
        choice = random.random()
        if choice < 0.75:
            name, token = f"e{number}", random.choice("abc")
            time = number if random.random() < 0.5 else random.randrange(steps)
            trail.add(entry(time, name), (((token, 0),), "", 0))
            expected[name] = token
        elif choice < 0.9 and expected:
            name = random.choice(sorted(expected))
            origin = trail.remove(trail.index["shop", name])
            assert origin.steps[0][0] == expected.pop(name)
        elif choice < 0.95 and len(trail.segments) > 1:
            for other in trail.cut()[1]:
                del expected[other.id]
        elif choice < 0.97:
            random.choice(trail.segments).seal()
        elif choice > 0.98:
            token = random.choice("abc")
            taken = {other.id for _, entries in trail.take(token, 1) for other in entries}
            assert taken == {name for name, by in expected.items() if by == token}
            for name in taken:
                del expected[name]
        check(trail, expected)


def test_taking_out_follows_the_version_of_the_step() -> None:
    trail = Trail([Segment([], [])])
    trail.add(entry(1, "old"), ((("order", 1), ("customer", 0)), "", 0))
    trail.add(entry(2, "new"), ((("order", 2), ("customer", 0)), "", 0))
    [(origins, entries)] = trail.take("order", 2)
    assert [other.id for other in entries] == ["old"]
    assert origins[entries[0].path].steps == (("order", 1), ("customer", 0))
    assert [other.id for other in trail] == ["new"]


def test_an_entry_that_changes_is_packed_anew() -> None:
    trail = Trail([Segment([], [])])
    trail.add(entry(1, "a"), ((("order", 1),), "", 0))
    trail.tail.pack()
    [kept] = trail
    kept.fields["data.x"] = 1
    trail.tail.change(kept)
    assert _unpack(trail.tail.pack()).entries[0].fields == {"data.x": 1}
