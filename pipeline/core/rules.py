"""Rules: what a map says of one promise or one stage, compiled; a touchpoint's time in, the instants that it sets out.

With a calendar, durations run while that is open. An instant that lies beyond the calendar's years is NEVER: nothing
is promised then, and no visit becomes a stall.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.core.calendars import BusinessCalendar
from pipeline.core.instants import NEVER
from pipeline.core.messages import Entry, Micros
from schemas.finding import Severity


@dataclass(frozen=True)
class PromiseRule:
    """A deadline promise; `label` tells it from a stage of its name.

    It is due at `due_field` of the making, or else at the end of the business day `end_of` (see
    `BusinessCalendar.end_of_day`) at `at`, or else `within` after the making.
    """

    name: str
    label: str
    due_field: str | None
    within: Micros
    at_risk: float
    owner: str
    severity: Severity
    calendar: BusinessCalendar | None = None
    end_of: int | None = None
    at: Micros | None = None

    def due(self, making: Entry) -> Micros | None:
        """When the promise of this touchpoint is due; None if the touchpoint promises nothing."""
        if self.due_field is not None:
            due = making.fields.get(self.due_field)
            return due if type(due) is int else None
        if self.calendar is None:
            return making.time + self.within
        if self.end_of is None:
            ends = self.calendar.after(making.time, self.within)
        else:
            ends = self.calendar.end_of_day(making.time, self.end_of, self.at)
        return None if ends == NEVER else ends

    def at_risk_at(self, made: Micros, due: Micros) -> Micros:
        """When a share of the way from making to due time has passed, of the open time if there is a calendar."""
        if self.calendar is None:
            return made + round(max(0, due - made) * self.at_risk)
        return self.calendar.after(made, round(self.calendar.between(made, due) * self.at_risk))


@dataclass(frozen=True)
class StageRule:
    """A stage; `limit` is the longest dwell that is no stall, None if the stage may last. `label`: as a promise's."""

    name: str
    label: str
    once: bool
    limit: Micros | None
    owner: str
    severity: Severity
    calendar: BusinessCalendar | None = None

    def since(self, entered: Micros) -> Micros:
        """The last instant at which a visit that began at `entered` is no stall yet; NEVER if it can't be one."""
        if self.limit is None:
            return NEVER
        return entered + self.limit if self.calendar is None else self.calendar.after(entered, self.limit)
