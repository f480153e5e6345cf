"""Instants: RFC 3339 text and aware datetimes at the edges, integer microseconds since 1970 UTC inside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
DAY: Final = 24 * 60 * MINUTE
FIRST: Final = -62_135_596_800 * SECOND
"""The year 1 begins."""
LAST: Final = 253_402_300_800 * SECOND - 1
"""The year 9999 ends."""
NEVER: Final = 2**63 - 1
"""An instant that does not come."""


def micros(moment: datetime) -> int:
    """Microseconds since 1970 UTC of an aware datetime, exact over all years."""
    delta = moment - EPOCH
    return delta.days * DAY + delta.seconds * SECOND + delta.microseconds


def micros_of(duration: timedelta) -> int:
    """A duration in whole microseconds."""
    return duration // timedelta(microseconds=1)


def moment(instant: int) -> datetime:
    """The aware UTC datetime of `instant` microseconds; raises OverflowError outside the years 1 to 9999."""
    return EPOCH + timedelta(0, 0, instant)


def parse_instant(text: str) -> int:
    """Microseconds of an RFC 3339 instant. Raises ValueError for any other text, and for an instant that lies,
    in UTC, outside the years 1 to 9999.
    """
    found = msgspec.convert(text, datetime)
    if found.tzinfo is None:
        raise ValueError(f"{text!r} has no offset")
    return checked(micros(found))


def checked(instant: int) -> int:
    """The instant, if `moment` can express it. Raises ValueError."""
    if not FIRST <= instant <= LAST:
        raise ValueError(f"{instant} microseconds lie outside the years 1 to 9999")
    return instant
