"""What a story means to happen: promises, visits to stages, who is who; and what must be found of them at the end.

In: planned instants, some beyond the end. Out: truth as of the end, where the rest has not happened yet. Whose a
promise or a visit is, is the person of the touchpoint that opened it.
A plan is *clear* when nothing about it hangs on a moment; stories whose plans are not are told anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.core.instants import MINUTE, SECOND, moment
from pipeline.core.messages import Micros
from pipeline.simulate.truth import LinkRule, PromiseFate, PromiseTruth, RefusedLinkTruth, StallTruth

CLOSE_CALL = SECOND
"""Nothing is met or left within a second of its limit,"""
END_MARGIN = MINUTE
"""and no limit falls within a minute of the simulation's end."""

_AT_RISK_SHARE = 0.75

Journey = tuple[str, str]
"""Journey type and correlation key."""
Identifier = tuple[str, str]
"""Kind and value."""
Persons = Mapping[Micros, str]
"""Whose the touchpoint at an instant is."""


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

    def as_of(self, end: Micros, persons: Persons) -> PromiseTruth | None:
        """None when it has not been made by then."""
        if self.made > end:
            return None
        met = _by(end, self.met)
        status = self._fate(end, met)
        seen = None if status == "cancelled" or met is None else moment(met)
        due = moment(self.due)
        return PromiseTruth(
            self.rule, *self.journey, status, moment(self.made), due, seen, persons[self.made]
        )

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

    def as_of(self, end: Micros, persons: Persons) -> StallTruth | None:
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
            persons[self.entered],
        )

    @property
    def _since(self) -> Micros:
        return self.entered + self.limit


@dataclass(slots=True, frozen=True)
class PlannedOwner:
    """A personal identifier that is another's from `since` on, until somebody parts them."""

    identifier: Identifier
    owner: Identifier
    since: Micros
    until: Micros | None = None

    def holds_at(self, end: Micros) -> bool:
        return self.since <= end and (self.until is None or end < self.until)


@dataclass(slots=True, frozen=True)
class PlannedRefusal:
    """A link that joins nobody, from `since` on."""

    rule: LinkRule
    one: Identifier
    other: Identifier
    since: Micros

    def as_of(self, end: Micros) -> RefusedLinkTruth | None:
        return None if self.since > end else RefusedLinkTruth(self.rule, named(self.one), named(self.other))


@dataclass(slots=True, frozen=True)
class PlannedBurst:
    """Touchpoints of which all or none are to be seen: what some of them would come to is nobody's plan."""

    first: Micros
    last: Micros

    def is_clear(self, end: Micros) -> bool:
        return not self.first <= end < self.last


def named(identifier: Identifier) -> str:
    """As the truth writes it: `kind:value`, an e-mail address in lower case."""
    kind, value = identifier
    return f"{kind}:{value.lower() if kind == 'email' else value}"


def _by(end: Micros, instant: Micros | None) -> Micros | None:
    return instant if instant is not None and instant <= end else None
