"""Business time minute by minute: a calendar of the map asks of every minute what the clock on its wall shows.

In: a `Calendar`, or None for time that runs always. Out: how long it was open, and when it has been for so long.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from schemas.calendars import Calendar

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Hours:
    """`calendar` has no country's holidays, and no date of every year."""

    def __init__(self, calendar: Calendar | None) -> None:
        self._calendar = calendar
        self._minutes = cache(self._look_up)

    def between(self, start: datetime, end: datetime) -> timedelta:
        if self._calendar is None:
            return max(timedelta(0), end - start)
        open_for, day = timedelta(0), start.date()
        while day <= end.date():
            for minute in self._minutes(day):
                open_for += max(timedelta(0), min(end, minute + MINUTE) - max(start, minute))
            day += DAY
        return open_for

    def after(self, start: datetime, duration: timedelta) -> datetime:
        if self._calendar is None or not duration:
            return start + duration
        day = start.date()
        while True:
            minutes = self._minutes(day)
            for minute in minutes[max(0, bisect_right(minutes, start) - 1) :]:
                runs = minute + MINUTE - max(start, minute)
                if runs >= duration:
                    return max(start, minute) + duration
                duration -= max(timedelta(0), runs)
            day += DAY

    def end_of_day(self, start: datetime, days: int) -> datetime:
        """When it closes on the last of the next `days` dates on its wall that have open minutes, after that of `start`."""
        assert self._calendar is not None
        zone = ZoneInfo(self._calendar.zone)
        today, day, ends = start.astimezone(zone).date(), start.date(), dict[date, datetime]()
        while len(ends) <= days:
            for minute in self._minutes(day):
                if (opened := minute.astimezone(zone).date()) > today:
                    ends[opened] = minute + MINUTE
            day += DAY
        return ends[sorted(ends)[days - 1]]

    def _look_up(self, day: date) -> list[datetime]:
        """The open minutes of a date of UTC."""
        assert self._calendar is not None
        zone = ZoneInfo(self._calendar.zone)
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        return [
            minute
            for number in range(1440)
            if self._is_open((minute := midnight + number * MINUTE).astimezone(zone))
        ]

    def _is_open(self, wall: datetime) -> bool:
        assert self._calendar is not None
        own = self._calendar.holidays.dates.get(wall.date().isoformat())
        spans = [span for key, hours in self._calendar.hours.items() if _names(key, wall) for span in hours]
        clock = f"{wall:%H:%M}"
        return any(
            span.split("-")[0] <= clock < span.split("-")[1] for span in (spans if own is None else own)
        )


def hours_of(calendar: Calendar) -> Hours:
    """The same for the same calendar, because a thousand minutes a day take a while to ask."""
    return _hours_of(calendar.model_dump_json(exclude={"resolved"}))


@cache
def _hours_of(calendar: str) -> Hours:
    return Hours(Calendar.model_validate_json(calendar))


def _names(key: str, wall: datetime) -> bool:
    first, _, last = key.partition("-")
    return _DAYS.index(first) <= wall.weekday() <= _DAYS.index(last or first)
