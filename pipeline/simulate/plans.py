"""What a story means to happen: its promises and visits to stages, and what must be found of them at the end.

In: planned instants, some beyond the end. Out: truth as of the end, where the rest has not happened yet.
A plan is *clear* when nothing about it hangs on a moment; stories whose plans are not are told anew.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.core.instants import MINUTE, SECOND, moment
from pipeline.core.messages import Micros
from pipeline.simulate.truth import PromiseFate, PromiseTruth, StallTruth

CLOSE_CALL = SECOND
"""Nothing is met or left within a second of its limit,"""
END_MARGIN = MINUTE
"""and no limit falls within a minute of the simulation's end."""

_AT_RISK_SHARE = 0.75

Journey = tuple[str, str]
"""Journey type and correlation key."""


@dataclass(slots=True, frozen=True)
class PlannedPromise:
    rule: str
    journey: Journey
    made: Micros
    due: Micros
    met: Micros | None
    cancelled: Micros | None = None

    def is_clear(self, end: Micros) -> bool:
        if any(at is not None and abs(at - self.due) < CLOSE_CALL for at in (self.met, self.cancelled)):
            return False
        return abs(self.due - end) >= END_MARGIN and abs(self._risk - end) >= END_MARGIN

    def as_of(self, end: Micros) -> PromiseTruth | None:
        """None when it has not been made by then."""
        if self.made > end:
            return None
        met = _by(end, self.met)
        status = self._fate(end, met)
        seen = None if status == "cancelled" or met is None else moment(met)
        return PromiseTruth(self.rule, *self.journey, status, moment(self.made), moment(self.due), seen)

    @property
    def _risk(self) -> Micros:
        return self.made + int((self.due - self.made) * _AT_RISK_SHARE)

    def _fate(self, end: Micros, met: Micros | None) -> PromiseFate:
        cancelled = _by(min(end, self.due), self.cancelled)
        if cancelled is not None and (met is None or cancelled < met):
            return "cancelled"
        if met is not None:
            return "kept" if met <= self.due else "met_late"
        if end > self.due:
            return "broken"
        return "at_risk" if end >= self._risk else "made"


@dataclass(slots=True, frozen=True)
class PlannedVisit:
    stage: str
    journey: Journey
    entered: Micros
    left: Micros | None
    limit: Micros

    def is_clear(self, end: Micros) -> bool:
        close = self.left is not None and abs(self.left - self._since) < CLOSE_CALL
        return not close and abs(self._since - end) >= END_MARGIN

    def as_of(self, end: Micros) -> StallTruth | None:
        """None when the visit has not outlasted its limit by then."""
        left = _by(end, self.left)
        if (end if left is None else left) <= self._since:
            return None
        return StallTruth(
            self.stage,
            *self.journey,
            "opened" if left is None else "resolved",
            moment(self.entered),
            moment(self._since),
            None if left is None else moment(left),
        )

    @property
    def _since(self) -> Micros:
        return self.entered + self.limit


def _by(end: Micros, instant: Micros | None) -> Micros | None:
    return instant if instant is not None and instant <= end else None
