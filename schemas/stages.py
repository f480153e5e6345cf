"""The stages of a journey map: where a customer may wait, for how long, and whose job it is."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationInfo, field_validator

from schemas.base import Contract
from schemas.durations import Duration, clear_on_a_calendar
from schemas.triggers import Triggers


class Stage(Contract):
    """A stage of a journey: which touchpoints enter and leave it, who owns it, how long it may last.

    `once`: from the first entry to the first exit anywhere in the journey; an exit before the entry voids it.
    `many`: entries and exits pair in order. Only the stage's own exits leave it. With a `calendar`, the expected time
    runs while that is open.
    """

    enter: Triggers
    leave: Triggers
    owner: Annotated[str, StringConstraints(min_length=1)]
    visits: Literal["once", "many"] = "once"
    calendar: str | None = None
    expected: Duration | None = Field(default=None, description="Longer than this and the customer is stuck.")
    severity: Literal["info", "warning", "critical"] = "warning"
    title: str | None = None

    @field_validator("expected", mode="before")
    @classmethod
    def _clear(cls, expected: Any, info: ValidationInfo) -> Any:
        return clear_on_a_calendar(expected, info.data.get("calendar"), "write open hours, such as 16h")
