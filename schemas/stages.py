"""The stages of a journey map: where a customer may wait, for how long, and whose job it is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag, ValidationInfo, field_validator

from schemas.base import Contract, Place, Problem
from schemas.calendars import CalendarChoice
from schemas.clocks import Clocked
from schemas.durations import Duration, clear_on_a_calendar
from schemas.learned import LearnedLimit
from schemas.triggers import FieldPath, Triggers


class ExpectedByField(Contract):
    """The expected duration that a field of the entering touchpoint chooses, such as the product."""

    field: FieldPath
    values: dict[str, Duration] = Field(min_length=1, description="The duration for each value.")
    otherwise: Duration | None = Field(
        default=None, description="For every other value, and for none; without it these have no limit."
    )

    def durations(self) -> Iterator[tuple[Place, timedelta]]:
        """All of them, each with its place."""
        for value, duration in self.values.items():
            yield ("values", value), duration
        if self.otherwise is not None:
            yield ("otherwise",), self.otherwise


Expected = Annotated[
    Annotated[Duration, Tag("duration")] | Annotated[ExpectedByField, Tag("by_field")],
    Discriminator(lambda value: "by_field" if isinstance(value, dict | ExpectedByField) else "duration"),
]
"""A duration, or one for each value of a field."""


class Stage(Clocked):
    """A stage of a journey: which touchpoints enter and leave it, who owns it, how long it may last.

    `once`: from the first entry to the first exit anywhere in the journey; an exit before the entry voids it.
    `many`: entries and exits pair in order. Only the stage's own exits leave it. With a `calendar`, the expected time
    runs while that is open. `abandoned_by` leaves the stage because nobody waits any more; a stall that lasts
    `abandoned_after` longer than the limit is given up.
    """

    enter: Triggers
    leave: Triggers
    owner: Annotated[str, StringConstraints(min_length=1)]
    visits: Literal["once", "many"] = "once"
    calendar: CalendarChoice | None = None
    expected: Expected | None = Field(default=None, description="Longer than this and the customer is stuck.")
    learned: LearnedLimit | None = Field(
        default=None, description="A limit from how long others stayed; the shorter of the two counts."
    )
    abandoned_by: Triggers = Field(default_factory=list)
    abandoned_after: Duration | None = None
    severity: Literal["info", "warning", "critical"] = "warning"
    title: str | None = None

    @field_validator("expected", mode="before")
    @classmethod
    def _clear(cls, expected: Any, info: ValidationInfo) -> Any:
        written = [expected]
        if isinstance(expected, dict):
            chosen = expected.get("values")
            written = [*(chosen.values() if isinstance(chosen, dict) else ()), expected.get("otherwise")]
        for duration in written:
            clear_on_a_calendar(duration, info.data.get("calendar"), "write open hours, such as 16h")
        return expected

    def durations(self) -> list[tuple[Place, timedelta]]:
        """The expected durations, each with its place."""
        if self.expected is None:
            return []
        if isinstance(self.expected, ExpectedByField):
            return [(("expected", *place), duration) for place, duration in self.expected.durations()]
        return [(("expected",), self.expected)]

    def problems(self) -> Iterator[Problem]:
        """Where its parts do not fit together, and what would be right."""
        yield from self.clock_problems()
        remedy = "take it out of one of them, or tell the two apart with `where`"
        for trigger in self.enter:
            if trigger in self.leave:
                wrong = f"{trigger.type!r} both enters and leaves the stage, so that nobody is ever in it"
                yield ("leave",), f"{wrong}; {remedy}"
            for field, triggers in (("paused_by", self.paused_by), ("reset_by", self.reset_by)):
                if trigger.is_covered_by(triggers):
                    wrong = f"{trigger.type!r} both enters the stage and is in {field}"
                    yield (field,), f"{wrong}; {remedy}"
        yield from self._unlimited()

    def _unlimited(self) -> Iterator[Problem]:
        """What is said of a limit that it has not, or not so."""
        if self.learned is not None:
            for field in ("paused_by", "reset_by"):
                if getattr(self, field):
                    wrong = "a limit is learned from whole stays, which nothing pauses or begins anew"
                    yield (field,), f"{wrong}; take out either this or `learned`"
        elif self.expected is None:
            for field in ("paused_by", "reset_by", "warn_at", "escalate", "abandoned_after"):
                if getattr(self, field):
                    wrong = "without `expected` or `learned` the stage has no limit"
                    yield (field,), f"{wrong}; add one, or take this out"


STAGE_TRIGGERS = ("leave", "abandoned_by", "enter", "reset_by", "resumed_by", "paused_by")
"""The fields of a stage that name triggers."""
