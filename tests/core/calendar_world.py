"""Calendars in a few words, and the same questions answered minute by minute, by the clock on the wall.

The oracle knows nothing of spans or sums: it asks of every minute what the clock shows, and whether that is open.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from journey_world import SHOP

from pipeline.core.calendars import BusinessCalendar
from pipeline.core.instants import MINUTE, micros
from pipeline.core.opening_hours import calendars_of
from pipeline.maps import resolve
from schemas.journey_map import JourneyMap

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OFFICE = {"mon-fri": ["09:00-12:30", "13:30-18:00"]}


def calendar_of(zone: str, hours: dict[str, list[str]], **holidays: Any) -> BusinessCalendar:
    declared = {"zone": zone, "hours": hours, "holidays": holidays}
    journey_map = JourneyMap.model_validate({**SHOP, "calendars": {"office": declared}})
    return calendars_of(resolve(journey_map))["office"]


@cache
def zone_of(key: str) -> ZoneInfo:
    """The zone by the package's rules: a machine may know other ones, and some that have been changed since."""
    with (files("tzdata") / "zoneinfo" / key).open("rb") as file:
        return ZoneInfo.from_file(file, key)


def local(text: str, zone: str) -> int:
    """The instant, in microseconds, at which the clock in a zone first shows `2026-03-06 16:00`."""
    return micros(datetime.fromisoformat(text).replace(tzinfo=zone_of(zone)).astimezone(UTC))


def shown(instant: int, zone: str) -> str:
    """What the clock in a zone shows then."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=instant)
    return moment.astimezone(zone_of(zone)).strftime("%Y-%m-%d %H:%M")


class Minutes:
    """The minutes of UTC from `start` on, each open or not, and the date on the wall in it."""

    def __init__(
        self,
        zone: str,
        hours: dict[str, list[str]],
        dates: dict[str, Any],
        start: int,
        count: int,
        is_holiday: Callable[[date], bool] = lambda _: False,
    ) -> None:
        self.start = start
        self.dates: list[date] = []
        self.clocks: list[int] = []
        self.is_open: list[bool] = []
        opened: dict[date, list[tuple[int, int]]] = {}
        where, first = zone_of(zone), start // 1_000_000
        for second in range(first, first + 60 * count, 60):
            wall = datetime.fromtimestamp(second, where)
            day, clock = wall.date(), wall.hour * 60 + wall.minute
            if day not in opened:
                opened[day] = _opened(day, hours, dates, is_holiday)
            self.dates.append(day)
            self.clocks.append(clock)
            self.is_open.append(any(opens <= clock < closes for opens, closes in opened[day]))
        self._begins = {day: number for number, day in reversed(list(enumerate(self.dates)))}
        self._ends = {day: n + 1 for n, day in enumerate(self.dates) if self.is_open[n]}

    def instant(self, minute: int) -> int:
        return self.start + minute * MINUTE

    def after(self, minute: int, duration: int) -> int | None:
        """The end of the open minute with which `duration` minutes are full; None if that is not among these."""
        for number in range(minute, len(self.is_open)):
            duration -= self.is_open[number]
            if duration == 0:
                return self.instant(number + 1)
        return None

    def end_of_day(self, minute: int, days: int, at: int | None) -> int | None:
        """The end of the business day; None if these minutes do not show it."""
        ends = self._ends if at is None else {day: self._first(day, at) for day in self._ends}
        today = self.dates[minute]
        later = [end for day, end in ends.items() if day > today]
        if days > 0:
            return self.instant(later[days - 1]) if len(later) >= days else None
        found = [end for day, end in ends.items() if day >= today and end > minute]
        return self.instant(found[0]) if found else None

    def _first(self, day: date, at: int) -> int:
        """The first minute that shows this time of the day, or a later one of it, or is of a later day."""
        for number in range(self._begins[day], len(self.dates)):
            other = self.dates[number]
            if other > day or (other == day and self.clocks[number] >= at):
                return number
        return len(self.dates)


def _opened(
    day: date, hours: dict[str, list[str]], dates: dict[str, Any], is_holiday: Callable[[date], bool]
) -> Sequence[tuple[int, int]]:
    for key in (day.isoformat(), day.isoformat()[5:]):
        if key in dates:
            return [] if dates[key] == "closed" else [_minutes(text) for text in dates[key]]
    if is_holiday(day):
        return []
    found = []
    for key, written in hours.items():
        first, _, last = key.partition("-")
        if DAYS.index(first) <= day.weekday() <= DAYS.index(last or first):
            found += [_minutes(text) for text in written]
    return found


def _minutes(text: str) -> tuple[int, int]:
    opens, closes = (int(clock[:2]) * 60 + int(clock[3:]) for clock in text.split("-"))
    return opens, closes
