"""What the company's customers have lived through teaches those who come later: all stays in, what holds for a new one out.

In: the stays in stages, and of promises, of which something is learned, as they stand at the end. Out: the limit
or the forecast for one that begins at an instant, as `docs/semantics.md` has it. The bookkeeping is the truth's own: it
keeps the stays themselves, where the pipeline keeps counts that it adds to and takes from. The estimate made of them is
`pipeline.core.survival`, which is held against a textbook.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from pipeline.core.instants import DAY, MINUTE
from pipeline.core.messages import Micros
from pipeline.core.survival import Curve, bin_of
from pipeline.simulate.clocks import Learning

T = TypeVar("T")

_WINDOW = 90 * DAY
"""So long before the day that counts last a stay may have begun."""
_QUARTER = 15 * MINUTE
"""The age of who has not left is counted from the beginning of the quarter of an hour."""
_ROUNDING = 1e-9


class Stay(NamedTuple):
    """Of the stage or the promise `of`; `segment` is None for one that has none."""

    of: str
    segment: str | None
    entered: Micros
    left: Micros | None


class LearnedLimit(NamedTuple):
    """`duration` rests on `ended` stays of the segment; of all if that is None."""

    duration: Micros
    ended: int
    segment: str | None


class LearnedForecast(NamedTuple):
    """At risk once it has taken `at_risk_after`; with which probability it breaks, as it is made."""

    at_risk_after: Micros
    probability: float
    ended: int


class Experience:
    """All stays up to the end, none of which may be added once something was asked."""

    def __init__(self) -> None:
        self._stays: dict[tuple[str, str | None], list[Stay]] = defaultdict(list)
        self._curves: dict[tuple[str, str | None, int], Curve] = {}

    def add(self, stay: Stay) -> None:
        for segment in {stay.segment, None}:
            self._stays[stay.of, segment].append(stay)

    def limit(self, stay: Stay, learning: Learning) -> LearnedLimit | None:
        """How long a stay may last; None if too little is known."""

        def read(curve: Curve, segment: str | None) -> LearnedLimit | None:
            found = curve.quantile(learning.quantile, learning.least)
            return found and LearnedLimit(round(found.duration * learning.times), found.ended, segment)

        return self._learned(stay, read)

    def forecast(self, stay: Stay, within: Micros, learning: Learning) -> LearnedForecast | None:
        """From which age on a promise that is due `within` is at risk; None if too little is known."""

        def read(curve: Curve, _: str | None) -> LearnedForecast | None:
            passed = curve.percentiles()
            if curve.ended < learning.least or not passed:
                return None
            longer = 100 - sum(age <= within for age in passed)
            ages = enumerate((0, *passed))
            reached = [age for gone, age in ages if longer >= learning.probability * (100 - gone) - _ROUNDING]
            return LearnedForecast(min([*reached, within]), longer / 100, curve.ended)

        return self._learned(stay, read)

    def _learned(self, stay: Stay, read: Callable[[Curve, str | None], T | None]) -> T | None:
        """What is read of the stay's segment, or else of all."""
        day = stay.entered // DAY
        if stay.segment is not None:
            found = read(self._curve(stay.of, stay.segment, day), stay.segment)
            if found is not None:
                return found
        return read(self._curve(stay.of, None, day), None)

    def _curve(self, of: str, segment: str | None, day: int) -> Curve:
        """What the beginning of the day before knew."""
        key = (of, segment, day)
        if key not in self._curves:
            until = (day - 1) * DAY
            stays = self._stays.get((of, segment), ())
            known = [stay for stay in stays if until - _WINDOW <= stay.entered < until]
            ended = [stay for stay in known if stay.left is not None and stay.left < until]
            going_on = [stay for stay in known if stay.left is None or stay.left >= until]
            self._curves[key] = Curve(
                Counter(bin_of(stay.left - stay.entered) for stay in ended if stay.left is not None),
                Counter(bin_of(until - stay.entered // _QUARTER * _QUARTER) for stay in going_on),
            )
        return self._curves[key]
