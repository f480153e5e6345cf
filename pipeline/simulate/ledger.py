"""What is said of a promise or a stall beyond when it began and ended: by the truth, and by whoever found it.

All of it is optional: a promise whose clock nobody stopped and whose date stood fast has none of it.
"""

from __future__ import annotations

from datetime import datetime

import msgspec


class ClockRun(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a clock has been through. `started_at` and `spent_seconds` are told of promises alone.

    `paused_at`: since when it stands still. `paused_seconds` is time on the wall, `spent_seconds` that of its hours
    until the promise was settled. `resets`: how often it was begun anew.
    """

    started_at: datetime | None = None
    paused_at: datetime | None = None
    paused_seconds: float = 0.0
    spent_seconds: float | None = None
    resets: int = 0


class DatesTold(msgspec.Struct, frozen=True):
    """Dates that were told anew, `times` in all, too late or not; the three due times are those told in time."""

    times: int
    first_due_at: datetime
    latest_due_at: datetime
    best_due_at: datetime


class Alarms(msgspec.Struct, frozen=True, omit_defaults=True):
    """Warnings that have passed or were skipped, how many steps of escalation were taken, and the team of the last."""

    warned: int = 0
    skipped: int = 0
    steps: int = 0
    to: str = ""


class PartsBrought(msgspec.Struct, frozen=True):
    """In how many parts a promise is met, and how many have come."""

    needed: float
    brought: float


class LimitLearned(msgspec.Struct, frozen=True, omit_defaults=True):
    """That a stall outlasted a limit that was learned, from how many stays that had ended; `segment`: of which, none: of
    all.
    """

    ended: int
    segment: str | None = None


class Forecast(msgspec.Struct, frozen=True):
    """That what became of earlier promises says when one is at risk: how many of them were met, and how probable it was, as
    the promise was made, that it breaks.
    """

    at_risk_at: datetime
    probability: float
    ended: int


QUIET_CLOCK = ClockRun()
NO_ALARMS = Alarms()
