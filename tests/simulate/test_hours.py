"""The hours in which the truth counts, held against a clock on the wall that is asked minute by minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hours_by_the_book import Hours, hours_of
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.core.instants import MINUTE, micros, moment
from pipeline.simulate.company import DEPOTS, HELP_DESK, HOUR
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


@settings(max_examples=50, deadline=None)
@given(start=INSTANTS, days=st.integers(1, 4), depot=st.sampled_from(["berlin", "lisbon"]))
@example(start=datetime(2026, 3, 4, 22, 59, tzinfo=UTC), days=2, depot="berlin")  # that Friday it is closed
@example(start=datetime(2026, 3, 27, 23, tzinfo=UTC), days=1, depot="berlin")  # Saturday has begun there
def test_a_business_day_ends_when_the_clock_on_the_wall_says(
    company_map: JourneyMap, start: datetime, days: int, depot: str
) -> None:
    wall = hours_of(company_map.calendars[f"depot_{depot}"])
    assert moment(DEPOTS[depot].end_of_day(micros(start), days)) == wall.end_of_day(start, days)


@pytest.mark.parametrize(
    ("depot", "start", "end"),
    [
        ("berlin", "2026-03-02 09:00", "2026-03-04 13:00"),  # Monday: by Wednesday, 14:00 on the wall
        ("berlin", "2026-03-02 23:30", "2026-03-05 13:00"),  # there it is Tuesday
        ("berlin", "2026-03-04 09:00", "2026-03-09 13:00"),  # not on Friday the sixth, nor at the week-end
        ("lisbon", "2026-03-05 12:00", "2026-03-07 12:00"),  # Thursday: by Saturday noon
        ("lisbon", "2026-03-06 12:00", "2026-03-10 17:00"),  # closed on Sundays and Mondays
        ("lisbon", "2026-03-27 12:00", "2026-03-31 16:00"),  # the clocks go forward
    ],
)
def test_literal_ends_of_the_second_business_day_of_a_depot(depot: str, start: str, end: str) -> None:
    assert DEPOTS[depot].end_of_day(at(start), 2) == at(end)


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
