"""What calendars need of the world, looked up when a map is loaded: zones in tzdata, public holidays in `holidays`.

In: a validated map. Out: the same map with its calendars *resolved*. Zones are read from the tzdata package and never
from the machine, so that the lock file decides what they mean, and the core needs neither of the two libraries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from schemas.base import Place
from schemas.calendars import FIRST_YEAR, LAST_YEAR, Calendar, Resolved
from schemas.journey_map import JourneyMap

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = 86400


def resolve(journey_map: JourneyMap) -> JourneyMap:
    """The map with its calendars resolved. Its zones and countries are known, see `unknown`."""
    if not journey_map.calendars:
        return journey_map
    calendars = {
        name: calendar.model_copy(update={"resolved": _resolved(calendar)})
        for name, calendar in journey_map.calendars.items()
    }
    return journey_map.model_copy(update={"calendars": calendars})


def unknown(content: Any) -> Iterator[tuple[Place, str]]:
    """Zones, countries and subdivisions of a map's plain content that are nowhere, and what would be right."""
    calendars = content.get("calendars") if isinstance(content, dict) else None
    for name, calendar in calendars.items() if isinstance(calendars, dict) else ():
        if isinstance(calendar, dict):
            for place, message in _unknown(calendar):
                yield ("calendars", name, *place), message


def _unknown(calendar: dict[str, Any]) -> Iterator[tuple[Place, str]]:
    zone = calendar.get("zone")
    if isinstance(zone, str) and zone and zone not in _zones():
        yield (
            ("zone",),
            f"there is no zone {zone!r}; {_near(zone, _zones())}write one of IANA's, such as Europe/Berlin",
        )
    if "resolved" in calendar:
        yield ("resolved",), "this is looked up whenever the map is loaded; take it out"
    holidays = calendar.get("holidays")
    if not isinstance(holidays, dict):
        return
    country = holidays.get("country")
    if not isinstance(country, str):
        return
    if country not in _countries():
        remedy = "write its two letters by ISO 3166, such as DE, or list the dates yourself"
        yield (
            ("holidays", "country"),
            f"no holidays are known of {country!r}; {_near(country, _countries())}{remedy}",
        )
        return
    subdivision, parts = holidays.get("subdivision"), _countries()[country]
    if isinstance(subdivision, str) and subdivision not in parts:
        remedy = (
            f"write one of {', '.join(parts)}"
            if parts
            else "it has no parts with holidays of their own, take it out"
        )
        wrong = f"{country} has no subdivision {subdivision!r}"
        yield ("holidays", "subdivision"), f"{wrong}; {_near(subdivision, parts)}{remedy}"


def _near(wrong: str, right: Iterable[str]) -> str:
    near = get_close_matches(wrong, list(right), n=1)
    return f"did you mean {near[0]!r}? Otherwise " if near else ""


def _resolved(calendar: Calendar) -> Resolved:
    holidays = calendar.holidays
    dates = _public(holidays.country, holidays.subdivision) if holidays.country else ()
    return Resolved(offsets=list(_offsets(calendar.zone)), holidays=list(dates))


@cache
def _zones() -> frozenset[str]:
    return frozenset((files("tzdata") / "zones").read_text("ascii").split())


@cache
def _countries() -> dict[str, list[str]]:
    """Countries with the subdivisions that have holidays of their own."""
    from holidays import list_supported_countries  # noqa: PLC0415 - most maps have no country

    return list_supported_countries()


@cache
def _public(country: str, subdivision: str | None) -> tuple[date, ...]:
    """The dates on which public holidays are observed, in order."""
    from holidays import country_holidays  # noqa: PLC0415 - as above

    known = country_holidays(country, subdiv=subdivision, years=range(FIRST_YEAR, LAST_YEAR + 1))
    return tuple(sorted(day for day in known if FIRST_YEAR <= day.year <= LAST_YEAR))


@cache
def _offsets(zone: str) -> tuple[tuple[int, int], ...]:
    """From which second of UTC the clock is how many seconds ahead, from the first to the last year and a day around.

    It looks once a day, and where the clock has changed for the second at which it did: no zone has ever gone back to
    where it was within a day.
    """
    with (files("tzdata") / "zoneinfo" / zone).open("rb") as file:
        rules = ZoneInfo.from_file(file, zone)
    first, last = (
        int((datetime(year, 1, 1, tzinfo=UTC) - _EPOCH).total_seconds())
        for year in (FIRST_YEAR, LAST_YEAR + 1)
    )
    before = first - 2 * _DAY
    found = [(before, _offset(rules, before))]
    for second in range(before + _DAY, last + 2 * _DAY, _DAY):
        offset = _offset(rules, second)
        if offset != found[-1][1]:
            found.append((_change(rules, second - _DAY, second, offset), offset))
    return tuple(found)


def _change(rules: ZoneInfo, before: int, after: int, offset: int) -> int:
    """The first second with the offset, which holds at `after` and not at `before`."""
    while after - before > 1:
        between = (before + after) // 2
        if _offset(rules, between) == offset:
            after = between
        else:
            before = between
    return after


def _offset(rules: ZoneInfo, second: int) -> int:
    shown = (_EPOCH + timedelta(seconds=second)).astimezone(rules).utcoffset()
    assert shown is not None
    return shown // timedelta(seconds=1)
