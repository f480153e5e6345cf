"""Cells become values: what is understood, and what is refused with what the cell holds."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.imports.convert import RowError, instant, number, text, truth, whole

NAIVE = datetime(2025, 1, 2)  # noqa: DTZ001 - as Parquet files hold them


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("abc", "abc"),
        (5, "5"),
        (5.0, "5"),
        (5.25, "5.25"),
        (1e300, "1e+300"),
        (True, "true"),
        (Decimal("1.50"), "1.50"),
        (date(2025, 1, 2), "2025-01-02"),
    ],
)
def test_any_simple_cell_can_be_text(cell: Any, expected: str) -> None:
    assert text(cell) == expected


def test_a_list_can_not_be_text() -> None:
    with pytest.raises(RowError, match=r"\[1\] can't be used as text"):
        text([1])


@pytest.mark.parametrize(("cell", "expected"), [("12", 12), (" -3 ", -3), (4.0, 4), (Decimal("4.00"), 4)])
def test_whole_numbers(cell: Any, expected: int) -> None:
    assert whole(cell) == expected


@pytest.mark.parametrize("cell", ["1.5", "x", 1.5, Decimal("5.5"), Decimal("NaN"), True, [1], float("inf")])
def test_what_is_no_whole_number_is_refused(cell: Any) -> None:
    with pytest.raises(RowError, match="is not a whole number"):
        whole(cell)


def test_numbers_with_a_decimal_comma_may_be_grouped_by_points() -> None:
    assert number(",")("1.234,5") == 1234.5
    assert number(".")("1234.5") == 1234.5
    assert number(",")(2.5) == 2.5


@pytest.mark.parametrize(
    ("cell", "reason"),
    [("1,5", "is not a number"), ("nan", "is not a finite number"), ([], "is not a number")],
)
def test_what_is_no_number_is_refused(cell: Any, reason: str) -> None:
    with pytest.raises(RowError, match=reason):
        number(".")(cell)


@pytest.mark.parametrize(
    ("cell", "expected"), [("Yes", True), ("f", False), (0, False), (True, True), (" 1", True)]
)
def test_truth_values(cell: Any, expected: bool) -> None:
    assert truth(cell) is expected


def test_what_is_neither_true_nor_false_is_refused() -> None:
    with pytest.raises(RowError, match="'maybe' is none of true/false"):
        truth("maybe")


@pytest.mark.parametrize(
    ("form", "zone", "cell", "expected"),
    [
        ("iso", "UTC", "2025-01-02 03:04:05", datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("iso", "UTC", "2025-01-02T03:04:05.678+02:00", datetime(2025, 1, 2, 1, 4, 5, 678000, tzinfo=UTC)),
        ("iso", "Europe/Berlin", "2025-07-02 03:04:05Z", datetime(2025, 7, 2, 3, 4, 5, tzinfo=UTC)),
        ("iso", "Europe/Berlin", "2025-07-02 03:04:05", datetime(2025, 7, 2, 1, 4, 5, tzinfo=UTC)),
        ("iso", "Europe/Berlin", "2025-01-02", datetime(2025, 1, 1, 23, tzinfo=UTC)),
        ("iso", "UTC", " 2025-01-02 ", datetime(2025, 1, 2, tzinfo=UTC)),
        ("iso", "UTC", date(2025, 1, 2), datetime(2025, 1, 2, tzinfo=UTC)),
        ("iso", "America/New_York", NAIVE, datetime(2025, 1, 2, 5, tzinfo=UTC)),
        (
            "iso",
            "UTC",
            datetime(2025, 1, 2, tzinfo=timezone(timedelta(hours=1))),
            datetime(2025, 1, 1, 23, tzinfo=UTC),
        ),
        ("epoch_s", "Asia/Tokyo", "1735787045.000001", datetime(2025, 1, 2, 3, 4, 5, 1, tzinfo=UTC)),
        ("epoch_ms", "UTC", 1735787045678, datetime(2025, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)),
        ("epoch_us", "UTC", "1735787045678901", datetime(2025, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)),
        ("%d.%m.%Y %H:%M", "Europe/Berlin", "02.07.2025 03:04", datetime(2025, 7, 2, 1, 4, tzinfo=UTC)),
        ("%Y-%m-%d %H:%M %z", "UTC", "2025-07-02 03:04 +0200", datetime(2025, 7, 2, 1, 4, tzinfo=UTC)),
    ],
)
def test_instants_of_every_format_come_out_in_utc(
    form: str, zone: str, cell: Any, expected: datetime
) -> None:
    made = instant(form, zone)(cell)
    assert made == expected
    assert made.tzinfo is UTC


def test_a_time_that_the_clock_shows_twice_is_taken_as_the_first() -> None:
    assert instant(None, "Europe/Berlin")("2025-10-26 02:30:00") == datetime(2025, 10, 26, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "cell", "expected"),
    [
        ("UTC", "2025-01-02", datetime(2025, 1, 2, 23, 59, 59, 999999, tzinfo=UTC)),
        ("Europe/Berlin", "2025-03-30", datetime(2025, 3, 30, 21, 59, 59, 999999, tzinfo=UTC)),
        ("America/New_York", "2025-01-02T20:00", datetime(2025, 1, 3, 4, 59, 59, 999999, tzinfo=UTC)),
    ],
)
def test_the_end_of_a_day_is_its_last_microsecond_in_the_zone(
    zone: str, cell: str, expected: datetime
) -> None:
    assert instant(None, zone, end_of_day=True)(cell) == expected


@pytest.mark.parametrize(
    ("form", "cell", "reason"),
    [
        ("iso", "soon", "'soon' is not an ISO 8601 time; if it is another format, say `format`"),
        ("iso", 1735787045, "for a count since 1970 say `format: epoch_s`"),
        ("iso", ["x"], "is not an ISO 8601 time"),
        ("iso", "0001-01-01T00:00:00+14:00", "is outside the years 1 to 9999"),
        ("epoch_s", "soon", "'soon' is not a count since 1970"),
        ("epoch_s", "nan", "'nan' is not a count since 1970"),
        ("epoch_s", "1e999999999", "is outside the years 1 to 9999"),
        ("epoch_s", "1735787045000000", "is outside the years 1 to 9999"),
        ("%d.%m.%Y", "2025-01-02", "'2025-01-02' is not a time of the format %d.%m.%Y"),
    ],
)
def test_what_is_no_instant_is_refused_with_the_remedy(form: str, cell: Any, reason: str) -> None:
    with pytest.raises(RowError) as caught:
        instant(form, "UTC")(cell)
    assert reason in str(caught.value)


@given(aware=st.datetimes(min_value=NAIVE.replace(year=1971), timezones=st.just(UTC)))
def test_an_instant_survives_every_exact_format(aware: datetime) -> None:
    micros = (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert instant("iso", "UTC")(aware.isoformat()) == aware
    assert instant("epoch_us", "UTC")(str(micros)) == aware
    assert instant("epoch_s", "UTC")(f"{micros // 1_000_000}.{micros % 1_000_000:06d}") == aware


@given(cell=st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()))
def test_any_cell_is_converted_or_refused(cell: Any) -> None:
    for convert in (text, whole, number(","), truth, instant("iso", "UTC"), instant("epoch_ms", "UTC")):
        with suppress(RowError):
            convert(cell)
