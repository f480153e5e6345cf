"""Promises of figures by the rules of the semantics, written to be read: each is followed through its whole journey.

In: a rule of the map, a journey's touchpoints in trail order and the end. Out: what has to be found. Figures are
fractions of the decimals that were sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from fractions import Fraction
from statistics import mean, median
from typing import Any

from pipeline.simulate.found import FoundValue
from schemas.figures import MeasuredDuration, MeasuredField, PromisedField, PromisedHabit, PromisedRange
from schemas.values import ValuePromise

Journey = list[Any]
"""`Touched`, in trail order, none after the end."""
CONVERTED: dict[tuple[str | None, str | None], Callable[[Fraction], Fraction]] = {
    ("Wh", "kWh"): lambda figure: figure / 1000,
    ("°F", "°C"): lambda figure: (figure - 32) * 5 / 9,
    ("EUR", "EUR"): lambda figure: figure,
    (None, None): lambda figure: figure,
}
GROWING = ("count", "highest", "duration")


def found_values(
    name: str, rule: ValuePromise, ends: list[Any], key: str, journey: Journey, end: datetime, person: str
) -> Iterator[FoundValue]:
    """`ends`: the triggers that end the journey."""
    known: list[_Promised] = []
    for touch in journey:
        if touch.pulls(rule.made_by or rule.measured_by) and not _is_measured_already(rule, known, touch):
            promised = _promised(rule, touch, known)
            known.append(_Promised(rule, ends, touch, journey, promised))
    for each in known:
        if each.promised is not None:
            yield each.found(name, key, end, person)


def _is_measured_already(rule: ValuePromise, known: list[_Promised], touch: Any) -> bool:
    """Whether a standing promise is open, so that what is measured makes none; every beginning of a duration does."""
    if rule.made_by or rule.is_duration:
        return False
    return any(each.over is None or each.over.time >= touch.time for each in known)


def _promised(rule: ValuePromise, making: Any, known: list[_Promised]) -> tuple[Fraction, Fraction] | None:
    promised = rule.promised
    if isinstance(promised, PromisedHabit):
        complete = [each for each in known if each.over and each.over.time < making.time and each.figures]
        usual = [each.figure for each in complete][-promised.habit.last :]
        return (median(usual),) * 2 if len(usual) >= promised.habit.least else None  # type: ignore[return-value,type-var]
    if isinstance(promised, PromisedField):
        return (_exact(making.value(promised.field)),) * 2
    if isinstance(promised, PromisedRange):
        return _exact(promised.from_), _exact(promised.to)
    # a duration has its unit beside it: seconds
    return (_exact(str(promised.value).removesuffix(" s")),) * 2


class _Promised:
    """One promise, with what was measured of it until it was complete; `over`: the touchpoint that completed it."""

    def __init__(
        self,
        rule: ValuePromise,
        ends: list[Any],
        making: Any,
        journey: Journey,
        promised: tuple[Fraction, Fraction] | None,
    ) -> None:
        self.rule, self.ends, self.making, self.promised = rule, ends, making, promised
        self.closes = None if rule.window is None else making.time + rule.window
        self.figures: list[Fraction] = []
        self.over: Any | None = None
        self.is_cancelled = False
        first = journey.index(making) + (1 if rule.made_by else 0)
        for touch in journey[first:]:
            if self.over is None and (self.closes is None or touch.time <= self.closes):
                self._hear(touch)

    @property
    def per(self) -> Any:
        return None if self.rule.per is None else self.making.value(self.rule.per)

    def _hear(self, touch: Any) -> None:
        rule, measure = self.rule, self.rule.measure
        if rule.per is not None and touch.value(rule.per) not in (None, self.per):
            return
        if isinstance(measure, MeasuredDuration):
            if touch.pulls(measure.to):
                self.figures.append(_seconds(touch.time - self.making.time))
                self.over = touch
        elif touch.pulls(rule.measured_by):
            self.figures.append(self._figure_of(touch))
            if isinstance(measure, MeasuredField) and measure.take == "first":
                self.over = touch
        is_complete = touch.pulls(rule.closed_by)
        if not rule.closed_by and rule.window is None:
            is_complete = touch.pulls(self.ends)
        if is_complete:
            self.over = self.over or touch
        if touch.pulls(rule.cancelled_by) and self._status(touch.time) == "made":
            self.over, self.is_cancelled = touch, True

    def _figure_of(self, touch: Any) -> Fraction:
        measure = self.rule.measure
        if not isinstance(measure, MeasuredField):
            return Fraction(1)
        return CONVERTED[measure.unit, self.rule.unit](_exact(touch.value(measure.field)))

    @property
    def take(self) -> str:
        if isinstance(self.rule.measure, MeasuredField):
            return self.rule.measure.take
        return "duration" if self.rule.is_duration else "count"

    @property
    def figure(self) -> Fraction | None:
        if not self.figures:
            return None
        made_of: dict[str, Any] = {"mean": mean, "highest": max, "count": sum}
        return made_of.get(self.take, lambda figures: figures[0])(self.figures)

    def found(self, name: str, key: str, end: datetime, person: str) -> FoundValue:
        assert self.promised is not None
        figure, status = self.figure, self._status(end)
        is_judged = figure is not None and status in ("kept", "exceeded", "broken")
        return FoundValue(
            name,
            key,
            status,
            self.making.time,
            float(self.promised[0]),
            float(self.promised[1]),
            None if figure is None else float(figure),
            float(self._gap(figure)) if figure is not None and is_judged else None,
            person,
            self.per,
        )

    def _status(self, now: datetime) -> str:
        if self.is_cancelled:
            return "cancelled"
        figure = self.figure
        is_complete = self.over is not None or (self.closes is not None and now > self.closes)
        if is_complete and figure is not None:
            return self._verdict(figure)
        if figure is None and self.rule.is_duration:
            figure = _seconds((now if self.over is None else self.over.time) - self.making.time)
        # too much is too much, whatever comes
        if figure is not None and self.take in GROWING and self._verdict(figure, at_least=False) == "broken":
            return "broken"
        return "lapsed" if is_complete else "made"

    def _verdict(self, figure: Fraction, *, at_least: bool = True) -> str:
        assert self.promised is not None
        rule, (low, high), allowed = self.rule, self.promised, _exact(self.rule.tolerance)
        if rule.kind != "at_least" and figure > high + allowed * high:
            return "broken"
        if at_least and rule.kind != "at_most" and figure < low - allowed * low:
            return "broken"
        better = None if rule.exceeds_by is None else _exact(rule.exceeds_by)
        if better is None:
            return "kept"
        exceeds = figure >= low + better * low if rule.kind == "at_least" else figure <= high - better * high
        return "exceeded" if exceeds else "kept"

    def _gap(self, figure: Fraction) -> Fraction:
        assert self.promised is not None
        low, high = self.promised
        if self.rule.kind == "at_least":
            return (low - figure) / low
        if self.rule.kind == "at_most":
            return (figure - high) / high
        return max(Fraction(0), (figure - high) / high, (low - figure) / low)


def _exact(figure: Any) -> Fraction:
    return Fraction(str(figure))


def _seconds(duration: timedelta) -> Fraction:
    return Fraction(duration // timedelta(microseconds=1), 1_000_000)
