"""The stages of a journey map: where a customer may wait, for how long, and whose job it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationInfo, field_validator

from schemas.base import Problem
from schemas.calendars import CalendarChoice
from schemas.clocks import Clocked
from schemas.durations import Duration, clear_on_a_calendar
from schemas.triggers import Triggers


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
    expected: Duration | None = Field(default=None, description="Longer than this and the customer is stuck.")
    abandoned_by: Triggers = Field(default_factory=list)
    abandoned_after: Duration | None = None
    severity: Literal["info", "warning", "critical"] = "warning"
    title: str | None = None

    @field_validator("expected", mode="before")
    @classmethod
    def _clear(cls, expected: Any, info: ValidationInfo) -> Any:
        return clear_on_a_calendar(expected, info.data.get("calendar"), "write open hours, such as 16h")

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
        if self.expected is None:
            for field in ("paused_by", "reset_by", "warn_at", "escalate", "abandoned_after"):
                if getattr(self, field):
                    yield (field,), "without `expected` the stage has no limit; add it, or take this out"


STAGE_TRIGGERS = ("leave", "abandoned_by", "enter", "reset_by", "resumed_by", "paused_by")
"""The fields of a stage that name triggers."""
