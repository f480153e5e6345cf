"""Events come out in one order, whatever order they came in and however few may be in memory."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from pipeline.imports.ordered import Sortable, Sorter, sequence_order

events = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.sampled_from(["", "00011", "000212"]),
        st.sampled_from(["a", "b"]),
        st.text(max_size=3),
        st.just("sales"),
        st.binary(max_size=2),
        st.binary(max_size=4),
    )
)


def sorted_with(items: list[Sortable], in_memory: int, every: int) -> list[Sortable]:
    sorter = Sorter(in_memory)
    for number, item in enumerate(items):
        sorter.add(item)
        if number % every == 0:
            sorter.relieve()
    return list(sorter.drain())


@given(items=events, in_memory=st.integers(1, 20), every=st.integers(1, 7))
def test_the_order_is_that_of_sorting_all_at_once(items: list[Sortable], in_memory: int, every: int) -> None:
    assert sorted_with(items, in_memory, every) == sorted(items)


def test_hundreds_of_spilled_runs_are_merged() -> None:
    items = [(time, "", "s", str(time), "sales", b"k", b"v" * 50) for time in range(2000)]
    random.Random(7).shuffle(items)
    assert sorted_with(items, in_memory=10, every=1) == sorted(items)


def test_a_drained_sorter_is_empty() -> None:
    sorter = Sorter(10)
    sorter.add((1, "", "s", "a", "sales", b"", b""))
    assert len(list(sorter.drain())) == 1
    assert list(sorter.drain()) == []


@given(numbers=st.lists(st.integers(0, 10**15), min_size=1))
def test_numbers_in_sequences_sort_by_size(numbers: list[int]) -> None:
    assert sorted(numbers) == [int(n) for n in sorted(map(str, numbers), key=sequence_order)]


def test_sequences_of_numbered_parts_sort_part_by_part() -> None:
    assert sorted(["2.10", "2.9", "10.1", "02.1"], key=sequence_order) == ["02.1", "2.9", "2.10", "10.1"]
