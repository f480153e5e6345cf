"""Survival curves: how many stays ended, or were still going on, after how long in; the share that lasts longer out.

The estimate is Kaplan and Meier's product over bins of durations whose bounds grow by a fixed ratio, so that a curve takes
as much memory for a million stays as for a hundred. Its variance is Greenwood's. A stay that still goes on is censored at
the age that it has; those of a bin leave the number at risk behind the ends of that bin. What always holds: the same counts
give the same curve, whatever order they came in.
"""

from __future__ import annotations

from math import exp, log, sqrt
from typing import Final, NamedTuple

from pipeline.core.instants import SECOND
from pipeline.core.messages import Micros

RATIO: Final = 1.02
"""Between the bounds of a bin: a quantile is at most so much too long."""
SHORTEST: Final = SECOND
"""Everything up to this lies in the first bin."""
BINS: Final = 1_100
"""The last bin begins after some 90 years."""
_LOG_RATIO: Final = log(RATIO)


class Quantile(NamedTuple):
    """A duration that the given share of stays does not outlast, and the bounds between which the true one lies with 95 %
    confidence; `high` is None if the curve does not come down so far. `ended`: how many stays it rests on.
    """

    duration: Micros
    low: Micros
    high: Micros | None
    ended: int


class Step(NamedTuple):
    """Behind the end of a bin: the share that lasts longer, and the sum of Greenwood's formula up to there."""

    end: Micros
    survival: float
    hazard_variance: float


def bin_of(duration: Micros) -> int:
    """The number of the bin in which a duration lies."""
    if duration <= SHORTEST:
        return 0
    # a duration at a bound belongs to the bin that ends there, however the logarithm is rounded
    number = min(BINS - 1, 1 + int(log(duration / SHORTEST) / _LOG_RATIO))
    while number > 0 and duration <= bin_end(number - 1):
        number -= 1
    while number < BINS - 1 and duration > bin_end(number):
        number += 1
    return number


def bin_end(number: int) -> Micros:
    """The longest duration in a bin."""
    return round(SHORTEST * exp(number * _LOG_RATIO))


class Curve:
    """What is known of the durations of stays: `ended` and `going_on` are counts by bin."""

    def __init__(self, ended: dict[int, int], going_on: dict[int, int]) -> None:
        self.ended = sum(ended.values())
        self.going_on = sum(going_on.values())
        self._steps = _steps(ended, going_on)

    def lasting(self, duration: Micros) -> float:
        """The share of stays that last longer than this."""
        share = 1.0
        for step in self._steps:
            if step.end > duration:
                break
            share = step.survival
        return share

    def lasting_beyond(self, age: Micros, limit: Micros) -> float | None:
        """Of those that have lasted for `age`, the share that lasts longer than `limit`; None if none lasted so long."""
        if limit <= age:
            return 1.0
        reached = self.lasting(age)
        return self.lasting(limit) / reached if reached > 0 else None

    def percentiles(self) -> tuple[Micros, ...]:
        """The durations that 1 %, 2 %, … 100 % of stays do not outlast, as far as the curve comes down."""
        found: list[Micros] = []
        for step in self._steps:
            while len(found) < 100 and step.survival <= 1 - (len(found) + 1) / 100 + _ROUNDING:
                found.append(step.end)
        return tuple(found)

    def quantile(self, share: float, least: int = 1) -> Quantile | None:
        """The duration that `share` of stays do not outlast; None if fewer than `least` have ended, or if so many still go
        on that nobody knows.
        """
        if self.ended < least:
            return None
        duration = _first(self._steps, share, 0.0)
        if duration is None:
            return None
        low = _first(self._steps, share, -_TWO_SIDED)
        return Quantile(
            duration, duration if low is None else low, _first(self._steps, share, _TWO_SIDED), self.ended
        )


_ROUNDING: Final = 1e-12
_TWO_SIDED: Final = 1.959964
"""Standard deviations between which 95 % of a normal distribution lie."""


def _steps(ended: dict[int, int], going_on: dict[int, int]) -> list[Step]:
    at_risk = sum(ended.values()) + sum(going_on.values())
    survival, variance = 1.0, 0.0
    steps = []
    for number in sorted(ended.keys() | going_on.keys()):
        ends = ended.get(number, 0)
        if ends:
            survival *= 1 - ends / at_risk
            if at_risk > ends:
                variance += ends / (at_risk * (at_risk - ends))
            steps.append(Step(bin_end(number), survival, variance))
        at_risk -= ends + going_on.get(number, 0)
    return steps


def _first(steps: list[Step], share: float, deviations: float) -> Micros | None:
    """Where the curve, moved by so many standard deviations, first comes down to what `share` leaves; None if it does not.

    On the scale of log(-log), on which the bounds of a share stay between 0 and 1.
    """
    for end, survival, variance in steps:
        moved = survival
        if deviations and 0 < survival < 1:
            spread = deviations * sqrt(variance) / log(survival)
            moved = survival ** exp(spread)
        if moved <= 1 - share + _ROUNDING:
            return end
    return None
