"""What promises and stages of a journey map have in common: a clock, its warnings, and who hears of what is late."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from schemas.base import Contract, InconsistentError, Place, Problem
from schemas.durations import Duration, clear_on_a_calendar
from schemas.triggers import FieldPath, Triggers

AttributeName = Literal["campaign", "agent", "team", "channel", "persona", "product", "region"]


def share(value: Any) -> Any:
    """`75%` is 0.75; a bare number is a share already."""
    if isinstance(value, str) and value.strip().endswith("%"):
        try:
            return float(value.strip()[:-1]) / 100
        except ValueError:
            pass
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f"write a share such as 75% or 0.75, not {value!r}")
    return value


Share = Annotated[float, BeforeValidator(share), Field(gt=0, lt=1)]


def _ascending(shares: list[float]) -> list[float]:
    if sorted(set(shares)) != shares:
        raise ValueError("write each share once, in order, such as [50%, 75%]")
    return shares


class EscalationStep(Contract):
    """So long after the breach, `to` is told; on a calendar, `after` runs while that is open."""

    after: Duration
    to: Annotated[str, StringConstraints(min_length=1)] = Field(description="The team that is told.")


def _in_order(steps: list[EscalationStep]) -> list[EscalationStep]:
    if any(step.after >= later.after for step, later in pairwise(steps)):
        raise ValueError("write the steps in order, each later than the one before")
    return steps


def _unclear(written: dict[str, Any]) -> Iterator[Problem]:
    due, steps = written.get("due"), written.get("escalate")
    calendar = written.get("calendar") or (due.get("calendar") if isinstance(due, dict) else None)
    durations: list[tuple[Place, Any]] = [(("abandoned_after",), written.get("abandoned_after"))]
    for number, step in enumerate(steps if isinstance(steps, list) else ()):
        if isinstance(step, dict):
            durations.append((("escalate", number, "after"), step.get("after")))
    for place, duration in durations:
        try:
            clear_on_a_calendar(duration, calendar, "write open hours, such as 16h")
        except ValueError as error:
            yield place, str(error)


class Clocked(Contract):
    """Fields of whatever has a clock.

    From a touchpoint of `paused_by` to the next of `resumed_by` the clock stands still, and a touchpoint of `reset_by`
    begins it anew; after the breach none of them counts. `warn_at`: the shares of the way at which a warning is due.
    `attributes`: fields of the touchpoint that opens it, by which figures are told apart.
    """

    paused_by: Triggers = Field(default_factory=list)
    resumed_by: Triggers = Field(default_factory=list)
    reset_by: Triggers = Field(default_factory=list)
    warn_at: Annotated[list[Share], AfterValidator(_ascending)] = Field(default_factory=list)
    escalate: Annotated[list[EscalationStep], AfterValidator(_in_order)] = Field(default_factory=list)
    attributes: dict[AttributeName, FieldPath] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _clear_durations(cls, written: Any) -> Any:
        """Refuse days of a calendar, as elsewhere, while it is seen how a duration was written."""
        if isinstance(written, dict):
            problems = list(_unclear(written))
            if problems:
                raise InconsistentError(problems)
        return written

    @property
    def has_clock(self) -> bool:
        """Whether anything can pause it or begin it anew."""
        return bool(self.paused_by or self.reset_by)

    def clock_problems(self) -> Iterator[Problem]:
        """Where the parts of the clock do not fit together."""
        if self.paused_by and not self.resumed_by:
            wrong = "without `resumed_by` a clock that was paused once never runs again"
            yield ("paused_by",), f"{wrong}; say what lets it go on"
        if self.resumed_by and not self.paused_by:
            yield ("resumed_by",), "nothing pauses this clock; say what does in `paused_by`, or take it out"
        for trigger in self.paused_by:
            if trigger.is_covered_by(self.resumed_by):
                wrong = f"{trigger.type!r} both pauses and resumes the clock"
                yield ("paused_by",), f"{wrong}; tell the two apart with `where`"
