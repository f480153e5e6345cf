"""The value promises of a journey type, compiled: what their touchpoints do, which fields they are asked for, the rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.core import acts
from pipeline.core.instants import SECOND, micros_of
from pipeline.core.rules import Attribute, ValueRule
from schemas.figures import Conversion, MeasuredCount, MeasuredDuration, MeasuredField, PromisedHabit
from schemas.finding import Measured
from schemas.journey_map import JourneyType
from schemas.triggers import Trigger
from schemas.values import ValuePromise


def uses_of_values(journey: JourneyType) -> Iterator[tuple[int, int, Sequence[Trigger]]]:
    """What the triggers of its value promises are for: (act, index of the promise, triggers)."""
    for index, promise in enumerate(journey.values.values()):
        measure = promise.measure
        yield acts.PROMISE, index, promise.made_by
        if isinstance(measure, MeasuredDuration):
            yield acts.START, index, measure.from_
            yield acts.STOP, index, measure.to
        else:
            yield acts.OBSERVE, index, promise.measured_by
        yield acts.CLOSE, index, promise.closed_by
        if not promise.window and not promise.closed_by:
            yield acts.FINISH, index, journey.end
        yield acts.CALL_OFF, index, promise.cancelled_by


def reads_of_values(journey: JourneyType) -> Iterator[tuple[str, Sequence[Trigger]]]:
    """The fields that value promises read of the touchpoints of some triggers, beside their conditions."""
    for promise in journey.values.values():
        opening = promise.made_by or promise.measured_by
        for limit, _ in promise.limits:
            if isinstance(limit, str):
                yield limit, opening
        if isinstance(promise.measure, MeasuredField):
            yield promise.measure.field, promise.measure.of
        for path in promise.attributes.values():
            yield path, opening
        if promise.per is not None:
            for _, triggers in promise.triggers():
                yield promise.per, triggers


def value_rule(name: str, promise: ValuePromise) -> ValueRule:
    """The rule of a value promise. Raises ValueError if its units were not resolved."""
    found = promise.resolved
    if found is None:
        raise ValueError(f"the units of {name!r} were not resolved; load the map with pipeline.maps.load_map")
    measure = promise.measure
    habit = promise.promised.habit if isinstance(promise.promised, PromisedHabit) else None
    take: Measured = "duration"
    if isinstance(measure, MeasuredField):
        take = measure.take
    elif isinstance(measure, MeasuredCount):
        take = "count"
    return ValueRule(
        name=name,
        label=f"value\0{name}",
        owner=promise.owed_by,
        severity=promise.severity,
        attributes=tuple(Attribute(name, path) for name, path in sorted(promise.attributes.items())),
        kind=promise.kind,
        promised=tuple(limit for limit, _ in promise.limits),
        take=take,
        path=measure.field if isinstance(measure, MeasuredField) else "",
        factor=1.0 if promise.is_duration else found.factor,
        offset=found.offset,
        unit=promise.unit,
        scale=found.factor * SECOND if promise.is_duration else 1.0,
        is_standing=promise.is_standing,
        window=None if promise.window is None else micros_of(promise.window),
        tolerance=promise.tolerance,
        exceeds_by=promise.exceeds_by,
        per=promise.per,
        habit=0 if habit is None else habit.last,
        least=1 if habit is None else habit.least,
        measured=_measured(promise, found),
    )


def _measured(promise: ValuePromise, found: Conversion) -> str:
    """What tells one way to measure from another, so that a figure of one is not taken for one of the other."""
    return f"{promise.measure.model_dump_json()} {promise.unit} {found.factor!r} {found.offset!r}"
