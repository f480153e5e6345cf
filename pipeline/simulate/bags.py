"""What one side holds, by category and label of the table, so that two sides can be held against each other.

In: promises and stalls, of the truth or found. Out: things that are equal exactly if both sides say the same. Each goes into
its status with what it comes to; its dates, clock, warnings and escalation are counted in rows of their own, with
their values, so that the table says what of it is wrong.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable
from dataclasses import dataclass, field

from pipeline.simulate.found import FoundPromise, FoundStall, FoundValue
from pipeline.simulate.ledger import Alarms, ClockRun, DatesTold
from pipeline.simulate.stitching import Stitching
from pipeline.simulate.truth import PromiseTruth, StallTruth, ValueTruth

_SECOND = 1_000_000
_HOUR = 3600 * _SECOND


@dataclass
class Bag:
    """Things by (category, label), each counted as often as it occurs; and persons, to tell whose they are."""

    labels: dict[tuple[str, str], Counter[Hashable]] = field(default_factory=lambda: defaultdict(Counter))
    persons: Stitching = field(default_factory=Stitching)

    def add(self, category: str, label: str, thing: Hashable, times: int = 1) -> None:
        self.labels[category, label][thing] += times


def add_promise(bag: Bag, status: str, promise: PromiseTruth | FoundPromise, whose: Hashable) -> None:
    """`status`: as the truth names it, and the label."""
    key = (promise.rule, promise.journey_key, promise.per, promise.made_at)
    gap = _micros(promise.gap_hours, _HOUR)
    bag.add("promises", status, (key, promise.due_at, promise.met_at, gap, whose))
    if promise.dates is not None:
        bag.add("dates", _direction(promise.dates), (key, promise.dates))
    if promise.parts is not None:
        bag.add("parts", "brought", (key, promise.parts), round(promise.parts.brought))
        bag.add("parts", "missing", (key, promise.parts), round(promise.parts.needed - promise.parts.brought))
    if promise.forecast is not None:
        bag.add("forecasts", "", (key, promise.forecast))
    thing = _add_clock(bag, key, promise.clock)
    started = promise.clock.started_at
    if started is not None and started < promise.made_at:
        bag.add("clocks", "started earlier", thing)
    _add_alarms(bag, key, promise.alarms)


def add_value(bag: Bag, value: ValueTruth | FoundValue, whose: Hashable) -> None:
    key = (value.rule, value.journey_key, value.per, value.made_at)
    promised = (_nine(value.promised_from), _nine(value.promised_to))
    bag.add("figures", value.status, (key, promised, _nine(value.observed), _nine(value.gap), whose))


def add_stall(bag: Bag, stall: StallTruth | FoundStall, whose: Hashable) -> None:
    key = (stall.stage, stall.journey_key, stall.entered_at)
    bag.add("stalls", stall.status, (key, stall.since, stall.left_at, whose))
    bag.add("limits", "declared" if stall.learned is None else "learned", (key, stall.learned))
    _add_clock(bag, key, stall.clock)
    _add_alarms(bag, key, stall.alarms)


def _add_clock(bag: Bag, key: Hashable, clock: ClockRun) -> Hashable:
    """What is the same for both sides if the clock is."""
    thing = (
        key,
        clock.started_at,
        clock.paused_at,
        _micros(clock.paused_seconds, _SECOND),
        _micros(clock.spent_seconds, _SECOND),
        clock.resets,
    )
    if clock.paused_seconds:
        bag.add("clocks", "paused", thing)
    if clock.paused_at is not None:
        bag.add("clocks", "standing still", thing)
    if clock.resets:
        bag.add("clocks", "begun anew", thing)
    return thing


def _add_alarms(bag: Bag, key: Hashable, alarms: Alarms) -> None:
    if alarms.warned:
        bag.add("warnings", "passed", (key, alarms.warned), alarms.warned)
    if alarms.skipped:
        bag.add("warnings", "skipped", (key, alarms.skipped), alarms.skipped)
    if alarms.steps:
        bag.add("escalation", f"to {alarms.to}", (key, alarms.steps))


def _direction(dates: DatesTold) -> str:
    first, latest = dates.first_due_at, dates.latest_due_at
    return "put off" if latest > first else "brought forward" if latest < first else "told too late"


def _nine(figure: float | None) -> float | None:
    """Nine digits: what is converted or divided in another way has other last ones. By way of the twelve that a finding
    has, so that what lies between two numbers of nine digits is rounded alike.
    """
    return None if figure is None else float(f"{float(f'{figure:.12g}'):.9g}") + 0.0


def _micros(amount: float | None, unit: int) -> int | None:
    """Exact again: what was divided for people to read."""
    return None if amount is None else round(amount * unit)
