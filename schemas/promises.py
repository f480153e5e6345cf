"""The promises of a journey map: who makes one, when it is due, what meets it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationInfo,
    field_validator,
)

from schemas.base import Contract
from schemas.calendars import DueEndOf
from schemas.durations import Duration, clear_on_a_calendar
from schemas.triggers import FieldPath, Triggers


def _data_only(path: str) -> str:
    if not path.startswith("data."):
        raise ValueError(f"a due time is read from the touchpoint's data: write data.<name>, not {path!r}")
    return path


class DueField(Contract):
    """The due time is a field of the making touchpoint's data: an RFC 3339 instant."""

    field: Annotated[FieldPath, AfterValidator(_data_only)]


class DueWithin(Contract):
    """The due time is the making touchpoint's time plus a duration, which runs while the calendar, if any, is open."""

    calendar: str | None = None
    within: Duration

    @field_validator("within", mode="before")
    @classmethod
    def _clear(cls, within: Any, info: ValidationInfo) -> Any:
        remedy = "write `end_of: 2 business days` in its place, or open hours, such as 16h"
        return clear_on_a_calendar(within, info.data.get("calendar"), remedy)


_DUE_FORMS: dict[str, type[Contract]] = {"field": DueField, "within": DueWithin, "end_of": DueEndOf}


def _due_form(value: Any) -> str | None:
    if isinstance(value, dict):
        forms = [form for field, form in _DUE_FORMS.items() if field in value]
        return forms[0].__name__ if len(forms) == 1 else None
    return type(value).__name__ if isinstance(value, DueField | DueWithin | DueEndOf) else None


Due = Annotated[
    # a tag is no name of a field: it would be taken for part of the place of a mistake
    Annotated[DueField, Tag("DueField")]
    | Annotated[DueWithin, Tag("DueWithin")]
    | Annotated[DueEndOf, Tag("DueEndOf")],
    Discriminator(
        _due_form,
        custom_error_type="due_form",
        custom_error_message=(
            "a due time is `field: data.<name>`, `within: <duration>` or `end_of: next_business_day`; write one of them"
        ),
    ),
]


class Promise(Contract):
    """A deadline promise: each touchpoint of `made_by` makes one, in the journey that it belongs to.

    The first touchpoint of `met_by` in that journey meets it, whether before or after the making; at or
    before `due` it is kept, later it is broken. A touchpoint of `cancelled_by` that comes first, and not
    after `due`, cancels it. `at_risk` is the share of the way from made to due at which it is at risk.
    """

    kind: Literal["deadline"] = "deadline"
    made_by: Triggers
    due: Due
    met_by: Triggers
    cancelled_by: Triggers = Field(default_factory=list)
    owed_by: Annotated[str, StringConstraints(min_length=1)]
    at_risk: float = Field(default=0.75, gt=0, lt=1)
    severity: Literal["info", "warning", "critical"] = "warning"
    title: str | None = None
