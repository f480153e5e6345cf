"""Rules: what a map says of one promise or one stage, compiled; a touchpoint's time in, the instants that it sets out.

With a calendar, durations run while that is open. An instant that lies beyond the calendar's years is NEVER: nothing
is promised then, and no visit becomes a stall.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeVar

from mypy_extensions import mypyc_attr

from pipeline.core.calendars import BusinessCalendar
from pipeline.core.fields import key_text, number
from pipeline.core.instants import NEVER
from pipeline.core.messages import Entry, Micros
from schemas.finding import Measured, Severity
from schemas.values import ValueKind

R = TypeVar("R")

FIRST: Final = 0
LATEST: Final = 1
BEST: Final = 2
"""By which of the due times that were told a promise is judged: places in `Terms.told`."""
JUDGES: Final[tuple[Literal["first"], Literal["latest"], Literal["best"]]] = ("first", "latest", "best")
"""Their names."""


class Step(NamedTuple):
    """A step of escalation: so long after the breach it is the team's."""

    after: Micros
    to: str


class Attribute(NamedTuple):
    """A field of the opening touchpoint by which findings are told apart, such as the campaign."""

    name: str
    path: str


@mypyc_attr(acyclic=True)
@dataclass(frozen=True)
class Rule:
    """What promises and stages have in common; `label` tells a promise from a stage of its name.

    `warn_at`: the shares of the way at which to warn, in order. `has_clock`: it can be paused or begun anew. `chosen_by`:
    the field of the opening touchpoint that chooses among `choices`, the same rule on other calendars.
    """

    name: str
    label: str
    owner: str
    severity: Severity
    calendar: BusinessCalendar | None = None
    warn_at: tuple[float, ...] = ()
    steps: tuple[Step, ...] = ()
    has_clock: bool = False
    attributes: tuple[Attribute, ...] = ()
    chosen_by: str | None = None

    @property
    def is_told_more(self) -> bool:
        """Whether its findings say more than when it began and ended."""
        return bool(self.has_clock or self.warn_at or self.steps or self.attributes)

    def later(self, instant: Micros, duration: Micros) -> Micros:
        """So long after an instant, of the open time if there is a calendar; NEVER if that does not come."""
        return instant + duration if self.calendar is None else self.calendar.after(instant, duration)

    def share_at(self, start: Micros, end: Micros, share: float) -> Micros:
        """When a share of the way between two instants has passed, of the open time if there is a calendar."""
        if self.calendar is None:
            return start + round(max(0, end - start) * share)
        return self.calendar.after(start, round(self.calendar.between(start, end) * share))

    def shares(self, start: Micros, end: Micros) -> list[Micros]:
        """The instants of the warnings between two instants."""
        return [self.share_at(start, end, share) for share in self.warn_at]

    def escalated(self, breach: Micros, until: Micros) -> int:
        """How many steps of escalation a breach has taken by an instant."""
        return sum(1 for step in self.steps if self.later(breach, step.after) <= until)

    def next_step(self, breach: Micros, after: Micros) -> Micros:
        """The first instant after another at which a breach takes a step; NEVER if there is none."""
        soonest = NEVER
        for step in self.steps:
            at = self.later(breach, step.after)
            if after < at < soonest:
                soonest = at
        return soonest


@mypyc_attr(acyclic=True)
@dataclass(frozen=True)
class LearnedRule(Rule):
    """What is learned of the stays in a stage, or of the time that a promise takes, and told apart by the field `segment`.

    Of a stage the limit is `quantile` of the stays, `times` as long. Of a promise (`quantile` is 0) all of the curve is
    wanted; it is at risk when it breaks with the probability `threshold`.
    """

    segment: str | None = None
    least: int = 100
    quantile: float = 0.0
    times: float = 1.0
    threshold: float = 0.0

    def segment_of(self, opening: Entry) -> str | None:
        """The value of the segment that a touchpoint names; None if it names none."""
        return None if self.segment is None else key_text(opening.fields.get(self.segment))


@mypyc_attr(acyclic=True)
@dataclass(frozen=True)
class PromiseRule(Rule):
    """A deadline promise.

    It is due at the instant in `due_field` of the making, or `within` after its start: the making, or the instant in
    `start_field`; or else at the end, `at`, of the business day `end_of` from one of these (see
    `BusinessCalendar.end_of_day`).
    `judged_by` is one of FIRST, LATEST, BEST. `per`: the field that tells the promises of a journey apart. `parts`: the
    field that says in how many parts it is met, of which a fulfilment brings as many as `part` says. `has_terms`: any of
    that makes it more than a due time.
    """

    due_field: str | None = None
    within: Micros = 0
    at_risk: float = 0.75
    end_of: int | None = None
    at: Micros | None = None
    start_field: str | None = None
    judged_by: int = LATEST
    per: str | None = None
    parts: str | None = None
    part: str | None = None
    has_terms: bool = False
    learned: LearnedRule | None = None
    choices: tuple[tuple[str, PromiseRule], ...] = ()

    def of(self, opening: Entry) -> PromiseRule:
        """The rule on the calendar that the touchpoint chooses."""
        return self if self.chosen_by is None else _chosen(self, self.chosen_by, self.choices, opening)

    def start(self, making: Entry) -> Micros:
        """When the way to the due time begins."""
        if self.start_field is not None:
            start = making.fields.get(self.start_field)
            if type(start) is int:
                return start
        return making.time

    def due(self, told: Entry) -> Micros | None:
        """When the promise is due that this touchpoint makes or revises; None if it promises nothing."""
        instant: Micros = self.start(told)
        if self.due_field is not None:
            due = told.fields.get(self.due_field)
            if type(due) is not int:
                return None
            instant = due
        if self.end_of is not None and self.calendar is not None:
            ends = self.calendar.end_of_day(instant, self.end_of, self.at)
        elif self.due_field is not None:
            ends = instant
        else:
            ends = self.later(instant, self.within)
        return None if ends == NEVER else ends


@mypyc_attr(acyclic=True)
@dataclass(frozen=True)
class StageRule(Rule):
    """A stage; `limit` is the longest dwell that is no stall, None if the stage may last.

    `learned`: how a limit beside it is learned. `given_up`: how long after it began a stall is abandoned, None: never.
    `otherwise`: what holds where none of the choices does, if that is not this rule.
    """

    once: bool = True
    limit: Micros | None = None
    learned: LearnedRule | None = None
    given_up: Micros | None = None
    choices: tuple[tuple[str, StageRule], ...] = ()
    otherwise: StageRule | None = None

    @property
    def may_stall(self) -> bool:
        """Whether a visit may have a limit."""
        if self.limit is not None or self.learned is not None:
            return True
        chosen = [rule for _, rule in self.choices] + ([self.otherwise] if self.otherwise else [])
        return any(rule.may_stall for rule in chosen)

    def of(self, opening: Entry) -> StageRule:
        """The rule with the limit, and on the calendar, that the touchpoint chooses."""
        if self.chosen_by is None:
            return self
        chosen = _chosen(self.otherwise or self, self.chosen_by, self.choices, opening)
        return self if chosen is self else chosen.of(opening)

    def since(self, entered: Micros) -> Micros:
        """The last instant at which a visit that began at `entered` is no stall yet; NEVER if it can't be one."""
        return NEVER if self.limit is None else self.later(entered, self.limit)


def _chosen(otherwise: R, field: str, choices: tuple[tuple[str, R], ...], opening: Entry) -> R:
    value = key_text(opening.fields.get(field))
    return next((rule for known, rule in choices if known == value), otherwise)


MOST: Final = 1e100
"""What is greater is no figure of anything, and sums of what is not stay numbers."""


@mypyc_attr(acyclic=True)
@dataclass(frozen=True)
class ValueRule(Rule):
    """A value promise.

    `promised`: its limits, one or two of a range, each a figure or the field of the making that has it; none of a habit,
    which is the median of the last `habit` figures once there are `least`. `take` says what is measured and what is made of
    several figures. A field `path` is converted into `unit` by `factor` and `offset`. Inside, durations are microseconds and
    everything else is in `unit`: `scale` is how much of it makes one `unit`. `measured` tells rules that measure otherwise.
    """

    kind: ValueKind = "at_most"
    promised: tuple[float | str, ...] = ()
    take: Measured = "first"
    path: str = ""
    factor: float = 1.0
    offset: float = 0.0
    unit: str | None = None
    scale: float = 1.0
    is_standing: bool = False
    window: Micros | None = None
    tolerance: float = 0.0
    exceeds_by: float | None = None
    per: str | None = None
    habit: int = 0
    least: int = 1
    measured: str = ""

    @property
    def basis(self) -> Literal["touchpoint", "map", "habit"]:
        """Whose word the figure is."""
        if not self.promised:
            return "habit"
        return "touchpoint" if any(isinstance(limit, str) for limit in self.promised) else "map"

    @property
    def adds_up(self) -> bool:
        """Whether nothing observed is a figure too: 0."""
        return self.take in ("sum", "count")

    def figure(self, entry: Entry) -> float | None:
        """The figure that a touchpoint brings; None if it has none."""
        if self.take == "count":
            return 1.0
        found = number(entry.fields.get(self.path))
        if found is None or abs(found) > MOST:
            return None
        found = found * self.factor + self.offset
        # what a sum has passed nothing undoes, so that it can be judged before it is complete
        return None if self.take == "sum" and found < 0 else found

    def limits(self, making: Entry) -> tuple[float, float] | None:
        """What a touchpoint promises; None if it names no figure."""
        found = []
        for limit in self.promised:
            told = number(making.fields.get(limit)) if isinstance(limit, str) else limit
            if told is None or abs(told) > MOST:
                return None
            found.append(round(told * self.scale) if self.take == "duration" else told)
        if not found or found[0] > found[-1]:
            return None
        return float(found[0]), float(found[-1])
