"""Conclusions on value promises: a judged one in, the finding that says all of it out. Its revision is still to be given."""

from __future__ import annotations

from typing import Any, Final

from pipeline.core.conclusions import attributes, reference
from pipeline.core.instants import NEVER
from pipeline.core.journey import Journey
from pipeline.core.outputs import ValueDetail, ValueFinding, moment
from pipeline.core.person import Person
from pipeline.core.rules import ValueRule
from pipeline.core.stored import Mark
from pipeline.core.value_verdicts import gap
from pipeline.core.values import CANCELLED, CLOSED, Told, ValueMaking, measured
from schemas.finding import ValueStatus

_JUDGED: Final = ("kept", "exceeded", "broken")


def told(making: ValueMaking, status: ValueStatus) -> Told:
    """What is to be said of a promise; each difference is a revision."""
    observed = making.observed
    return Told(
        status,
        observed.count,
        observed.figure,
        observed.seen,
        observed.started,
        observed.ended,
    )


def value_finding(person: Person, journey: Journey, rule: ValueRule, making: ValueMaking) -> ValueFinding:
    """What was concluded of a value promise."""
    assert making.told is not None
    entry, observed, made_at = making.entry, making.observed, moment(making.entry.time)
    marks = [mark for mark in (observed.started, observed.seen, observed.ended) if mark is not None]
    evidence = [reference(entry), *(f"{source}#{name}" for _, source, name in marks)]
    return ValueFinding(
        making.finding_id,
        rule.name,
        0,
        person.id,
        journey.id,
        journey.rules.name,
        journey.key,
        made_at,
        made_at,
        list(dict.fromkeys(evidence)),
        rule.owner,
        rule.severity,
        making.told.status,
        _detail(rule, making, making.told),
    )


def _detail(rule: ValueRule, making: ValueMaking, said: Told) -> ValueDetail:
    entry, observed = making.entry, making.observed
    detail = ValueDetail(
        rule.kind, moment(entry.time), entry.type, rule.owner, rule.basis, rule.take, observed.count
    )
    detail.tolerance, detail.unit, detail.per = rule.tolerance, rule.unit, making.per
    if rule.attributes:
        detail.attributes = attributes(rule, entry)
    if making.end != NEVER:
        detail.closes_at = moment(making.end)
    detail.started_at, detail.observed_at = _instant(observed.started), _instant(observed.seen)
    if observed.how == CLOSED:
        detail.closed_at = _instant(observed.ended)
    elif observed.how == CANCELLED:
        detail.cancelled_at = _instant(observed.ended)
    figure = measured(rule, observed)
    if figure is not None:
        detail.observed = _plain(figure / rule.scale)
    if making.promised is not None:
        below, above = making.promised
        detail.promised_from, detail.promised_to = _plain(below / rule.scale), _plain(above / rule.scale)
        if figure is not None and said.status in _JUDGED:
            found = gap(rule, making.promised, figure)
            detail.gap = None if found is None else _plain(found)
    return detail


def _instant(mark: Mark | None) -> Any:
    return None if mark is None else moment(mark[0])


def _plain(figure: float) -> float:
    """Twelve digits: the last ones of a converted figure are those of the machine."""
    return float(f"{figure:.12g}") + 0.0
