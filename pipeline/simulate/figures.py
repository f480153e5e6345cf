"""Promises of a figure that a story plans, and how they stand at an instant.

In: what was promised, and what the touchpoints of its journey say to it, some beyond the end. Out: its line of the truth
as of the end. All figures are in the promise's own unit, durations in seconds. The truth's own judgement: it looks at
all that was said up to an instant at once, where the core folds one touchpoint after another.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from statistics import mean
from typing import Literal, NamedTuple

from pipeline.core.instants import SECOND, moment
from pipeline.core.messages import Micros
from pipeline.simulate.plans import CLOSE_CALL, Journey, Persons, is_clear_of
from pipeline.simulate.truth import ValueFate, ValueTruth

_NEVER: Micros = 2**62
_SLACK = 1e-7
"""A share by which two figures may differ that are the same,"""
_CLEAR = 1e-5
"""and by which a figure has to miss what would decide otherwise."""


class Saying(Enum):
    """What a touchpoint says to a promised figure."""

    FIGURE = auto()
    STOP = auto()
    """the duration that began with the promise ends"""
    CLOSE = auto()
    CANCEL = auto()


class Said(NamedTuple):
    time: Micros
    what: Saying
    figure: float = 0.0


@dataclass(frozen=True, slots=True)
class FigureTerms:
    """What the map says of a promised figure. Nothing that can only grow keeps one of these promises before it is complete.

    `window`: for how long it is measured. `least`, `last`: of a habit, how many figures have to be known, and count.
    """

    kind: Literal["at_most", "at_least", "equals", "range"]
    take: Literal["first", "mean", "highest", "count", "duration"] = "first"
    window: Micros | None = None
    tolerance: float = 0.0
    exceeds_by: float | None = None
    least: int = 0
    last: int = 0


@dataclass(frozen=True, slots=True)
class PlannedFigure:
    """`said` in order of time, that of the making included if it is measured itself. `low` and `high` are one figure but in
    a range.
    """

    rule: str
    journey: Journey
    made: Micros
    low: float
    high: float
    said: tuple[Said, ...]
    terms: FigureTerms
    per: str | None = None

    @property
    def closes(self) -> Micros:
        """The last instant that is measured."""
        return _NEVER if self.terms.window is None else self.made + self.terms.window

    def is_clear(self, end: Micros) -> bool:
        instants = list(self._passing())
        if not is_clear_of(end, instants):
            return False
        if any(abs(at - said.time) < CLOSE_CALL for at in instants for said in self.said):
            return False
        figure = _Observed(self, end).figure
        return figure is None or not any(self._is_close(figure, bound) for bound in self._bounds())

    def as_of(self, end: Micros, persons: Persons) -> ValueTruth | None:
        """None when it has not been made by then."""
        if self.made > end:
            return None
        observed = _Observed(self, end)
        status = observed.status(end)
        is_judged = observed.figure is not None and status in ("kept", "exceeded", "broken")
        return ValueTruth(
            self.rule,
            *self.journey,
            status,
            moment(self.made),
            self.low,
            self.high,
            observed.figure,
            self.gap(observed.figure) if observed.figure is not None and is_judged else None,
            persons[self.made],
            self.per,
        )

    def gap(self, figure: float) -> float | None:
        """By how much a figure is worse, as a share of what was promised."""
        kind = self.terms.kind
        if kind == "range" and self.low <= figure <= self.high:
            return 0.0
        promised = self.low if figure < self.low else self.high
        off = (figure - promised) / abs(promised)
        return {"at_most": off, "at_least": -off}.get(kind, abs(off))

    def verdict(self, figure: float) -> ValueFate:
        """What a complete figure says."""
        terms = self.terms
        if self.is_above(figure) or (terms.kind != "at_most" and _is_less(figure, self._least)):
            return "broken"
        if terms.exceeds_by is None:
            return "kept"
        better = self.low * (1 + terms.exceeds_by), self.high * (1 - terms.exceeds_by)
        is_better = figure >= better[0] if terms.kind == "at_least" else figure <= better[1]
        return "exceeded" if is_better else "kept"

    def is_above(self, figure: float) -> bool:
        return self.terms.kind != "at_least" and _is_less(self._most, figure)

    @property
    def _most(self) -> float:
        return self.high * (1 + self.terms.tolerance)

    @property
    def _least(self) -> float:
        return self.low * (1 - self.terms.tolerance)

    def _passing(self) -> Iterable[Micros]:
        """The instants at which time alone lets something be said: its window is over, what runs has become too long."""
        if self.terms.window is not None:
            yield self.closes
        if self.terms.take == "duration":
            yield self.made + int(self._most * SECOND)

    def _bounds(self) -> Iterable[float]:
        better = self.terms.exceeds_by
        yield from (self._least, self._most)
        if better is not None:
            yield from (self.low * (1 + better), self.high * (1 - better))

    def _is_close(self, figure: float, bound: float) -> bool:
        """Whether the last digits would decide. Who is held to the very figure may hit it."""
        is_exact = not self.terms.tolerance and figure == bound
        return not is_exact and abs(figure - bound) < _CLEAR * abs(bound)


class _Observed:
    """What has been observed of a promise up to `end`. `over`: when it was complete or cancelled, by a touchpoint."""

    def __init__(self, plan: PlannedFigure, end: Micros) -> None:
        self.plan = plan
        self.figures: list[float] = []
        self.over: Micros | None = None
        self.is_cancelled = False
        for said in plan.said:
            if self.over is None and said.time <= min(end, plan.closes):
                self._take(said)

    @property
    def figure(self) -> float | None:
        if not self.figures:
            return None
        match self.plan.terms.take:
            case "mean":
                return mean(self.figures)
            case "highest":
                return max(self.figures)
            case "count":
                return sum(self.figures)
        return self.figures[0]

    def status(self, now: Micros) -> ValueFate:
        plan, figure, take = self.plan, self.figure, self.plan.terms.take
        if self.is_cancelled:
            return "cancelled"
        is_complete = self.over is not None or now > plan.closes
        if figure is not None and is_complete:
            return plan.verdict(figure)
        if take == "duration":
            # how long it ran at least
            figure = ((now if self.over is None else self.over) - plan.made) / SECOND
        if figure is not None and take in ("duration", "count", "highest") and plan.is_above(figure):
            return "broken"
        return "lapsed" if is_complete else "made"

    def _take(self, said: Said) -> None:
        match said.what:
            case Saying.FIGURE:
                self.figures.append(said.figure)
                self.over = said.time if self.plan.terms.take == "first" else None
            case Saying.STOP:
                self.figures.append((said.time - self.plan.made) / SECOND)
                self.over = said.time
            case Saying.CLOSE:
                self.over = said.time
            case Saying.CANCEL:
                self.is_cancelled = self.status(said.time) == "made"
                self.over = said.time if self.is_cancelled else None


def _is_less(one: float, other: float) -> bool:
    """By more than its last digits."""
    return other - one > _SLACK * abs(other)
