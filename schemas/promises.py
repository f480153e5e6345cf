"""The promises of a journey map: who makes one, when it is due, what meets it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import (
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationInfo,
    field_validator,
)

from schemas.base import Contract, Place, Problem
from schemas.calendars import CalendarByField, CalendarChoice, DueEndOf
from schemas.clocks import Clocked, Share
from schemas.durations import Duration, clear_on_a_calendar
from schemas.learned import Forecast
from schemas.triggers import DataPath, FieldPath, Trigger, Triggers


class DueField(Contract):
    """The due time is a field of the making touchpoint's data: an RFC 3339 instant."""

    field: DataPath


class DueWithin(Contract):
    """The due time is the making touchpoint's time plus a duration, which runs while the calendar, if any, is open."""

    calendar: CalendarChoice | None = None
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


class Promise(Clocked):
    """A deadline promise: each touchpoint of `made_by` makes one, in the journey that it belongs to.

    The first touchpoint of `met_by` in that journey meets it, whether before or after the making; at or
    before `due` it is kept, later it is broken. A touchpoint of `cancelled_by` that comes first, and not
    after `due`, cancels it. `at_risk` is the share of the way from made to due at which it is at risk, or how probable
    it has to be that it breaks.

    A touchpoint of `revised_by` names another due time, as the making did; `judged_by` says which of those that were named
    in time counts, of which the best is the earliest. `starts`: the instant in the making at which the clock started, if
    that was not then. `per`: of several promises of a journey, a touchpoint concerns those with the same value of this
    field. `parts`: the field of the making that says in how many parts the promise is met, of which each fulfilment brings
    one, or as many as its field `part` says.
    """

    kind: Literal["deadline"] = "deadline"
    made_by: Triggers
    due: Due
    met_by: Triggers
    cancelled_by: Triggers = Field(default_factory=list)
    revised_by: Triggers = Field(default_factory=list)
    judged_by: Literal["first", "latest", "best"] = "latest"
    starts: DataPath | None = None
    per: FieldPath | None = None
    parts: FieldPath | None = None
    part: FieldPath | None = None
    owed_by: Annotated[str, StringConstraints(min_length=1)]
    at_risk: Annotated[
        # a tag is no name of a field: it would be taken for part of the place of a mistake
        Annotated[Share, Tag("Share")] | Annotated[Forecast, Tag("Forecast")],
        Discriminator(lambda value: "Forecast" if isinstance(value, dict | Forecast) else "Share"),
    ] = 0.75
    severity: Literal["info", "warning", "critical"] = "warning"
    title: str | None = None

    @property
    def calendar(self) -> str | CalendarByField | None:
        """The calendar that its due time is counted on, or how it is chosen."""
        return None if isinstance(self.due, DueField) else self.due.calendar

    @property
    def has_terms(self) -> bool:
        """Whether anything makes it more than a due time that stands fast."""
        return bool(
            self.has_clock or self.revised_by or self.per or self.parts or self.warn_at or self.escalate
        )

    @property
    def forecast(self) -> Forecast | None:
        """How it is at risk, if not by a share of the way."""
        return self.at_risk if isinstance(self.at_risk, Forecast) else None

    def triggers(self) -> Iterator[tuple[Place, list[Trigger]]]:
        """Where it names touchpoints."""
        for field in PROMISE_TRIGGERS:
            yield (field,), getattr(self, field)

    def problems(self) -> Iterator[Problem]:
        """Where its parts do not fit together, and what would be right."""
        yield from self.clock_problems()
        yield from self._misplaced()
        remedy = "take it out of one of them, or tell the two apart with `where`"
        for field, triggers, consequence in (
            ("met_by", self.met_by, "is in met_by, which settles it at once"),
            ("cancelled_by", self.cancelled_by, "is in cancelled_by, which settles it at once"),
            ("paused_by", self.paused_by, "pauses its clock, which never starts to run"),
            ("reset_by", self.reset_by, "begins it anew, which says nothing"),
            ("revised_by", self.revised_by, "revises it, of which only one can be meant"),
        ):
            for trigger in self.made_by:
                if trigger.is_covered_by(triggers):
                    yield (field,), f"{trigger.type!r} both makes the promise and {consequence}; {remedy}"

    def _misplaced(self) -> Iterator[Problem]:
        is_told = not isinstance(self.due, DueWithin)
        for field in ("paused_by", "reset_by", "starts"):
            if is_told and getattr(self, field):
                wrong = "only a duration (`within`) has a clock; an instant that was told stands until another is told"
                yield (field,), f"{wrong}; take it out, or use `revised_by`"
        for field in ("paused_by", "reset_by"):
            if self.forecast is not None and getattr(self, field):
                wrong = "how probable it is that a promise breaks is known only of a clock that runs through"
                yield (field,), f"{wrong}; take this out, or write a share in `at_risk`"
        if self.revised_by and not is_told:
            wrong = "a duration names no new date; what lets it run anew is `reset_by`"
            yield ("revised_by",), f"{wrong}; use that, or a due time that is a `field`"
        if self.part is not None and self.parts is None:
            yield ("part",), "says how many parts a fulfilment brings; say in `parts` how many there are"


PROMISE_TRIGGERS = ("made_by", "revised_by", "reset_by", "resumed_by", "paused_by", "met_by", "cancelled_by")
"""The fields of a promise that name triggers."""
