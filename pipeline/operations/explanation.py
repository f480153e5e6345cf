"""Why a finding says what it says: a journey's touchpoints and the map in, the clock's segments and the arithmetic out.

Pure. The journey is folded again by the core, and the segments are laid out beside it from the same touchpoints; that both
come to the same is for the tests. All times are microseconds, as in the core.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from pipeline.core import acts, promises, stalls
from pipeline.core.calendars import BusinessCalendar
from pipeline.core.fields import key_text
from pipeline.core.journey import open_journey, order
from pipeline.core.messages import Entry, Limit, Micros
from pipeline.core.plan import JourneyRules, applies
from pipeline.core.promises import Making
from pipeline.core.rules import PromiseRule, Rule, StageRule
from pipeline.core.stalls import Visit

WHAT = {
    acts.MAKE: "made",
    acts.REVISE: "revised",
    acts.RESET: "begun anew",
    acts.RESUME: "resumed",
    acts.PAUSE: "paused",
    acts.MEET: "met",
    acts.CANCEL: "cancelled",
    acts.LEAVE: "left",
    acts.ABANDON: "abandoned",
    acts.ENTER: "entered",
    acts.RESTART: "begun anew",
    acts.GO_ON: "resumed",
    acts.HALT: "paused",
}
"""What a touchpoint does to a promise or a stage."""
MOST_SEGMENTS = 40
"""Open and closed hours between two touchpoints that are told one by one."""


@dataclass(frozen=True)
class Act:
    """A touchpoint that is about the rule; `counts`: whether it changed anything."""

    entry: Entry
    what: str
    counts: bool


@dataclass(frozen=True)
class Segment:
    """What the clock did from `start` to `end`; `spent`: how much of the target that took. Where a long time on a calendar
    is told as one, `spent` is less than it lasted.
    """

    kind: Literal["ran", "paused", "closed"]
    start: Micros
    end: Micros
    spent: Micros


@dataclass(frozen=True)
class Explanation:
    """`due`: the instant that decides, of a stage when the visit becomes a stall; NEVER if there is none. `end`: up to
    where the clock is laid out. `target`: what has to run, None for an instant that was told. `is_learned`: others decided
    on the limit of a stage, or on when a promise is at risk. `given_up_at`: when a stall was abandoned, if it was.
    """

    rule: Rule
    opening: Entry
    acts: list[Act]
    start: Micros
    target: Micros | None
    due: Micros
    end: Micros
    status: str
    settled_by: Entry | None
    segments: list[Segment] = field(default_factory=list)
    is_learned: bool = False
    given_up_at: Micros | None = None


def explain(
    rules: JourneyRules,
    rule: PromiseRule | StageRule,
    entries: Sequence[Entry],
    opening: Entry,
    until: Micros,
    learned: Micros | None = None,
) -> Explanation | None:
    """Why the finding that `opening` opened says what it says when time has come to `until`; None if these touchpoints
    open nothing there. `learned`: the limit that was learned of others, or from when by others the promise was at risk.
    """
    ordered = sorted(entries, key=order)
    if isinstance(rule, PromiseRule):
        making, told = _making(rules, rule, ordered, opening)
        if making is None:
            return None
        if learned is not None:
            making.at_risk_at = learned
        return replace(_of_promise(making, told, until), is_learned=learned is not None)
    visit, told = _visit(rules, rule, ordered, opening)
    if visit is None:
        return None
    if learned is not None:
        stalls.limit_by_others(visit, Limit(0, learned), None)
    return _of_stage(visit, told, until)


def _making(
    rules: JourneyRules, rule: PromiseRule, entries: Sequence[Entry], opening: Entry
) -> tuple[Making | None, list[Act]]:
    """The promise as it is after all of them, and what each did to it."""
    index, journey = rules.promises.index(rule), open_journey(rules, "")
    told: list[Act] = []
    making: Making | None = None
    per = None if rule.per is None else key_text(opening.fields.get(rule.per))
    for entry in entries:
        before = _state(making)
        journey.add(entry)
        fold = journey.promises[index]
        if making is None and fold is not None:
            making = next((each for each in fold.makings if each.entry is opening), None)
        for act in _acts(rules, index, entry, of_promises=True):
            concerns = rule.per is None or key_text(entry.fields.get(rule.per)) in (None, per)
            if concerns and (act != acts.MAKE or entry is opening):
                told.append(Act(entry, WHAT[act], act == acts.MAKE or _state(making) != before))
    return making, told


def _visit(
    rules: JourneyRules, rule: StageRule, entries: Sequence[Entry], opening: Entry
) -> tuple[Visit | None, list[Act]]:
    """The visit as it is after all of them, and what each did to it."""
    index, journey = rules.stages.index(rule), open_journey(rules, "")
    told: list[Act] = []
    visit: Visit | None = None
    for entry in entries:
        before = _visited(visit)
        journey.add(entry)
        fold = journey.stages[index]
        if visit is None and fold is not None and fold.inside and fold.inside.entry is opening:
            visit = fold.inside
        told += [
            Act(entry, WHAT[act], act == acts.ENTER or _visited(visit) != before)
            for act in _acts(rules, index, entry, of_promises=False)
            if act != acts.ENTER or entry is opening
        ]
    return visit, told


def _acts(rules: JourneyRules, index: int, entry: Entry, *, of_promises: bool) -> list[int]:
    """What a touchpoint does to one promise, or one stage, of its journey."""
    first, last = (acts.MAKE, acts.OF_PROMISES) if of_promises else (acts.LEAVE, acts.HALT)
    return [
        action.act
        for action in rules.actions.get(entry.type, ())
        if action.target == index
        and first <= action.act <= last
        and (action.alternatives is None or applies(action.alternatives, entry.fields))
    ]


def _state(making: Making | None) -> object:
    if making is None:
        return None
    terms = making.terms
    met, cancelled = making.met, making.cancelled
    return (
        making.due,
        met and met.id,
        cancelled and cancelled.id,
        terms and (terms.changes, terms.revisions),
    )


def _visited(visit: Visit | None) -> object:
    if visit is None:
        return None
    clock = visit.clock
    return (visit.since, visit.left and visit.left.id, clock and (clock.paused_at, clock.resets))


def _of_promise(making: Making, told: list[Act], until: Micros) -> Explanation:
    rule = making.rule
    verdict = promises.judge(making, until)
    settled_by = None
    if verdict.settled:
        settled_by = making.cancelled if verdict.status == "cancelled" else making.met
    target = None if rule.due_field is not None or rule.end_of is not None else rule.within
    end = until if settled_by is None else settled_by.time
    start = rule.start(making.entry)
    segments = [] if target is None else _segments(rule.calendar, told, start, end, making.due)
    return Explanation(
        rule, making.entry, told, start, target, making.due, end, verdict.status, settled_by, segments
    )


def _of_stage(visit: Visit, told: list[Act], until: Micros) -> Explanation:
    rule = visit.rule
    end, start = until if visit.left is None else visit.left.time, visit.entry.time
    is_learned = visit.learned is not None
    segments = _segments(None if is_learned else rule.calendar, told, start, end, visit.since)
    status = stalls.judge(visit, until)
    return Explanation(
        rule,
        visit.entry,
        told,
        start,
        visit.limit,
        visit.since,
        end,
        status,
        visit.left,
        segments,
        is_learned,
        stalls.given_up(visit) if status == "abandoned" else None,
    )


def _segments(
    calendar: BusinessCalendar | None, told: list[Act], start: Micros, end: Micros, due: Micros
) -> list[Segment]:
    """The clock from its last beginning to `end`. What comes after the due time has changed nothing."""
    found: list[Segment] = []
    paused = False
    since = start

    def close(at: Micros) -> None:
        if at <= since:
            return
        if paused:
            found.append(Segment("paused", since, at, 0))
        elif calendar is None:
            found.append(Segment("ran", since, at, at - since))
        else:
            found.extend(_by_hours(calendar, since, at))

    for act in told:
        time = act.entry.time
        if act.what == "begun anew" and act.counts:
            found.clear()
            since = time
        elif act.what == "paused" and not paused and (act.counts or time < start) and time < due:
            close(time)
            since, paused = max(since, time), True
        elif act.what == "resumed" and paused:
            close(time)
            since, paused = max(since, time), False
    close(end)
    return found


def _by_hours(calendar: BusinessCalendar, start: Micros, end: Micros) -> list[Segment]:
    """Open and closed hours in turn; as one if they are very many."""
    found: list[Segment] = []
    at = start
    while at < end and len(found) < MOST_SEGMENTS:
        opens, closes = calendar.opening(at), calendar.closing(at)
        until = min(end, opens, closes)
        if closes < opens:
            found.append(Segment("ran", at, until, until - at))
        else:
            found.append(Segment("closed", at, until, 0))
        at = until
    return found if at == end else [Segment("ran", start, end, calendar.between(start, end))]
