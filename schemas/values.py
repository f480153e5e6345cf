"""Value promises of a journey map: a figure that is promised, what measures it, when it is judged and how."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from schemas.base import Contract, Place, Problem
from schemas.clocks import AttributeName, share
from schemas.durations import Duration, parse_duration
from schemas.figures import (
    SECONDS,
    Conversion,
    Limit,
    LimitField,
    Measure,
    MeasuredCount,
    MeasuredDuration,
    MeasuredField,
    Promised,
    PromisedField,
    PromisedHabit,
    PromisedRange,
    PromisedValue,
    amount,
)
from schemas.triggers import FieldPath, Trigger, Triggers

ValueKind = Literal["at_most", "at_least", "equals", "range"]


class ValuePromise(Contract):
    """A promised figure: each touchpoint of `made_by` makes one; without it, the promise *stands*, and what is measured
    first makes it, whenever none is open.

    Measured is what comes after the making: for `window`, or until a touchpoint of `closed_by`, or with neither until the
    journey ends. `tolerance`: the share of the promised figure that may be missed. `exceeds_by`: better than promised by
    that share is `exceeded`. `per`: of several promises of a journey, a touchpoint concerns those with the same value of
    this field.
    """

    kind: ValueKind
    made_by: Triggers = Field(default_factory=list)
    promised: Promised
    measure: Measure
    window: Duration | None = None
    closed_by: Triggers = Field(default_factory=list)
    cancelled_by: Triggers = Field(default_factory=list)
    tolerance: Annotated[float, BeforeValidator(share), Field(ge=0, le=10)] = 0.0
    exceeds_by: Annotated[float, BeforeValidator(share), Field(gt=0, le=10)] | None = None
    per: FieldPath | None = None
    attributes: dict[AttributeName, FieldPath] = Field(default_factory=dict)
    owed_by: Annotated[str, StringConstraints(min_length=1)]
    severity: Literal["info", "warning", "critical"] = "warning"
    title: str | None = None
    resolved: Conversion | None = Field(default=None, description="Looked up whenever a map is loaded.")

    @property
    def is_standing(self) -> bool:
        """Whether no touchpoint has to make it."""
        return not self.made_by

    @property
    def is_duration(self) -> bool:
        """Whether time is what is measured."""
        return isinstance(self.measure, MeasuredDuration)

    @property
    def measured_by(self) -> Triggers:
        """The touchpoints that a figure begins with."""
        if isinstance(self.measure, MeasuredField):
            return self.measure.of
        return self.measure.from_ if isinstance(self.measure, MeasuredDuration) else self.measure.count

    @property
    def limits(self) -> tuple[Limit, ...]:
        """What is promised: one limit, two of a range, none of a habit."""
        promised = self.promised
        if isinstance(promised, PromisedHabit):
            return ()
        if isinstance(promised, PromisedField):
            return ((promised.field, promised.unit),)
        if isinstance(promised, PromisedValue):
            return (self._limit(promised.value, promised.unit),)
        return self._limit(promised.from_, promised.unit), self._limit(promised.to, promised.unit)

    def _limit(self, limit: float | str | LimitField, unit: str | None) -> Limit:
        if isinstance(limit, LimitField):
            return limit.field, unit
        if not isinstance(limit, str):
            return limit, unit
        if self.is_duration:
            try:
                return parse_duration(limit).total_seconds(), SECONDS
            except ValueError:
                pass  # not in the words of the file's other durations, then in those of units
        return amount(limit)

    @property
    def measured_unit(self) -> str | None:
        """The unit in which figures come in."""
        if isinstance(self.measure, MeasuredField):
            return self.measure.unit
        return SECONDS if self.is_duration else None

    @property
    def unit(self) -> str | None:
        """The unit in which it is promised and told."""
        return self.limits[0][1] if self.limits else self.measured_unit

    def triggers(self) -> Iterator[tuple[Place, list[Trigger]]]:
        """Where it names touchpoints."""
        for field in ("made_by", "closed_by", "cancelled_by"):
            if triggers := getattr(self, field):
                yield (field,), triggers
        measure = self.measure
        if isinstance(measure, MeasuredField):
            yield ("measure", "of"), measure.of
        elif isinstance(measure, MeasuredCount):
            yield ("measure", "count"), measure.count
        else:
            yield ("measure", "from"), measure.from_
            yield ("measure", "to"), measure.to

    def problems(self, has_end: bool) -> Iterator[Problem]:
        """Where its parts do not fit together, and what would be right; `has_end`: its journey has an end."""
        yield from self._unfit_kind()
        yield from self._unfit_units()
        if not (self.window or self.closed_by or has_end or self._is_over_at_once):
            wrong = "nothing says when the figure is complete"
            yield ("measure",), f"{wrong}; say it in `window` or `closed_by`, or give the journey an `end`"
        for trigger in self.measured_by if self.is_standing else ():
            if trigger.is_covered_by(self.cancelled_by):
                wrong = f"{trigger.type!r} both begins the standing promise and cancels it at once"
                yield (
                    ("cancelled_by",),
                    f"{wrong}; take it out of one of them, or tell the two apart with `where`",
                )

    @property
    def _is_over_at_once(self) -> bool:
        """Whether what is measured itself says when the figure is complete."""
        return self.is_duration or (isinstance(self.measure, MeasuredField) and self.measure.take == "first")

    def _unfit_kind(self) -> Iterator[Problem]:
        promised = self.promised
        if self.kind == "range" and not isinstance(promised, PromisedRange):
            yield ("promised",), "a range lies between two figures; write `from:` and `to:`"
        if self.kind != "range" and isinstance(promised, PromisedRange):
            yield ("promised",), f"{self.kind} has one figure; write `value:` or `field:`, or the kind range"
        if isinstance(promised, PromisedHabit) and promised.habit.least > promised.habit.last:
            wrong = f"of the last {promised.habit.last} there are never {promised.habit.least}"
            yield ("promised", "habit", "least"), f"{wrong}; write at most {promised.habit.last}"
        if self.exceeds_by is not None and self.kind in ("equals", "range"):
            wrong = f"nothing is better than what {self.kind} promises"
            yield ("exceeds_by",), f"{wrong}; take it out, or promise at_most or at_least"
        numbers = [number for number, _ in self.limits if isinstance(number, float)]
        if len(numbers) == 2 and len({unit for _, unit in self.limits}) == 1 and numbers[0] > numbers[1]:
            yield ("promised", "to"), f"the range ends before it begins, at {numbers[0]:g}; swap the two"
        if isinstance(self.measure, MeasuredCount) or self.is_duration:
            what = "count" if isinstance(self.measure, MeasuredCount) else "duration"
            if any(number < 0 for number in numbers):
                yield ("promised",), f"no {what} is below zero; write a greater figure"

    def _unfit_units(self) -> Iterator[Problem]:
        promised, texts = self.promised, []
        if isinstance(promised, PromisedValue):
            texts = [promised.value]
        elif isinstance(promised, PromisedRange):
            texts = [each for each in (promised.from_, promised.to) if not isinstance(each, LimitField)]
        is_told = not isinstance(promised, PromisedHabit) and promised.unit is not None
        if is_told and any(isinstance(text, str) for text in texts):
            yield ("promised", "unit"), "the figure has its unit beside it already; write it once"
            return
        units = {unit for _, unit in self.limits}
        if len(units) > 1:
            yield (
                ("promised",),
                "the two ends of the range have to have the same unit; write it once, as `unit`",
            )
        elif units and self.is_duration and None in units:
            yield (
                ("promised",),
                "a duration is measured, so that a unit of time is needed; write `unit: s`, or `10 s`",
            )
        elif units and (None in units) != (self.measured_unit is None):
            yield from self._one_sided(None in units)

    def _one_sided(self, is_measured_alone: bool) -> Iterator[Problem]:
        if isinstance(self.measure, MeasuredCount):
            yield ("promised",), "touchpoints are counted, which has no unit; take it out"
        elif is_measured_alone:
            yield ("promised",), f"the measure is in {self.measured_unit}; write the promise's `unit` as well"
        else:
            yield ("measure",), f"the promise is in {self.unit}; write the measure's `unit` as well"
