"""The rules of value promises once more, by brute force: what is certain is what every future agrees on.

Of each promise all touchpoints are looked at again. Whether a verdict is certain before the measurement is complete is not
derived from what is measured: futures are tried, of figures far above and far below and of none at all, and the verdict
is what all of them end in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from statistics import mean, median
from typing import Any

from value_world import ANSWERED, ENDED, REFUSED, RETURNED, SEEN, STARTED, TRANSFERRED, TRIP

FAR = 10**9
_MEASURED = {"count": TRANSFERRED, "duration": STARTED}


@dataclass(frozen=True)
class Happening:
    """A touchpoint at a second. `data` has `consumption`, `claimed` and `call`."""

    time: int
    name: str
    kind: str
    data: tuple[tuple[str, Any], ...]

    def get(self, name: str) -> Any:
        return dict(self.data).get(name)


@dataclass(frozen=True)
class Rule:
    """A value promise, in whole numbers; durations and the window are in seconds. `promised` is one figure or two, None for
    the field `claimed`; `habit` is (last, least).
    """

    kind: str
    take: str
    promised: tuple[int, int] | None
    tolerance: float
    exceeds_by: float | None
    is_standing: bool
    window: int | None
    closes: bool
    has_per: bool
    habit: tuple[int, int] | None

    @property
    def measured(self) -> str:
        return _MEASURED.get(self.take, TRIP)

    @property
    def ends(self) -> str | None:
        if self.closes:
            return RETURNED
        return None if self.window else ENDED


@dataclass
class Course:
    """What became of a promise by way of its touchpoints; `over` is when and how it ended."""

    making: Happening
    figures: list[Fraction]
    started: int | None = None
    over: tuple[int, str] | None = None


def conclusions(
    rule: Rule, trail: list[Happening], watermark: int
) -> dict[str, tuple[str, Fraction | None, Fraction | None]]:
    """Opening touchpoint → (status, observed, gap)."""
    found = {}
    for place, making in _makings(rule, trail):
        promised = _promised(rule, trail, place, making)
        if promised is not None:
            course = _course(rule, trail, place, promised)
            status = _status(rule, promised, course, watermark)
            figure = _figure(rule, course.figures)
            is_judged = status in ("kept", "exceeded", "broken") and figure is not None
            found[making.name] = (status, figure, _gap(rule, promised, figure) if is_judged else None)
    return found


def _makings(rule: Rule, trail: list[Happening]) -> list[tuple[int, Happening]]:
    found: list[tuple[int, Happening]] = []
    for place, each in enumerate(trail):
        if not rule.is_standing:
            if each.kind == SEEN and _is_made(rule, each):
                found.append((place, each))
        elif each.kind == rule.measured and _is_made(rule, each) and _begins(rule, trail, place, found):
            found.append((place, each))
    return found


def _begins(rule: Rule, trail: list[Happening], place: int, before: list[tuple[int, Happening]]) -> bool:
    """Whether a touchpoint that is measured makes a standing promise."""
    if rule.take == "duration":
        return True
    return bool(_figures(rule, trail[place])) and not _has_open(rule, trail, place, before)


def _is_made(rule: Rule, making: Happening) -> bool:
    return rule.habit is not None or rule.promised is not None or making.get("claimed") is not None


def _has_open(rule: Rule, trail: list[Happening], place: int, before: list[tuple[int, Happening]]) -> bool:
    now = trail[place]
    for start, making in before:
        course = _course(rule, trail[:place], start, _promised(rule, trail, start, making))
        elapsed = rule.window is not None and now.time > making.time + rule.window
        if _concerns(rule, now, making) and course.over is None and not elapsed:
            return True
    return False


def _promised(
    rule: Rule, trail: list[Happening], place: int, making: Happening
) -> tuple[Fraction, Fraction] | None:
    if rule.habit is None:
        claimed = making.get("claimed")
        low, high = rule.promised or (claimed, claimed)
        return Fraction(low), Fraction(high)
    last, least = rule.habit
    ended = []
    for start, earlier in _makings(rule, trail[:place]):
        # neither is what a promise of the same touchpoint ends in known to it
        course = _course(rule, trail[:place], start, _promised(rule, trail, start, earlier))
        over = course.over
        if over is None and rule.window is not None and making.time > earlier.time + rule.window:
            over = (earlier.time + rule.window, "elapsed")
        figure = _figure(rule, course.figures)
        if over is not None and over[1] != "cancelled" and figure is not None:
            ended.append((over[0], start, figure))
    known = [figure for _, _, figure in sorted(ended)][-last:]
    return (median(known), median(known)) if len(known) >= least else None


def _course(
    rule: Rule, trail: list[Happening], place: int, promised: tuple[Fraction, Fraction] | None
) -> Course:
    making = trail[place]
    course = Course(making, [])
    for each in trail[place if rule.is_standing else place + 1 :]:
        if course.over is not None:
            break
        if rule.window is not None and each.time > making.time + rule.window:
            course.over = (making.time + rule.window, "elapsed")
            break
        if _concerns(rule, each, making) or (each.kind == ENDED and rule.ends == ENDED):
            _take(rule, course, each, promised)
    return course


def _take(rule: Rule, course: Course, each: Happening, promised: tuple[Fraction, Fraction] | None) -> None:
    if rule.take == "duration":
        if each.kind == STARTED and course.started is None:
            course.started = each.time
        elif each.kind == ANSWERED and course.started is not None:
            course.figures.append(Fraction(each.time - course.started))
            course.over = (each.time, "complete")
    elif each.kind == rule.measured:
        course.figures += _figures(rule, each)
        if rule.take == "first" and course.figures:
            course.over = (each.time, "complete")
    if each.kind == rule.ends:
        course.over = (each.time, "closed")
    if each.kind == REFUSED and (promised is None or _status(rule, promised, course, each.time) == "made"):
        course.over = (each.time, "cancelled")


def _concerns(rule: Rule, each: Happening, making: Happening) -> bool:
    mine, theirs = each.get("call"), making.get("call")
    return not rule.has_per or mine is None or theirs is None or mine == theirs


def _figures(rule: Rule, each: Happening) -> list[Fraction]:
    if rule.take == "count":
        return [Fraction(1)]
    figure = each.get("consumption")
    return [] if figure is None or (rule.take == "sum" and figure < 0) else [Fraction(figure)]


def _figure(rule: Rule, figures: list[Fraction]) -> Fraction | None:
    if rule.take in ("sum", "count"):
        return sum(figures, Fraction(0))
    if not figures:
        return None
    made_of: dict[str, Any] = {"highest": max, "lowest": min, "mean": mean, "first": lambda all_: all_[0]}
    return made_of.get(rule.take, lambda all_: all_[-1])(figures)


def _status(rule: Rule, promised: tuple[Fraction, Fraction], course: Course, watermark: int) -> str:
    end = None if rule.window is None else course.making.time + rule.window
    # that a window is over by what has come is not certain before time says so
    over = course.over if course.over is not None and course.over[1] != "elapsed" else None
    is_over = over is not None or (end is not None and watermark > end)
    if over is not None and over[1] == "cancelled":
        return "cancelled"
    if rule.take == "duration" and course.started is not None and not course.figures:
        until = over[0] if over else watermark
        ran = min(until, end if end is not None else until) - course.started
        futures = [ran, ran + FAR, *(limit for limit in promised if limit >= ran)]
        certain = _agreed({_final(rule, promised, Fraction(future)) for future in futures})
        return certain if certain != "made" or not is_over else "lapsed"
    if is_over:
        return _final(rule, promised, _figure(rule, course.figures))
    if rule.take == "duration" or (rule.take == "first" and not course.figures):
        return "made"
    ends = {
        _final(rule, promised, _figure(rule, course.figures + future))
        for future in _futures(promised, course.figures)
        if rule.take not in ("sum", "count") or min(future, default=0) >= 0
    }
    return _agreed(ends)


def _futures(promised: tuple[Fraction, Fraction], figures: list[Fraction]) -> Iterator[list[Fraction]]:
    """No figure more, far ones, and those that let each way to take them hit a limit."""
    yield []
    for far in (FAR, -FAR, 0):
        yield [Fraction(far)]
    for limit in promised:
        yield [limit]
        yield [limit - sum(figures)]
        yield [(len(figures) + 1) * limit - sum(figures)]


def _agreed(ends: set[str]) -> str:
    if ends <= {"kept", "exceeded"}:
        return "exceeded" if ends == {"exceeded"} else "kept"
    return "broken" if ends == {"broken"} else "made"


def _final(rule: Rule, promised: tuple[Fraction, Fraction], figure: Fraction | None) -> str:
    if figure is None:
        return "lapsed"
    gap, allowed = _worse(rule, promised, figure)
    if gap > allowed * Fraction(rule.tolerance):
        return "broken"
    if rule.exceeds_by is None or not allowed:
        return "kept"
    return "exceeded" if -gap >= allowed * Fraction(rule.exceeds_by) else "kept"


def _worse(rule: Rule, promised: tuple[Fraction, Fraction], figure: Fraction) -> tuple[Fraction, Fraction]:
    """By how much a figure is worse, and the size of the limit that says so."""
    low, high = promised
    if rule.kind == "at_most":
        return figure - high, abs(high)
    if rule.kind == "at_least":
        return low - figure, abs(low)
    if low <= figure <= high:
        return Fraction(0), abs(high)
    limit = low if figure < low else high
    return abs(figure - limit), abs(limit)


def _gap(rule: Rule, promised: tuple[Fraction, Fraction], figure: Fraction | None) -> Fraction | None:
    assert figure is not None
    worse, size = _worse(rule, promised, figure)
    if rule.kind == "range" and not worse:
        return Fraction(0)
    return worse / size if size else None
