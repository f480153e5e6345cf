"""The plan: a journey map compiled for the hot path.

In goes a validated journey map; out comes, for each journey type and touchpoint type, what a touchpoint of
that type does there (`Action`), and for each touchpoint type which of its fields are needed behind ingest
(`projection`). Durations are integer microseconds. A plan is immutable. Its `digest` covers what decides the
conclusions, so that another title or another description does not fold every person anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from hashlib import blake2b
from typing import Any, Final, NamedTuple, TypeVar

from pipeline.core import acts
from pipeline.core.calendars import BusinessCalendar
from pipeline.core.instants import MINUTE, micros_of, parse_instant
from pipeline.core.kinds import can_link
from pipeline.core.opening_hours import calendars_of
from pipeline.core.rules import JUDGES, Attribute, LearnedRule, PromiseRule, StageRule, Step, ValueRule
from pipeline.core.value_rules import reads_of_values, uses_of_values, value_rule
from schemas.base import Scalar
from schemas.calendars import CalendarByField, DueEndOf, minutes
from schemas.clocks import Clocked
from schemas.finding import Severity
from schemas.identifiers import IdentifierKind
from schemas.journey_map import JourneyMap, JourneyType
from schemas.learned import Forecast, LearnedLimit
from schemas.promises import DueField, DueWithin, Promise
from schemas.stages import ExpectedByField, Stage
from schemas.triggers import Trigger

R = TypeVar("R")
Projection = tuple[tuple[str, bool], ...]
"""Field paths, each with whether it is a due time and therefore held in microseconds."""
Condition = tuple[str, tuple[tuple[bool, Any], ...]]
"""A field path and the values that satisfy it; each with whether it is a boolean: True == 1 in Python."""


_PROMISE_ACTS: Final = (
    (acts.MAKE, "made_by"),
    (acts.REVISE, "revised_by"),
    (acts.RESET, "reset_by"),
    (acts.RESUME, "resumed_by"),
    (acts.PAUSE, "paused_by"),
    (acts.MEET, "met_by"),
    (acts.CANCEL, "cancelled_by"),
)
_STAGE_ACTS: Final = (
    (acts.LEAVE, "leave"),
    (acts.ABANDON, "abandoned_by"),
    (acts.ENTER, "enter"),
    (acts.RESTART, "reset_by"),
    (acts.GO_ON, "resumed_by"),
    (acts.HALT, "paused_by"),
)


class Action(NamedTuple):
    """`act` on the promise or stage at index `target`, if all conditions of one of `alternatives` hold.

    Without alternatives it always applies.
    """

    act: int
    target: int
    alternatives: tuple[tuple[Condition, ...], ...] | None


def applies(alternatives: tuple[tuple[Condition, ...], ...], fields: Mapping[str, Any]) -> bool:
    """Whether all conditions of one alternative hold. An absent field satisfies no condition."""
    return any(_hold(conditions, fields) for conditions in alternatives)


def _hold(conditions: tuple[Condition, ...], fields: Mapping[str, Any]) -> bool:
    for path, allowed in conditions:
        value = fields.get(path)
        if value is None or (type(value) is bool, value) not in allowed:
            return False
    return True


@dataclass(frozen=True)
class JourneyRules:
    """A journey type: its correlation key and, by touchpoint type, what happens in it."""

    index: int
    name: str
    key: str
    promises: tuple[PromiseRule, ...]
    values: tuple[ValueRule, ...]
    stages: tuple[StageRule, ...]
    learned: tuple[LearnedRule, ...]
    actions: Mapping[str, tuple[Action, ...]]


@dataclass(frozen=True)
class Plan:
    """A compiled journey map. `source` is the map itself, as JSON."""

    source: bytes
    digest: bytes
    journeys: tuple[JourneyRules, ...]
    kinds: Mapping[str, IdentifierKind]
    links: bool
    """Whether two personal identifiers can be one person."""
    learned: tuple[LearnedRule, ...]
    owners: Mapping[str, str]
    _projections: Mapping[str, Projection]
    _keys: Projection = field(default=())

    def projection(self, touchpoint_type: str) -> Projection:
        """What the stages behind ingest need of a touchpoint of this type."""
        return self._projections.get(touchpoint_type, self._keys)

    def owner(self, touchpoint_type: str) -> str | None:
        """The team that owns the type; None if the map does not name it."""
        return self.owners.get(touchpoint_type)


def compile_plan(journey_map: JourneyMap) -> Plan:
    """Compile a map once, when a stage or a run begins. Raises ValueError if its calendars were not resolved."""
    calendars = calendars_of(journey_map)
    due_fields = frozenset(_due_fields(journey_map))
    keys = dict.fromkeys([(journey.key, False) for journey in journey_map.journeys.values()])
    journeys = tuple(
        _journey(index, name, journey, due_fields, calendars)
        for index, (name, journey) in enumerate(journey_map.journeys.items())
    )
    return Plan(
        source=journey_map.model_dump_json().encode(),
        digest=blake2b(repr(journeys).encode(), digest_size=8).digest(),
        journeys=journeys,
        kinds=dict(journey_map.identifiers),
        links=can_link(journey_map.identifiers),
        learned=tuple([rule for journey in journeys for rule in journey.learned]),
        owners={name: declared.owner for name, declared in journey_map.touchpoints.items()},
        _projections={
            name: tuple(dict.fromkeys([*keys, *_needed(journey_map, name, due_fields)]))
            for name in journey_map.touchpoints
        },
        _keys=tuple(keys),
    )


def plan_from(source: bytes) -> Plan:
    """The plan of a map that was kept as `Plan.source`."""
    return compile_plan(JourneyMap.model_validate_json(source))


def _due_fields(journey_map: JourneyMap) -> Iterator[tuple[str, str]]:
    """(touchpoint type, field path) of every due time, and of every instant at which a clock starts."""
    for journey in journey_map.journeys.values():
        for promise in journey.deadlines.values():
            told = _told_in(promise)
            if told is not None:
                for trigger in (*promise.made_by, *promise.revised_by):
                    yield trigger.type, told
            if promise.starts is not None:
                for trigger in promise.made_by:
                    yield trigger.type, promise.starts


def _needed(
    journey_map: JourneyMap, touchpoint_type: str, due_fields: frozenset[tuple[str, str]]
) -> Iterator[tuple[str, bool]]:
    for journey in journey_map.journeys.values():
        for _, _, triggers in _uses(journey):
            for trigger in triggers:
                if trigger.type == touchpoint_type:
                    for path in trigger.where:
                        yield path, (touchpoint_type, path) in due_fields
        for path, triggers in _reads(journey):
            if any(trigger.type == touchpoint_type for trigger in triggers):
                yield path, (touchpoint_type, path) in due_fields
    yield from sorted((path, True) for of_type, path in due_fields if of_type == touchpoint_type)


def _uses(journey: JourneyType) -> Iterator[tuple[int, int, Sequence[Trigger]]]:
    """What the triggers of a journey type are for: (act, index of the promise or stage, triggers)."""
    for index, promise in enumerate(journey.deadlines.values()):
        for act, name in _PROMISE_ACTS:
            yield act, index, getattr(promise, name)
    for index, stage in enumerate(journey.stages.values()):
        for act, name in _STAGE_ACTS:
            yield act, index, getattr(stage, name)
    yield acts.END, 0, journey.end
    yield from uses_of_values(journey)


def _reads(journey: JourneyType) -> Iterator[tuple[str, Sequence[Trigger]]]:
    """The fields that rules read of the touchpoints of some triggers, beside their conditions and due times."""
    for stage in journey.stages.values():
        for path in _of_opening(stage, stage.learned, stage.calendar, stage.expected):
            yield path, stage.enter
    for promise in journey.deadlines.values():
        for path in _of_opening(promise, promise.forecast, promise.calendar):
            yield path, promise.made_by
    for promise in journey.deadlines.values():
        if promise.per is not None:
            for _, name in _PROMISE_ACTS:
                yield promise.per, getattr(promise, name)
        if promise.parts is not None:
            yield promise.parts, promise.made_by
        if promise.part is not None:
            yield promise.part, promise.met_by
    yield from reads_of_values(journey)


def _of_opening(rule: Clocked, learned: LearnedLimit | Forecast | None, *choices: object) -> Iterator[str]:
    """The fields of the opening touchpoint that tell findings apart, or choose what holds for them."""
    yield from rule.attributes.values()
    if learned is not None and learned.segment is not None:
        yield learned.segment
    for choice in choices:
        if isinstance(choice, CalendarByField | ExpectedByField):
            yield choice.field


def _journey(
    index: int,
    name: str,
    journey: JourneyType,
    due_fields: frozenset[tuple[str, str]],
    calendars: Mapping[str, BusinessCalendar],
) -> JourneyRules:
    found: dict[str, dict[tuple[int, int], list[tuple[Condition, ...]]]] = {}
    for act, position, triggers in _uses(journey):
        for trigger in triggers:
            of_type = found.setdefault(trigger.type, {})
            of_type.setdefault((act, position), []).append(_conditions(trigger, due_fields))
    promises = [_promise(name, promise, calendars) for name, promise in journey.deadlines.items()]
    stages = [_stage(name, stage, calendars) for name, stage in journey.stages.items()]
    rules: list[PromiseRule | StageRule] = [*promises, *stages]
    return JourneyRules(
        index=index,
        name=name,
        key=journey.key,
        promises=tuple(promises),
        values=tuple(value_rule(name, promise) for name, promise in journey.values.items()),
        stages=tuple(stages),
        learned=tuple([rule.learned for rule in rules if rule.learned is not None]),
        actions={of_type: _actions(uses) for of_type, uses in found.items()},
    )


def _actions(uses: Mapping[tuple[int, int], list[tuple[Condition, ...]]]) -> tuple[Action, ...]:
    # an alternative without conditions always holds, so that the others need not be looked at
    return tuple(
        Action(act, index, None if () in alternatives else tuple(alternatives))
        for (act, index), alternatives in sorted(uses.items())
    )


def _conditions(trigger: Trigger, due_fields: frozenset[tuple[str, str]]) -> tuple[Condition, ...]:
    return tuple(
        (
            path,
            tuple(
                _allowed(values if isinstance(values, list) else [values], (trigger.type, path) in due_fields)
            ),
        )
        for path, values in trigger.where.items()
    )


def _allowed(values: Iterable[Scalar], is_instant: bool) -> Iterator[tuple[bool, Any]]:
    for value in values:
        if is_instant and isinstance(value, str):
            try:
                yield False, parse_instant(value)
            except ValueError:
                continue  # no instant equals it
        else:
            yield isinstance(value, bool), value


def _promise(name: str, promise: Promise, calendars: Mapping[str, BusinessCalendar]) -> PromiseRule:
    return _by_calendar(partial(_promise_on, name, promise), promise.calendar, calendars)


def _by_calendar(
    rule_on: Callable[..., R], chosen: str | CalendarByField | None, calendars: Mapping[str, BusinessCalendar]
) -> R:
    """A rule on its calendar; if a field chooses that, with the same rule on each of the others as its choices."""
    if not isinstance(chosen, CalendarByField):
        return rule_on(None if chosen is None else calendars[chosen])
    choices = tuple((value, rule_on(calendars[calendar])) for value, calendar in chosen.values.items())
    return rule_on(calendars[chosen.otherwise], chosen.field, choices)


def _promise_on(
    name: str,
    promise: Promise,
    calendar: BusinessCalendar | None,
    chosen_by: str | None = None,
    choices: tuple[tuple[str, PromiseRule], ...] = (),
) -> PromiseRule:
    due = promise.due
    return PromiseRule(
        name=name,
        label=f"promise\0{name}",
        owner=promise.owed_by,
        severity=promise.severity,
        calendar=calendar,
        warn_at=tuple(promise.warn_at),
        steps=_steps(promise),
        has_clock=promise.has_clock,
        attributes=_attributes(promise),
        due_field=_told_in(promise),
        within=micros_of(due.within) if isinstance(due, DueWithin) else 0,
        at_risk=promise.at_risk.otherwise if isinstance(promise.at_risk, Forecast) else promise.at_risk,
        end_of=due.days() if isinstance(due, DueEndOf) else None,
        at=minutes(due.at) * MINUTE if isinstance(due, DueEndOf) and due.at is not None else None,
        start_field=promise.starts,
        judged_by=JUDGES.index(promise.judged_by),
        per=promise.per,
        parts=promise.parts,
        part=promise.part,
        has_terms=promise.has_terms,
        learned=_learned(f"promise/{name}", promise.owed_by, promise.severity, promise.forecast),
        chosen_by=chosen_by,
        choices=choices,
    )


def _told_in(promise: Promise) -> str | None:
    """The field that tells its due time, or the day of it."""
    if isinstance(promise.due, DueField):
        return promise.due.field
    return promise.due.of if isinstance(promise.due, DueEndOf) else None


def _stage(name: str, stage: Stage, calendars: Mapping[str, BusinessCalendar]) -> StageRule:
    expected = stage.expected
    if not isinstance(expected, ExpectedByField):
        return _by_calendar(partial(_stage_on, name, stage, expected), stage.calendar, calendars)
    choices = [
        (value, _by_calendar(partial(_stage_on, name, stage, duration), stage.calendar, calendars))
        for value, duration in expected.values.items()
    ]
    otherwise = _by_calendar(partial(_stage_on, name, stage, expected.otherwise), stage.calendar, calendars)
    return replace(otherwise, chosen_by=expected.field, choices=tuple(choices), otherwise=otherwise)


def _stage_on(
    name: str,
    stage: Stage,
    expected: timedelta | None,
    calendar: BusinessCalendar | None,
    chosen_by: str | None = None,
    choices: tuple[tuple[str, StageRule], ...] = (),
) -> StageRule:
    return StageRule(
        name=name,
        label=f"stall\0{name}",
        owner=stage.owner,
        severity=stage.severity,
        calendar=calendar,
        warn_at=tuple(stage.warn_at),
        steps=_steps(stage),
        has_clock=stage.has_clock,
        attributes=_attributes(stage),
        once=stage.visits == "once",
        limit=None if expected is None else micros_of(expected),
        learned=_learned(f"stage/{name}", stage.owner, stage.severity, stage.learned),
        given_up=None if stage.abandoned_after is None else micros_of(stage.abandoned_after),
        chosen_by=chosen_by,
        choices=choices,
    )


def _learned(
    label: str, owner: str, severity: Severity, learned: LearnedLimit | Forecast | None
) -> LearnedRule | None:
    if learned is None:
        return None
    rule = partial(LearnedRule, label, label, owner, severity, segment=learned.segment, least=learned.least)
    if isinstance(learned, Forecast):
        return rule(threshold=learned.probability)
    return rule(quantile=learned.quantile, times=learned.times)


def _steps(clocked: Clocked) -> tuple[Step, ...]:
    return tuple(Step(micros_of(step.after), step.to) for step in clocked.escalate)


def _attributes(clocked: Clocked) -> tuple[Attribute, ...]:
    return tuple(Attribute(name, path) for name, path in sorted(clocked.attributes.items()))
