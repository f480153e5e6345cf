"""Stages: the touchpoints that enter and leave them in, visits and their stalls out.

`once`: from the first entry to the first exit anywhere in the journey; an exit before the entry voids it.
`many`: entries and exits pair in trail order, an entry while inside and an unpaired exit are ignored. A
stall begins when the dwell exceeds the limit; dwell runs from the entry, while the stage's calendar is open and nothing
pauses it, and is begun anew only by what resets it. What comes after the limit mends nothing.
"""

from __future__ import annotations

from mypy_extensions import mypyc_attr

from pipeline.core import clock as clocks
from pipeline.core.acts import GO_ON, HALT, RESTART
from pipeline.core.instants import NEVER
from pipeline.core.messages import Entry, Limit, Micros
from pipeline.core.rules import StageRule
from pipeline.core.stored import ClockState, Stay
from schemas.finding import StallStatus


@mypyc_attr(acyclic=True)
class Visit:
    """A stay in a stage, from the touchpoint that entered it to the one that left it, if any.

    `rule` is on the calendar that the entry chose. `since` is the last instant at which it is no stall yet. `is_given_up`:
    what left it gave the customer up. `clock`, `warnings` are there if the rule asks for them. `status` is what was
    concluded last, None before that and `withdrawn` while it is no stall, `passed` how many warnings and steps had passed;
    `finding_id` is remembered once it is known. `limit` is the declared one, or what was `learned` if that is shorter (with
    the segment that it is of).
    """

    __slots__ = (
        "clock",
        "entry",
        "finding_id",
        "is_given_up",
        "is_judged_by_others",
        "learned",
        "left",
        "limit",
        "passed",
        "rule",
        "since",
        "status",
        "warnings",
    )

    def __init__(self, rule: StageRule, entry: Entry) -> None:
        self.rule = rule
        self.entry = entry
        self.since = rule.since(entry.time)
        self.limit = rule.limit
        self.is_judged_by_others = False
        self.learned: tuple[Limit, str | None] | None = None
        self.left: Entry | None = None
        self.is_given_up = False
        self.clock: ClockState | None = None
        self.warnings: list[Micros] = []
        self.finding_id = ""
        self.status: StallStatus | None = None
        self.passed: tuple[int, int] | None = None


@mypyc_attr(acyclic=True)
class StageFold:
    """A stage in a journey: the visit under way, and the visits that ended since the last evaluation.

    `is_over`: a stage for one visit that has had its exit. `paused_at`: since when its clock stands still, whoever is
    inside.
    """

    __slots__ = ("ended", "inside", "is_over", "paused_at")

    def __init__(self) -> None:
        self.inside: Visit | None = None
        self.ended: tuple[Visit, ...] = ()
        self.is_over = False
        self.paused_at: Micros | None = None

    def enter(self, rule: StageRule, entry: Entry) -> bool:
        """Whether the touchpoint begins a visit."""
        if self.inside is not None or self.is_over:
            return False
        self.inside = begin(rule, entry, self.paused_at)
        return True

    def leave(self, rule: StageRule, entry: Entry, is_given_up: bool = False) -> bool:
        """Whether the touchpoint ends a visit."""
        self.is_over = rule.once
        visit = self.inside
        if visit is None:
            return False
        if visit.clock is not None and clocks.resume(visit.clock, entry.time):
            _set_instants(visit)
        visit.left = entry
        visit.is_given_up = is_given_up
        self.ended += (visit,)
        self.inside = None
        return True

    def set_clock(self, act: int, entry: Entry) -> None:
        """Pause the clock, let it go on, or begin it anew."""
        if act == HALT:
            self.paused_at = entry.time
        elif act == GO_ON:
            self.paused_at = None
        visit = self.inside
        if visit is None or visit.clock is None:
            return
        clock, rule = visit.clock, visit.rule
        if act == HALT:
            if entry.time < visit.since:
                clocks.pause(clock, rule.calendar, entry.time)
        elif act == GO_ON:
            if clocks.resume(clock, entry.time):
                _set_instants(visit)
        elif act == RESTART and (clock.paused_at is not None or entry.time <= visit.since):
            clocks.reset(clock, rule.limit or 0, entry.time)
            _set_instants(visit)

    def stored(self) -> Stay:
        """What a cut journey keeps of it."""
        visit = self.inside
        if visit is None:
            return Stay(None, self.is_over, None, self.paused_at)
        return Stay(visit.entry, self.is_over, visit.clock, self.paused_at, visit.warnings)


def restored(rule: StageRule, stay: Stay) -> StageFold:
    """The fold of what was kept, under a rule that may have changed since. `stay` stays as it is."""
    fold = StageFold()
    fold.is_over, fold.paused_at = stay.is_over, stay.paused_at
    if stay.inside is not None:
        visit = fold.inside = begin(rule, stay.inside, None)
        old = stay.clock
        if old is not None and visit.clock is not None:
            visit.clock = type(old)(
                old.started_at, old.runs_from, old.left, old.paused_at, old.paused, old.resets
            )
            visit.since = clocks.due(visit.clock, visit.rule.calendar)
            if len(stay.warnings) == len(visit.warnings):
                visit.warnings = stay.warnings
    return fold


def begin(rule: StageRule, entry: Entry, paused_at: Micros | None) -> Visit:
    """The visit that a touchpoint begins."""
    rule = rule.of(entry)
    visit = Visit(rule, entry)
    if rule.limit is not None:
        if rule.has_clock:
            visit.clock = clocks.begin(rule.limit, entry.time, paused_at)
        if rule.warn_at:
            visit.warnings = rule.shares(entry.time, visit.since)
    return visit


def limit_by_others(visit: Visit, limit: Limit, segment: str | None) -> None:
    """Let a visit be judged by a learned limit, if that is shorter than what its rule says."""
    rule, entered = visit.rule, visit.entry.time
    since = entered + limit.duration
    if since >= visit.since:
        return
    visit.since, visit.limit, visit.learned = since, limit.duration, (limit, segment)
    if rule.warn_at:
        # the way to a learned limit is not counted on a calendar
        visit.warnings = [entered + round(limit.duration * share) for share in rule.warn_at]


def judge(visit: Visit, watermark: Micros) -> StallStatus:
    """What is to be said of a visit when all time up to `watermark` has been heard of; `withdrawn`: it is no stall."""
    rule, left, since = visit.rule, visit.left, visit.since
    if since == NEVER:
        return "withdrawn"
    given_up_at = given_up(visit)
    if left is not None:
        if left.time <= since:
            return "withdrawn"
        return "abandoned" if visit.is_given_up or left.time > given_up_at else "resolved"
    if visit.clock is not None:
        watermark = clocks.reached(visit.clock, watermark)
    if watermark <= since:
        return "withdrawn"
    if watermark > given_up_at:
        return "abandoned"
    return "escalated" if rule.steps and rule.escalated(since, watermark) else "opened"


def given_up(visit: Visit) -> Micros:
    """When a stall is given up: by what left it or by time, whichever comes first; NEVER if by neither."""
    rule, left = visit.rule, visit.left
    by_time = NEVER if rule.given_up is None else rule.later(visit.since, rule.given_up)
    return min(by_time, left.time) if left is not None and visit.is_given_up else by_time


def passed(visit: Visit, watermark: Micros) -> tuple[int, int]:
    """How many warnings and steps of escalation have passed up to the watermark, or to the exit before that."""
    rule = visit.rule
    until = watermark if visit.left is None else visit.left.time
    if visit.clock is not None:
        until = clocks.reached(visit.clock, until)
    until = min(until, given_up(visit))
    warned = sum(1 for at in visit.warnings if at <= until)
    return warned, rule.escalated(visit.since, until) if until > visit.since else 0


def deadline(visit: Visit, watermark: Micros) -> Micros:
    """When time alone will change what is to be said of a visit under way; NEVER if it will not."""
    rule, since = visit.rule, visit.since
    if since == NEVER:
        return NEVER
    soonest = since + 1 if watermark <= since else NEVER
    for at in visit.warnings:
        if watermark < at < soonest:
            soonest = at
    if rule.steps:
        soonest = min(soonest, rule.next_step(since, watermark))
    if watermark <= (given_up_at := given_up(visit)) < NEVER:
        soonest = min(soonest, given_up_at + 1)
    return soonest if visit.clock is None else clocks.coming(visit.clock, soonest)


def _set_instants(visit: Visit) -> None:
    """Set the instants that lie ahead by a clock that runs again."""
    rule, clock = visit.rule, visit.clock
    if clock is None or rule.limit is None:
        return
    visit.since = clocks.due(clock, rule.calendar)
    visit.warnings = [
        clocks.moved(clock, rule.calendar, rule.limit, share, at)
        for at, share in zip(visit.warnings, rule.warn_at, strict=True)
    ]
