"""The hours in which the truth counts, held against a clock on the wall that is asked minute by minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hours_by_the_book import Hours
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.core.instants import MINUTE, micros, moment
from pipeline.simulate.company import HELP_DESK, HOUR
from pipeline.simulate.hours import ALWAYS
from schemas.journey_map import JourneyMap

YEAR = datetime(2026, 1, 1), datetime(2026, 12, 31)  # noqa: DTZ001 - hypothesis gives them their zone
INSTANTS = st.datetimes(*YEAR, timezones=st.just(UTC))


def at(text: str) -> int:
    return micros(datetime.fromisoformat(text).replace(tzinfo=UTC))


@pytest.fixture(scope="module")
def wall(company_map: JourneyMap) -> Hours:
    return Hours(company_map.calendars["help_desk"])


@settings(max_examples=150, deadline=None)
@given(start=INSTANTS, seconds=st.integers(0, 40 * 3600))
@example(
    start=datetime(2026, 3, 28, 12, 30, tzinfo=UTC), seconds=3 * 3600
)  # the clocks go forward that night
@example(start=datetime(2026, 10, 24, 12, 30, tzinfo=UTC), seconds=3 * 3600)
@example(start=datetime(2026, 3, 11, 10, tzinfo=UTC), seconds=2 * 3600)  # a date with hours of its own
def test_open_time_runs_as_the_clock_on_the_wall_says(wall: Hours, start: datetime, seconds: int) -> None:
    duration = timedelta(seconds=seconds)
    ends = moment(HELP_DESK.after(micros(start), seconds * 1_000_000))
    assert ends == wall.after(start, duration)
    assert HELP_DESK.between(micros(start), micros(ends)) == seconds * 1_000_000
    assert wall.between(start, ends) == duration


@pytest.mark.parametrize(
    ("start", "hours", "end"),
    [
        ("2026-03-02 09:00", 2, "2026-03-02 11:00"),
        ("2026-03-02 11:00", 1, "2026-03-02 12:30"),  # over the break, by the wall from 12:30 to 13:00
        ("2026-03-02 18:00", 1, "2026-03-03 08:00"),  # after closing time, by the next day
        ("2026-03-06 16:00", 2, "2026-03-07 09:00"),  # Friday evening: one hour then, one on Saturday
        ("2026-03-07 11:00", 2, "2026-03-09 08:00"),  # over the week-end
        ("2026-03-11 10:30", 1, "2026-03-12 07:30"),  # that Wednesday it closes at noon
        ("2026-03-27 16:00", 6, "2026-03-30 07:00"),  # the clocks go forward: Monday's nine is seven in UTC
    ],
)
def test_literal_hours_of_the_help_desk(start: str, hours: int, end: str) -> None:
    assert HELP_DESK.after(at(start), hours * HOUR) == at(end)


def test_what_is_always_open_runs_by_night() -> None:
    assert ALWAYS.after(at("2026-03-07 23:00"), 3 * HOUR) == at("2026-03-08 02:00")
    assert ALWAYS.between(5 * MINUTE, 2 * MINUTE) == 0
