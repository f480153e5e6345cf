"""Durations, as the files of a team write them: number and unit."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

_UNITS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_LONGEST = 36500 * 86400.0
_DURATION = re.compile(r"^\s*(?:\d+(?:\.\d+)?\s*(?:ms|s|m|h|d|w)\s*)+$")
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)")


def parse_duration(text: object) -> timedelta:
    """`90m`, `24h`, `14d`, `1d 12h`: number and unit (ms, s, m, h, d, w), as often as needed.

    Raises ValueError for anything else; a bare number is refused because its unit is a guess.
    """
    if isinstance(text, timedelta):
        return text
    if not isinstance(text, str) or not _DURATION.match(text):
        raise ValueError(f"write a duration as number and unit, such as 30m, 24h or 14d, not {text!r}")
    seconds = sum(float(n) * _UNITS[unit] for n, unit in _PART.findall(text))
    if not 0 < seconds <= _LONGEST:
        raise ValueError(f"a duration is longer than zero and at most 36500d, not {text!r}")
    return timedelta(seconds=seconds)


def duration_text(value: timedelta) -> str:
    """A duration as the file writes it, exact to the microsecond."""
    return f"{value.total_seconds():.6f}".rstrip("0").rstrip(".") + "s"


def clear_on_a_calendar(duration: Any, calendar: object, remedy: str) -> Any:
    """Refuse days and weeks of a calendar: some mean business days by them, others 24 open hours each."""
    is_text = isinstance(duration, str) and _DURATION.match(duration)
    if calendar is not None and is_text and re.search("[dw]", duration):
        wrong = f"{duration!r} on a calendar may mean business days, or 24 open hours for each day"
        raise ValueError(f"{wrong}; {remedy}")
    return duration


Duration = Annotated[
    timedelta, BeforeValidator(parse_duration), PlainSerializer(duration_text, return_type=str)
]
