"""Verdicts on value promises: what was promised and what has been measured in; kept, exceeded, broken and the gap out.

A verdict falls as soon as nothing can change it any more: a figure that can only grow (a count, a sum, the highest, a
duration that runs) is above a limit for good, one that can only fall (the lowest) is below it for good. Everything else is
judged when the measurement is complete. Figures that differ by less than a billionth are equal, because one of them may
have been converted; durations are exact to the microsecond.
"""

from __future__ import annotations

from math import inf, isfinite
from typing import Final, NamedTuple

from pipeline.core.rules import ValueRule
from schemas.finding import ValueStatus

_SLACK: Final = 1e-9
GROWING: Final[tuple[str, ...]] = ("count", "sum", "highest", "duration")


class Bounds(NamedTuple):
    """From `low` to `high` is kept; from `well_above`, or up to `well_below`, is exceeded."""

    low: float
    high: float
    well_above: float
    well_below: float


def bounds(rule: ValueRule, promised: tuple[float, float]) -> Bounds:
    """What a promise allows."""
    below, above = promised
    low, high, well_above, well_below = -inf, inf, inf, -inf
    if rule.kind != "at_most":
        low = _short_of(rule, below, rule.tolerance)
    if rule.kind != "at_least":
        high = _beyond(rule, above, rule.tolerance)
    # a share of nothing is nothing: zero can be kept, and not exceeded
    if rule.exceeds_by is not None and below:
        if rule.kind == "at_least":
            well_above = _short_of(rule, below, -rule.exceeds_by)
        elif rule.kind == "at_most":
            well_below = _beyond(rule, above, -rule.exceeds_by)
    return Bounds(low, high, well_above, well_below)


def early(rule: ValueRule, limits: Bounds, figure: float) -> ValueStatus:
    """What is certain of a figure that is not complete; `made` if nothing is."""
    if rule.take in GROWING:
        if figure > limits.high:
            return "broken"
        if limits.high == inf and figure >= limits.low:
            return "exceeded" if figure >= limits.well_above else "kept"
    elif rule.take == "lowest":
        if figure < limits.low:
            return "broken"
        if limits.low == -inf and figure <= limits.high:
            return "exceeded" if figure <= limits.well_below else "kept"
    return "made"


def final(limits: Bounds, figure: float) -> ValueStatus:
    """What a complete figure says."""
    if not limits.low <= figure <= limits.high:
        return "broken"
    return "exceeded" if figure >= limits.well_above or figure <= limits.well_below else "kept"


def gap(rule: ValueRule, promised: tuple[float, float], figure: float) -> float | None:
    """(observed - promised) / promised, positive if that is worse; None of nothing promised.

    Of `equals` both sides are worse; of a range what lies outside is, by its distance from the nearer limit.
    """
    below, above = promised
    limit = below
    if rule.kind == "range":
        if below <= figure <= above:
            return 0.0
        limit = below if figure < below else above
    if not limit:
        return None
    found = (figure - limit) / abs(limit)
    if not isfinite(found):
        return None
    if rule.kind == "at_least":
        return -found
    return found if rule.kind == "at_most" else abs(found)


def _beyond(rule: ValueRule, limit: float, share: float) -> float:
    """The greatest figure that is not above a limit by more than a share of it."""
    found = limit + share * abs(limit)
    return float(round(found)) if rule.take == "duration" else found + _SLACK * abs(found)


def _short_of(rule: ValueRule, limit: float, share: float) -> float:
    """The least figure that is not below a limit by more than a share of it."""
    found = limit - share * abs(limit)
    return float(round(found)) if rule.take == "duration" else found - _SLACK * abs(found)
