"""Refusals with the same fault are one reason, whatever value they quote."""

from __future__ import annotations

import pytest

from pipeline.imports.reasons import Reasons, shape


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("time: '31.02.2025' is not a time", "time: 'yesterday' is not a time"),
        ("the row has 4 columns, but the header has 6", "the row has 17 columns, but the header has 6"),
        ("no row of t has k = 'it\\'s'", 'no row of t has k = "it\'s"'),
    ],
)
def test_reasons_that_differ_in_what_they_quote_have_one_shape(one: str, other: str) -> None:
    assert shape(one) == shape(other)


def test_reasons_of_different_fields_have_different_shapes() -> None:
    assert shape("time: 'x' is not a time") != shape("data.due: 'x' is not a time")


def test_the_first_of_each_is_kept_and_all_are_counted() -> None:
    reasons: Reasons[str, int] = Reasons()
    for number in range(5):
        reasons.add("even" if number % 2 == 0 else "odd", number)
    assert (reasons.first, reasons.counts) == ({"even": 0, "odd": 1}, {"even": 3, "odd": 2})


def test_endlessly_many_different_reasons_are_only_counted() -> None:
    reasons: Reasons[int, int] = Reasons()
    for number in range(1000):
        reasons.add(number, number)
    assert (len(reasons.first), reasons.counts.total(), reasons.others) == (200, 200, 800)
