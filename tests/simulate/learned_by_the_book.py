"""What is learned, by the rules of the semantics and written to be read: Kaplan and Meier's estimate, in fractions.

In: every stay of a stage or a promise, and the day on which another began. Out: how long shares of them lasted.
Nothing of it is the core's nor the simulator's.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import exp, log
from typing import NamedTuple

SECOND, QUARTER, DAY = timedelta(seconds=1), timedelta(minutes=15), timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BOUNDS = [round(1_000_000 * exp(number * log(1.02))) for number in range(1_100)]
"""The ends of the bins in which durations are counted, in microseconds: a second, and then always 2 % more."""


class Stayed(NamedTuple):
    """From `entered` to `left`, None: still there."""

    segment: str | None
    entered: datetime
    left: datetime | None


class Survival:
    """Of the stays that began in the 90 days up to the beginning of the day before `day`, as they stood then."""

    def __init__(self, stays: list[Stayed], day: datetime) -> None:
        until = day - DAY
        known = [stay for stay in stays if until - 90 * DAY <= stay.entered < until]
        self.ends = sorted(
            _bin(stay.left - stay.entered) for stay in known if stay.left is not None and stay.left < until
        )
        self.ages = sorted(
            _bin(until - (stay.entered - (stay.entered - EPOCH) % QUARTER))
            for stay in known
            if stay.left is None or stay.left >= until
        )
        self.curve = list(self._curve())

    def _curve(self) -> list[tuple[timedelta, Fraction]]:
        share, found = Fraction(1), []
        for end in sorted(set(self.ends)):
            at_risk = sum(other >= end for other in [*self.ends, *self.ages])
            share *= 1 - Fraction(self.ends.count(end), at_risk)
            found.append((BOUNDS[end] * MICROSECOND, share))
        return found

    def outlasted_by(self, share: Fraction) -> timedelta | None:
        """The duration that no more than this share outlasts."""
        return next((duration for duration, left in self.curve if left <= share), None)


def learned_limit(
    stays: list[Stayed], stay: Stayed, quantile: float, times: float, least: int
) -> tuple[timedelta, int, str | None] | None:
    """How long the stay may last, from how many that ended, of which segment."""
    for segment in _segments(stay):
        known = _known(stays, segment, _midnight(stay.entered))
        duration = known.outlasted_by(1 - _exact(quantile))
        if len(known.ends) >= least and duration is not None:
            return round(duration / MICROSECOND * times) * MICROSECOND, len(known.ends), segment
    return None


def learned_forecast(
    stays: list[Stayed], stay: Stayed, within: timedelta, probability: float, least: int
) -> tuple[timedelta, float, int] | None:
    """From which age on it breaks with the probability, how probable that is at first, and from how many that ended."""
    for segment in _segments(stay):
        known = _known(stays, segment, _midnight(stay.entered))
        # how long 1 %, 2 %, … lasted at most; of the others nobody knows
        lasted = [known.outlasted_by(Fraction(100 - share, 100)) for share in range(1, 101)]
        ages = [timedelta(0), *(age for age in lasted if age is not None)]
        if len(known.ends) >= least and len(ages) > 1:
            longer = 101 - sum(age <= within for age in ages)
            at_risk = [age for gone, age in enumerate(ages) if longer >= _exact(probability) * (100 - gone)]
            return min([*at_risk, within]), longer / 100, len(known.ends)
    return None


def _segments(stay: Stayed) -> list[str | None]:
    """Its own, and that of all stays."""
    return [stay.segment, None] if stay.segment is not None else [None]


_found: dict[int, tuple[list[Stayed], dict[tuple[str | None, datetime], Survival]]] = {}
"""What is known by the list that it is of, which is kept so that no other has its place."""


def _known(stays: list[Stayed], segment: str | None, day: datetime) -> Survival:
    """Many stays begin on one day."""
    if len(_found) > 10:
        _found.clear()
    _, by_day = _found.setdefault(id(stays), (stays, {}))
    if (segment, day) not in by_day:
        some = [each for each in stays if segment in (None, each.segment)]
        by_day[segment, day] = Survival(some, day)
    return by_day[segment, day]


def _bin(duration: timedelta) -> int:
    return min(bisect_left(BOUNDS, duration // MICROSECOND), len(BOUNDS) - 1)


def _midnight(instant: datetime) -> datetime:
    return instant.replace(hour=0, minute=0, second=0, microsecond=0)


def _exact(share: float) -> Fraction:
    """The share that the map has in decimals."""
    return Fraction(str(share))
