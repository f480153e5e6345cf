"""Business time against the clock on the wall, minute by minute."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from calendar_world import DAYS, OFFICE, Minutes, calendar_of, local
from holidays import country_holidays
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import examples

from pipeline.core.calendars import BusinessCalendar
from pipeline.core.instants import DAY, MINUTE

HOUR = 60 * MINUTE
NIGHTS = {"mon-sun": ["00:00-02:30", "03:15-04:00", "22:00-24:00"]}
# what is odd about them: both changes in Europe and in America, half an hour, a change by half an hour, a date that
# never was, four changes a year, a change at midnight
ZONES = {
    "Europe/Berlin": ("2023-12-30 00:00", 370),
    "America/New_York": ("2026-02-25 00:00", 260),
    "Asia/Kolkata": ("2027-12-30 00:00", 70),
    "Australia/Lord_Howe": ("2026-03-25 00:00", 200),
    "Pacific/Apia": ("2011-09-15 00:00", 120),
    "Africa/Casablanca": ("2026-01-20 00:00", 80),
    "America/Santiago": ("2025-08-15 00:00", 60),
}


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("hours", [OFFICE, NIGHTS], ids=["office", "nights"])
def test_it_opens_and_closes_when_the_clock_on_the_wall_says_so_in_every_minute(
    zone: str, hours: dict[str, list[str]]
) -> None:
    text, days = ZONES[zone]
    start = local(text, zone)
    dates = {"12-24": ["09:00-12:00"], "12-25": "closed", "2026-04-06": "closed"}
    minutes = Minutes(zone, hours, dates, start, days * 1440)
    calendar = calendar_of(zone, hours, dates=dates)
    assert list(_changes(calendar, start, minutes.instant(days * 1440))) == [
        minutes.instant(number)
        for number in range(1, days * 1440)
        if minutes.is_open[number] != minutes.is_open[number - 1]
    ]
    open_minutes = sum(minutes.is_open)
    assert calendar.between(start, minutes.instant(days * 1440)) == open_minutes * MINUTE


def _changes(calendar: BusinessCalendar, start: int, end: int) -> Any:
    """Every opening and closing between two instants."""
    at = min(calendar.opening(start), calendar.closing(start))
    while at < end:
        yield at
        at = min(calendar.opening(at), calendar.closing(at))


def test_the_holidays_of_a_country_and_its_part_close_the_day() -> None:
    start = local("2024-01-01 00:00", "Europe/Berlin")
    known = country_holidays("DE", subdiv="BY", years=[2024, 2025])
    # Whitsun is no holiday by its weekday, Corpus Christi only in some parts, and one day of our own opens
    dates = {"2024-05-30": ["10:00-12:00"]}
    minutes = Minutes("Europe/Berlin", OFFICE, dates, start, 731 * 1440, lambda day: day in known)
    calendar = calendar_of("Europe/Berlin", OFFICE, country="DE", subdivision="BY", dates=dates)
    for day in range(730):
        first, last = minutes.instant(day * 1440), minutes.instant((day + 1) * 1440)
        expected = sum(minutes.is_open[day * 1440 : (day + 1) * 1440])
        assert calendar.between(first, last) == expected * MINUTE
    corpus_christi = local("2025-06-19 12:00", "Europe/Berlin")
    assert date(2025, 6, 19) in known
    assert calendar.between(corpus_christi - DAY // 2, corpus_christi + DAY // 2) == 0


_clock = st.integers(0, 1440)


@st.composite
def hours_of_a_day(draw: st.DrawFn) -> list[str]:
    marks = sorted(draw(st.lists(_clock, min_size=2, max_size=6, unique=True)))
    pairs = list(zip(marks[::2], marks[1::2], strict=False))
    return [f"{o // 60:02}:{o % 60:02}-{c // 60:02}:{c % 60:02}" for o, c in pairs]


@st.composite
def worlds(draw: st.DrawFn) -> tuple[BusinessCalendar, Minutes]:
    """A calendar, and three weeks of minutes around some day of the year on which clocks change."""
    zone = draw(st.sampled_from(list(ZONES)))
    hours = draw(st.dictionaries(st.sampled_from(DAYS), hours_of_a_day(), min_size=1))
    around = draw(
        st.sampled_from([date(2026, 3, 8), date(2026, 3, 29), date(2026, 10, 25), date(2024, 2, 29)])
    )
    closed = around + timedelta(days=draw(st.integers(-2, 7)))
    dates = {closed.isoformat(): draw(st.one_of(st.just("closed"), hours_of_a_day()))}
    start = local(f"{around - timedelta(days=5)} 00:00", zone)
    return calendar_of(zone, hours, dates=dates), Minutes(zone, hours, dates, start, 21 * 1440)


@settings(max_examples=examples(25), deadline=None)
@given(worlds(), st.lists(st.tuples(st.integers(0, 8000), st.integers(1, 4000)), min_size=1, max_size=12))
def test_durations_run_as_open_minutes_pass(
    world: tuple[BusinessCalendar, Minutes], questions: list[tuple[int, int]]
) -> None:
    calendar, minutes = world
    for minute, duration in questions:
        expected = minutes.after(minute, duration)
        if expected is not None:
            assert calendar.after(minutes.instant(minute), duration * MINUTE) == expected


@settings(max_examples=examples(25), deadline=None)
@given(
    worlds(),
    st.lists(
        st.tuples(st.integers(0, 12000), st.integers(0, 3), st.none() | st.integers(0, 1440)),
        min_size=1,
        max_size=8,
    ),
)
def test_business_days_end_when_the_wall_shows_it(
    world: tuple[BusinessCalendar, Minutes], questions: list[tuple[int, int, int | None]]
) -> None:
    calendar, minutes = world
    for minute, days, at in questions:
        expected = minutes.end_of_day(minute, days, at)
        if expected is not None and expected < minutes.instant(21 * 1440 - 1440):
            at_micros = None if at is None else at * MINUTE
            assert calendar.end_of_day(minutes.instant(minute), days, at_micros) == expected


CALENDARS = [calendar_of(zone, hours) for zone in list(ZONES)[:4] for hours in (OFFICE, NIGHTS)]
_instants = st.integers(0, 3_000_000_000 * 1_000_000)
_durations = st.integers(1, 4000 * HOUR)


@given(st.sampled_from(CALENDARS), _instants, _durations)
def test_what_is_added_is_what_is_measured(calendar: BusinessCalendar, start: int, duration: int) -> None:
    end = calendar.after(start, duration)
    assert calendar.between(start, end) == duration
    assert calendar.between(start, end - 1) == duration - 1, "no earlier instant would do"


@given(
    st.sampled_from(CALENDARS), _instants, _durations, st.integers(0, 30 * DAY), st.integers(0, 100 * HOUR)
)
def test_who_starts_later_or_takes_longer_ends_no_earlier(
    calendar: BusinessCalendar, start: int, duration: int, later: int, longer: int
) -> None:
    end = calendar.after(start, duration)
    assert calendar.after(start + later, duration) >= end
    assert calendar.after(start, duration + longer) >= end
    for days in (0, 1, 5):
        assert (
            calendar.end_of_day(start + later, days, None) >= calendar.end_of_day(start, days, None) > start
        )


@given(st.sampled_from(CALENDARS), _instants, _durations, _durations)
def test_durations_add_up(calendar: BusinessCalendar, start: int, first: int, second: int) -> None:
    assert calendar.after(calendar.after(start, first), second) == calendar.after(start, first + second)


@given(st.sampled_from(CALENDARS), _instants, st.integers(0, 60 * DAY), st.integers(0, 60 * DAY))
def test_open_time_adds_up(calendar: BusinessCalendar, start: int, first: int, second: int) -> None:
    middle, end = start + first, start + first + second
    assert calendar.between(start, middle) + calendar.between(middle, end) == calendar.between(start, end)
    assert calendar.between(end, start) == 0
