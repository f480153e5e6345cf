"""A look-up answers the same from memory and from disk."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.imports.lookups import ABSENT, AMBIGUOUS, Index

pairs = st.lists(
    st.tuples(
        st.text(alphabet="abc", max_size=2),
        st.none() | st.integers(0, 2) | st.sampled_from([0.0, 1.0, 0.5]) | st.text(max_size=2),
    ),
    max_size=40,
)


@given(given_pairs=pairs, in_memory=st.sampled_from([0, 3, 100]))
def test_a_key_has_its_value_unless_rows_differ(given_pairs: list[tuple[str, Any]], in_memory: int) -> None:
    index = Index(in_memory)
    expected: dict[str, list[Any]] = {}
    for key, value in given_pairs:
        index.add(key, value)
        expected.setdefault(key, []).append(value)
    for key, values in expected.items():
        alike = all(value == values[0] for value in values)
        assert index.get(key) == (values[0] if alike else AMBIGUOUS)
    assert index.get("never") is ABSENT
    index.close()


@given(given_pairs=pairs, in_memory=st.sampled_from([0, 3, 100]))
def test_keys_count_once(given_pairs: list[tuple[str, Any]], in_memory: int) -> None:
    index = Index(in_memory)
    for key, value in given_pairs:
        index.add(key, value)
    assert index.count() == len({key for key, _ in given_pairs})
    index.close()


@pytest.mark.parametrize("in_memory", [0, 10])
def test_rows_that_differ_stay_ambiguous_when_the_first_value_comes_again(in_memory: int) -> None:
    index = Index(in_memory)
    for value in ("x", "y", "x"):
        index.add("key", value)
    assert index.get("key") is AMBIGUOUS
    index.close()


@pytest.mark.parametrize("in_memory", [0, 10])
@pytest.mark.parametrize(
    "value", [date(2026, 5, 1), datetime.fromisoformat("2026-05-01T10:00"), Decimal("1.50"), True, [1, "x"]]
)
def test_a_value_comes_out_as_it_went_in(value: Any, in_memory: int) -> None:
    index = Index(in_memory)
    index.add("key", value)
    found = index.get("key")
    assert found == value
    assert type(found) is type(value)
    index.close()
