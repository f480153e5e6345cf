"""Conclusions: a judged promise or visit in, the finding that says all of it out. Its revision is still to be given."""

from __future__ import annotations

from typing import Final

from pipeline.core import clock as clocks
from pipeline.core.fields import key_text
from pipeline.core.instants import NEVER, SECOND
from pipeline.core.journey import Journey
from pipeline.core.learning import learned_at
from pipeline.core.messages import Entry, Limit, Micros
from pipeline.core.outputs import (
    ClockDetail,
    EscalationDetail,
    ForecastDetail,
    LearnedDetail,
    PartsDetail,
    PromiseDetail,
    PromiseFinding,
    RevisionDetail,
    StallDetail,
    StallFinding,
    WarningDetail,
    moment,
)
from pipeline.core.person import Person
from pipeline.core.promises import Making, break_probability
from pipeline.core.rules import JUDGES, LearnedRule, Rule
from pipeline.core.stalls import Visit, given_up
from pipeline.core.stored import ClockState, Terms

_HOUR: Final = 3600 * SECOND


def promise_finding(person: Person, journey: Journey, making: Making) -> PromiseFinding:
    """What was concluded of a promise."""
    rule, entry, by, status, terms = (
        making.rule,
        making.entry,
        making.settled_by,
        making.status,
        making.terms,
    )
    assert status is not None
    made_at = moment(entry.time)
    detail = PromiseDetail(
        "deadline", made_at, entry.type, moment(making.due), moment(making.at_risk_at), rule.owner
    )
    if rule.calendar is not None:
        detail.calendar = rule.calendar.name
    if rule.attributes:
        detail.attributes = attributes(rule, entry)
    if making.learned is not None and rule.learned is not None:
        others, segment = making.learned
        detail.forecast = ForecastDetail(
            break_probability(making, others),
            rule.learned.threshold,
            others.ended,
            moment(learned_at(entry.time)),
            segment,
        )
    evidence = [reference(entry)]
    if terms is not None:
        _tell_terms(detail, making, terms)
        evidence += [f"{source}#{name}" for source, name in terms.words]
    if by is not None:
        evidence.append(reference(by))
        if status == "cancelled":
            detail.cancelled_at = moment(by.time)
        else:
            detail.met_at = moment(by.time)
            detail.gap_hours = (by.time - making.due) / _HOUR
    if rule.steps and making.passed is not None and making.passed.steps:
        detail.escalation = _escalation(rule, making.due, making.passed.steps)
    return PromiseFinding(
        making.finding_id,
        rule.name,
        0,
        person.id,
        journey.id,
        journey.rules.name,
        journey.key,
        made_at,
        made_at,
        evidence,
        rule.owner,
        rule.severity,
        status,
        detail,
    )


def stall_finding(person: Person, journey: Journey, visit: Visit) -> StallFinding:
    """What was concluded of a visit that outlasts its limit."""
    rule, entry, left, status = visit.rule, visit.entry, visit.left, visit.status
    assert status is not None
    # what is withdrawn may have no limit any more, or none that its calendar reaches
    since = moment(entry.time if visit.since == NEVER else visit.since)
    limit = visit.limit or 0
    left_at = None if left is None else moment(left.time)
    detail = StallDetail(rule.name, moment(entry.time), since, limit / SECOND, "declared", left_at)
    if status == "abandoned":
        detail.abandoned_at = moment(given_up(visit))
    if visit.learned is not None and rule.learned is not None:
        detail.limit_kind = "learned"
        detail.learned = _learned(rule.learned, entry, *visit.learned)
    elif rule.calendar is not None:
        detail.calendar = rule.calendar.name
    if rule.attributes:
        detail.attributes = attributes(rule, entry)
    if visit.clock is not None:
        detail.clock = _clock(visit.clock, rule, limit, left)
    warned, steps = visit.passed or (0, 0)
    if visit.warnings:
        detail.warnings = _warnings(rule, visit.warnings, entry, warned)
    if steps:
        detail.escalation = _escalation(rule, visit.since, steps)
    return StallFinding(
        visit.finding_id,
        rule.name,
        0,
        person.id,
        journey.id,
        journey.rules.name,
        journey.key,
        since,
        since,
        [reference(entry)] if left is None else [reference(entry), reference(left)],
        rule.owner,
        rule.severity,
        status,
        detail,
    )


def _learned(rule: LearnedRule, opening: Entry, limit: Limit, segment: str | None) -> LearnedDetail:
    return LearnedDetail(
        rule.quantile,
        rule.times,
        limit.ended,
        limit.low / SECOND,
        moment(learned_at(opening.time)),
        None if limit.high is None else limit.high / SECOND,
        segment,
    )


def attributes(rule: Rule, opening: Entry) -> dict[str, str]:
    """The fields of an opening touchpoint by which its findings are told apart, those that it has."""
    found = {}
    for name, path in rule.attributes:
        text = key_text(opening.fields.get(path))
        if text is not None:
            found[name] = text
    return found


def _tell_terms(detail: PromiseDetail, making: Making, terms: Terms) -> None:
    rule = making.rule
    detail.per = terms.per
    if terms.revisions:
        first, latest, best = terms.told
        detail.revisions = RevisionDetail(
            terms.revisions, JUDGES[rule.judged_by], moment(first), moment(latest), moment(best)
        )
    if terms.clock is not None:
        detail.clock = _clock(terms.clock, rule, rule.within, making.settled_by)
    if terms.warnings:
        warned = making.passed.warnings if making.passed is not None else 0
        detail.warnings = _warnings(rule, terms.warnings, making.entry, warned)
    if rule.parts is not None:
        detail.parts = PartsDetail(terms.needed, terms.brought)


def _clock(clock: ClockState, rule: Rule, target: Micros, settled_by: Entry | None) -> ClockDetail:
    spent = None
    if settled_by is not None:
        spent = clocks.spent(clock, rule.calendar, target, settled_by.time) / SECOND
    original = rule.later(clock.started_at, target)
    return ClockDetail(
        moment(clock.started_at),
        target / SECOND,
        spent,
        None if clock.paused_at is None else moment(clock.paused_at),
        clock.paused / SECOND,
        clock.resets,
        None if original == NEVER else moment(original),
    )


def _warnings(rule: Rule, instants: list[Micros], opening: Entry, passed: int) -> list[WarningDetail]:
    told = []
    for number, (share, at) in enumerate(zip(rule.warn_at, instants, strict=True)):
        if at <= opening.time:
            told.append(WarningDetail(share, moment(at), "skipped"))
        else:
            told.append(WarningDetail(share, moment(at), "passed" if number < passed else "ahead"))
    return told


def _escalation(rule: Rule, breach: Micros, steps: int) -> EscalationDetail:
    step = rule.steps[steps - 1]
    return EscalationDetail(steps, step.to, moment(rule.later(breach, step.after)))


def reference(entry: Entry) -> str:
    """How evidence names a touchpoint."""
    return f"{entry.source}#{entry.id}"
