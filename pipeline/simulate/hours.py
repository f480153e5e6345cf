"""When time runs: always, or in the hours in which the help desk is open, by the clock on its own wall.

In: an instant and a duration, or two instants. Out: the instant at which so much time has run, or how much has. It shares
nothing with the core's calendars, which are held against it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import count
from typing import Protocol
from zoneinfo import ZoneInfo

from pipeline.core.instants import micros, moment
from pipeline.core.messages import Micros

Span = tuple[str, str]
"""Opening and closing, as the clock on the wall shows them: `08:00`."""


class Hours(Protocol):
    def between(self, start: Micros, end: Micros) -> Micros:
        """How much time runs from `start` to `end`; none if that comes first."""
        ...

    def after(self, start: Micros, duration: Micros) -> Micros:
        """The first instant by which `duration` has run since `start`."""
        ...


class Always:
    """Time runs day and night."""

    def between(self, start: Micros, end: Micros) -> Micros:
        return max(0, end - start)

    def after(self, start: Micros, duration: Micros) -> Micros:
        return start + duration


class OpeningHours:
    """Time runs while the doors are open: the `week`'s spans by weekday from Monday, or those of one of the `dates`."""

    def __init__(
        self, zone: str, week: tuple[tuple[Span, ...], ...], dates: Mapping[str, tuple[Span, ...]]
    ) -> None:
        self._zone = ZoneInfo(zone)
        self._week = week
        self._dates = dates
        self._opened_on = lru_cache(maxsize=4096)(self._look_up)

    def between(self, start: Micros, end: Micros) -> Micros:
        ran = 0
        for opens, closes in self._open_from(start):
            if opens >= end:
                break
            ran += min(closes, end) - opens
        return ran

    def after(self, start: Micros, duration: Micros) -> Micros:
        if duration <= 0:
            return start
        for opens, closes in self._open_from(start):
            if closes - opens >= duration:
                return opens + duration
            duration -= closes - opens
        raise AssertionError("a week without an hour has no end")

    def end_of_day(self, instant: Micros, days: int) -> Micros:
        """When the doors close on the last of the next `days` dates on which they open, after that of the instant."""
        day = moment(instant).astimezone(self._zone).date()
        while days:
            day += timedelta(days=1)
            days -= bool(self._opened_on(day))
        return self._opened_on(day)[-1][1]

    def _open_from(self, start: Micros) -> Iterator[tuple[Micros, Micros]]:
        """The spans that are not over at `start`, what lies before it cut off, without end."""
        today = moment(start).astimezone(self._zone).date()
        for days in count():
            for opens, closes in self._opened_on(today + timedelta(days=days)):
                if closes > start:
                    yield max(opens, start), closes

    def _look_up(self, day: date) -> list[tuple[Micros, Micros]]:
        spans = self._dates.get(day.isoformat(), self._week[day.weekday()])
        return [(self._shown(day, opens), self._shown(day, closes)) for opens, closes in spans]

    def _shown(self, day: date, clock: str) -> Micros:
        """When the clock shows that. Nobody is open when clocks are changed, so it does so once."""
        wall = datetime.combine(day, time.fromisoformat(clock), self._zone)
        return micros(wall.astimezone(UTC))


ALWAYS = Always()
