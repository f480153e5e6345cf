"""Deadline promises: the touchpoints that make, meet and cancel them in; the verdict on each of them out.

The first touchpoint that meets, and the first that cancels, count for every promise of the rule in the
journey, before or after its making. A verdict is a pure function of these and the watermark, so the order
of arrival does not matter, and a replay says what the live run said.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from pipeline.core.instants import NEVER
from pipeline.core.messages import Entry, Micros
from pipeline.core.rules import PromiseRule
from schemas.finding import PromiseStatus


class Making:
    """One promise: the touchpoint that made it and when it falls due.

    `status` and `settled_by` are what was concluded last, None before that; `finding_id` is remembered once
    it is known.
    """

    __slots__ = ("at_risk_at", "due", "entry", "finding_id", "settled_by", "status")

    def __init__(self, entry: Entry, due: Micros, at_risk_at: Micros) -> None:
        self.entry = entry
        self.due = due
        self.at_risk_at = at_risk_at
        self.finding_id = ""
        self.status: PromiseStatus | None = None
        self.settled_by: Entry | None = None


class PromiseFold:
    """A rule in a journey: its promises that may still change, and what settles them."""

    __slots__ = ("cancelled", "makings", "met")

    def __init__(
        self, makings: list[Making], met: Entry | None = None, cancelled: Entry | None = None
    ) -> None:
        self.makings = makings
        self.met = met
        self.cancelled = cancelled


class Verdict(NamedTuple):
    """`settled`: no later touchpoint can change it."""

    status: PromiseStatus
    settled: bool


KEPT: Final = Verdict("kept", True)
MET_LATE: Final = Verdict("broken", True)
CANCELLED: Final = Verdict("cancelled", True)
BROKEN: Final = Verdict("broken", False)
AT_RISK: Final = Verdict("at_risk", False)
MADE: Final = Verdict("made", False)


def make(rule: PromiseRule, entry: Entry) -> Making | None:
    """The promise that this touchpoint makes; None if it names no due time."""
    due = rule.due(entry)
    if due is None:
        return None
    return Making(entry, due, rule.at_risk_at(entry.time, due))


def judge(making: Making, met: Entry | None, cancelled: Entry | None, watermark: Micros) -> Verdict:
    """What has become of a promise when all time up to `watermark` has been heard of.

    At the same instant meeting wins over cancelling, and both over the due time.
    """
    due = making.due
    if cancelled is not None and cancelled.time <= due and (met is None or met.time > cancelled.time):
        return CANCELLED
    if met is not None:
        return KEPT if met.time <= due else MET_LATE
    if watermark > due:
        return BROKEN
    if watermark >= making.at_risk_at:
        return AT_RISK
    return MADE


def deadline(making: Making) -> Micros:
    """When time alone will change what was concluded of a promise last; not before 1970, when time begins."""
    if making.status == "made":
        # it may have been due before it was made
        return max(0, min(making.at_risk_at, making.due + 1))
    return max(0, making.due + 1) if making.status == "at_risk" else NEVER
