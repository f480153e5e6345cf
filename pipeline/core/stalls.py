"""Stages: the touchpoints that enter and leave them in, visits and their stalls out.

`once`: from the first entry to the first exit anywhere in the journey; an exit before the entry voids it.
`many`: entries and exits pair in trail order, an entry while inside and an unpaired exit are ignored. A
stall begins when the dwell exceeds the limit; dwell runs from the entry and is not reset. The instant at which the limit
is reached is the rule's (`StageRule.since`); on a calendar, dwell runs while that is open.
"""

from __future__ import annotations

from pipeline.core.instants import NEVER
from pipeline.core.messages import Entry, Micros
from schemas.finding import StallStatus


class Visit:
    """A stay in a stage, from the touchpoint that entered it to the one that left it, if any.

    `status` is what was concluded last, None before that and `withdrawn` while it is no stall; `finding_id`
    is remembered once it is known.
    """

    __slots__ = ("entry", "finding_id", "left", "status")

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.left: Entry | None = None
        self.finding_id = ""
        self.status: StallStatus | None = None


class StageFold:
    """A stage in a journey: the visit under way, and the visits that ended since the last evaluation.

    `is_over`: a stage for one visit that has had its exit.
    """

    __slots__ = ("ended", "inside", "is_over")

    def __init__(self, inside: Visit | None = None, is_over: bool = False) -> None:
        self.inside = inside
        self.ended: tuple[Visit, ...] = ()
        self.is_over = is_over

    def enter(self, entry: Entry) -> bool:
        """Whether the touchpoint begins a visit."""
        if self.inside is not None or self.is_over:
            return False
        self.inside = Visit(entry)
        return True

    def leave(self, entry: Entry, once: bool) -> bool:
        """Whether the touchpoint ends a visit."""
        self.is_over = once
        visit = self.inside
        if visit is None:
            return False
        visit.left = entry
        self.ended += (visit,)
        self.inside = None
        return True


def judge(visit: Visit, since: Micros, watermark: Micros) -> StallStatus:
    """What is to be said of a visit that reaches its limit at `since`, when all time up to `watermark` has been heard of;
    `withdrawn`: it is no stall.
    """
    left = visit.left
    if left is not None:
        return "resolved" if left.time > since else "withdrawn"
    return "opened" if watermark > since else "withdrawn"


def deadline(since: Micros, watermark: Micros) -> Micros:
    """When a visit that is under way and reaches its limit at `since` becomes a stall; NEVER if it is one, or never will."""
    return since + 1 if watermark <= since < NEVER else NEVER
