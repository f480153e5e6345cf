"""The calendars of a map, laid on time: hours of a week and holidays in, compiled calendars out.

Every map of the same calendars gives the same, on any machine: what depends on the world was resolved when the map was
loaded (`schemas.calendars.Resolved`) and is part of the map.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import lru_cache

from pipeline.core.calendars import BusinessCalendar
from pipeline.core.instants import DAY, MINUTE, SECOND
from pipeline.core.messages import Micros
from schemas.calendars import FIRST_YEAR, LAST_YEAR, Calendar, Span, spans
from schemas.journey_map import JourneyMap


def calendars_of(journey_map: JourneyMap) -> dict[str, BusinessCalendar]:
    """The map's calendars by name. Raises ValueError for one that was not resolved."""
    return {
        name: _compiled(name, calendar.model_dump_json()) for name, calendar in journey_map.calendars.items()
    }


@lru_cache(maxsize=32)
def _compiled(name: str, source: str) -> BusinessCalendar:
    """Kept, because a stage compiles its map for each of its partitions."""
    calendar = Calendar.model_validate_json(source)
    resolved = calendar.resolved
    if resolved is None:
        raise ValueError(f"the calendar {name!r} was not resolved; load the map with pipeline.maps.load_map")
    offsets = [(start * SECOND, offset * SECOND) for start, offset in resolved.offsets]
    return BusinessCalendar(name, offsets, list(_local(calendar, frozenset(resolved.holidays))))


def _local(calendar: Calendar, holidays: frozenset[date]) -> Iterator[tuple[Micros, Micros]]:
    """Every span of every date in local time, in order."""
    week = calendar.week()
    own = {key: spans(hours) for key, hours in calendar.holidays.dates.items()}
    day, last = date(FIRST_YEAR, 1, 1), date(LAST_YEAR, 12, 31)
    midnight = (day - date(1970, 1, 1)).days * DAY
    while day <= last:
        for opens, closes in _hours(day, week, own, holidays):
            yield midnight + opens * MINUTE, midnight + closes * MINUTE
        day += timedelta(days=1)
        midnight += DAY


def _hours(
    day: date, week: Sequence[Sequence[Span]], own: dict[str, list[Span]], holidays: frozenset[date]
) -> Sequence[Span]:
    """The hours of a date: its own, or else those of the date in every year, of a holiday, of the day of the week."""
    if own:
        written = day.isoformat()
        if written in own:
            return own[written]
        if written[5:] in own:
            return own[written[5:]]
    return () if day in holidays else week[day.weekday()]
