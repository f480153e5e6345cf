"""Business calendars: the hours in which a company is open, by the clock on its own wall.

A calendar says what a file can say: a zone, hours for the days of a week, holidays. What it needs to know of the world,
when the zone's clocks change and which days are public holidays, is looked up once, when a map is loaded, and kept with
the map (`Resolved`): a plan means the same on every machine, and after every upgrade, until its map is loaded anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from typing import Annotated

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    WithJsonSchema,
)
from pydantic.json_schema import SkipJsonSchema

from schemas.base import Contract, Place
from schemas.triggers import DataPath, FieldPath

FIRST_YEAR, LAST_YEAR = 1970, 2069
"""A calendar is open in these years, by the dates of its own zone, and never outside them."""
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00"
_SPAN = re.compile(rf"({_CLOCK})-({_CLOCK})")
_END_OF = re.compile(r"day|next_business_day|[1-9][0-9]{0,2} business days?")
_LEAP_YEAR = 2000

Span = tuple[int, int]
"""Opening and closing, in minutes since the midnight at which the date begins."""


def minutes(clock: str) -> int:
    """The minutes since midnight of `09:30`; 1440 of `24:00`. Raises ValueError for any other text."""
    if not re.fullmatch(_CLOCK, clock):
        raise ValueError(
            f"write a time of day in 24 hours and minutes, such as 09:30 or 24:00, not {clock!r}"
        )
    return int(clock[:2]) * 60 + int(clock[3:])


def spans(hours: list[str]) -> list[Span]:
    """Opening hours in the order of the day. Raises ValueError, with the remedy, for those that could not be meant."""
    found = sorted(_span(text) for text in hours)
    for (opens, closes), (again, until) in pairwise(found):
        if again < closes:
            first, second = _told(opens, closes), _told(again, until)
            raise ValueError(f"{first} and {second} overlap; write hours that lie one after another")
    return found


def _span(text: str) -> Span:
    found = _SPAN.fullmatch(text)
    if not found:
        raise ValueError(f"write hours as opening-closing, such as 09:00-12:30, not {text!r}")
    opens, closes = minutes(found[1]), minutes(found[2])
    if opens == closes:
        raise ValueError(f"{text!r} lasts no time; let it close later than it opens, or take it out")
    if opens > closes:
        remedy = f"write {found[1]}-24:00 on the one day and 00:00-{found[2]} on the next"
        raise ValueError(f"{text!r} closes before it opens; over midnight, {remedy}")
    return opens, closes


def _told(opens: int, closes: int) -> str:
    return "-".join(f"{at // 60:02}:{at % 60:02}" for at in (opens, closes))


def weekdays(key: str) -> range:
    """The days of `sat`, `mon-fri` or `daily`, counted from Monday, 0. Raises ValueError."""
    named = ("mon-sun" if key == "daily" else key).split("-")
    if len(named) > 2 or not set(named) <= set(DAYS):
        raise ValueError(
            f"write a day (sat), days (mon-fri) or daily, not {key!r}; the days are {', '.join(DAYS)}"
        )
    days = range(DAYS.index(named[0]), DAYS.index(named[-1]) + 1)
    if not days:
        raise ValueError(f"{key!r} ends before it begins; a week begins on mon, so write two entries")
    return days


def _checked_days(key: str) -> str:
    weekdays(key)
    return key


def _checked_date(key: str) -> str:
    found = re.fullmatch(r"(?:(\d{4})-)?(\d{2})-(\d{2})", key, re.ASCII)
    try:
        if not found:
            raise ValueError(key)
        date(int(found[1] or _LEAP_YEAR), int(found[2]), int(found[3]))
    except ValueError:
        raise ValueError(f"write a date as 2026-12-24, or as 12-24 for every year, not {key!r}") from None
    if found[1] and not FIRST_YEAR <= int(found[1]) <= LAST_YEAR:
        raise ValueError(
            f"{key} lies outside the years {FIRST_YEAR} to {LAST_YEAR} of every calendar; take it out"
        )
    return key


def _checked_spans(hours: list[str]) -> list[str]:
    spans(hours)
    return hours


def _checked_clock(clock: str) -> str:
    minutes(clock)
    return clock


def _checked_end(text: str) -> str:
    if not _END_OF.fullmatch(text):
        raise ValueError(f"write day, next_business_day or such as 3 business days, not {text!r}")
    return text


def _closed(hours: object) -> object:
    if isinstance(hours, str) and hours != "closed":
        raise ValueError(f'write closed, or hours such as ["09:00-12:00"], not {hours!r}')
    return [] if hours == "closed" else hours


def _open(hours: list[str]) -> list[str]:
    if not hours:
        raise ValueError("hours without a span open nothing; leave the day out, or write such as 09:00-18:00")
    return hours


Clock = Annotated[str, AfterValidator(_checked_clock)]
"""A time of day, `09:30`, up to `24:00`."""
Hours = Annotated[list[str], AfterValidator(_checked_spans)]
"""Spans of a day, each `09:00-12:30`; the gaps between them are breaks."""
WeekHours = Annotated[Hours, AfterValidator(_open)]
DayHours = Annotated[
    Hours,
    BeforeValidator(_closed),
    WithJsonSchema(
        {"anyOf": [{"const": "closed"}, {"type": "array", "items": {"type": "string"}}]}, "validation"
    ),
]
"""The hours of one date; `closed` is none."""
DayKey = Annotated[str, AfterValidator(_checked_days)]
DateKey = Annotated[str, AfterValidator(_checked_date)]


class Holidays(Contract):
    """Dates on which other hours hold than the week's: the public holidays of a country, closed, and one's own.

    One's own `dates` win over a country's holidays, and of these a date with a year over one of every year.
    """

    country: str | None = Field(default=None, description="ISO 3166: DE, US.")
    subdivision: str | None = Field(default=None, description="ISO 3166-2, without the country: BY, CA.")
    dates: dict[DateKey, DayHours] = Field(default_factory=dict)


class Resolved(Contract):
    """What was looked up of a calendar when its map was loaded.

    `offsets`: (the second of UTC since 1970 from which it holds, seconds that the clock on the wall is ahead of UTC), in
    order of time; the first also holds before. `holidays`: the dates of the country's public holidays.
    """

    offsets: list[tuple[int, int]] = Field(min_length=1)
    holidays: list[date]


class Calendar(Contract):
    """When a company is open: an instant is open if the clock and the date on its wall, in `zone`, lie within the hours."""

    zone: Annotated[str, StringConstraints(min_length=1)] = Field(description="IANA: Europe/Berlin.")
    hours: dict[DayKey, WeekHours] = Field(description="By day: sat, mon-fri or daily.")
    holidays: Holidays = Field(default_factory=Holidays)
    title: str | None = None
    resolved: SkipJsonSchema[Resolved | None] = None

    def week(self) -> list[list[Span]]:
        """The hours of each day, from Monday on."""
        found: list[list[Span]] = [[] for _ in DAYS]
        for key, hours in self.hours.items():
            for day in weekdays(key):
                found[day] = spans(hours)
        return found

    def weekly_minutes(self) -> int:
        """How long it is open in a week without holidays."""
        return sum(closes - opens for day in self.week() for opens, closes in day)

    def problems(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Where its parts do not fit together, and what would be right."""
        if not self.hours:
            yield ("hours",), 'a calendar without hours is never open; write such as mon-fri: ["09:00-18:00"]'
        named: dict[int, str] = {}
        for key in self.hours:
            for day in weekdays(key):
                other = named.setdefault(day, key)
                if other != key:
                    remedy = "name each day once, with all its hours"
                    yield ("hours", key), f"{DAYS[day]} has hours in {other!r} already; {remedy}"
        if self.holidays.subdivision and not self.holidays.country:
            wrong = "a subdivision says nothing without its country"
            yield ("holidays", "subdivision"), f"{wrong}; add such as country: DE"


class CalendarByField(Contract):
    """The calendar that a field of the opening touchpoint chooses, such as the customer's country."""

    field: FieldPath
    values: dict[str, str] = Field(min_length=1, description="The name of a calendar for each value.")
    otherwise: str = Field(description="The calendar for every other value, and for none.")


def _only_text_or_choice(value: object) -> object:
    if not isinstance(value, str | dict | CalendarByField):
        raise ValueError("name a calendar, or choose one by a field: {field: …, values: {…}, otherwise: …}")
    return value


CalendarChoice = Annotated[
    Annotated[str, Tag("name")] | Annotated[CalendarByField, Tag("by_field")],
    Discriminator(lambda value: "name" if isinstance(value, str) else "by_field"),
    BeforeValidator(_only_text_or_choice),
]
"""A calendar by name, or one for each value of a field."""


def names_of(choice: str | CalendarByField | None) -> list[tuple[Place, str]]:
    """The calendars that may be chosen, each with its place in the choice."""
    if choice is None:
        return []
    if isinstance(choice, str):
        return [((), choice)]
    return [
        *((("values", value), name) for value, name in choice.values.items()),
        (("otherwise",), choice.otherwise),
    ]


class DueEndOf(Contract):
    """The due time is the end of a business day, counted from the date on the calendar's wall at the making, or at the
    instant in the field `of` of its data.

    `day`: the first business day whose end is still to come then. `next_business_day`: the first after that date;
    `3 business days`: the third after it. It ends when the calendar closes for the last time that day, or at `at`.
    """

    end_of: Annotated[str, AfterValidator(_checked_end)] = Field(
        description="day, next_business_day, or such as 3 business days."
    )
    calendar: CalendarChoice
    of: DataPath | None = Field(
        default=None, description="data.<name>: “by that day”, in place of the making."
    )
    at: Clock | None = None

    def days(self) -> int:
        """How many business days after the date of the making; 0: the first that has not ended."""
        named = {"day": 0, "next_business_day": 1}
        return named[self.end_of] if self.end_of in named else int(self.end_of.split()[0])
