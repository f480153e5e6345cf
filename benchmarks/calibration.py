"""How good a forecast from survival curves is: who will outlast a stage's limit, foretold day by day and then looked at.

`python -m benchmarks.calibration --map MAP --mapping MAPPING --data FOLDER`. The visits of each stage that has a limit are
learned from day by day (`pipeline.core.learning`). From the day on at which `--learn` of all visits have begun, every visit
that is open and not yet a stall is foretold each day: the share of those of its age that outlast the limit. Nothing is
foretold from what had not happened by then. A forecast whose outcome the data does not show is left out.

Printed for each stage: Brier's score (0 is perfect), that of a forecaster who knows only the share of the visits before, and
how often what was foretold came true, by tenths of the forecast.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.machine import machine
from pipeline.core.journey import keys_of, open_journey
from pipeline.core.learning import PERIOD, Stays
from pipeline.core.messages import GOING_ON, Entry, Micros
from pipeline.core.plan import JourneyRules, Plan, compile_plan
from pipeline.imports.importer import Importer
from pipeline.imports.mapping import load_mapping
from pipeline.maps import load_map
from pipeline.operations.past_entries import entries_of
from pipeline.shadow.past import PastTouchpoint

_TENTHS = 10
_BAR = 30


class Visit(NamedTuple):
    entered: Micros
    left: Micros | None


class Forecast(NamedTuple):
    """The probability that was foretold, that of somebody who knows no ages, and whether it came true."""

    probability: float
    share: float
    came_true: bool


def visits(plan: Plan, entries: Iterable[Entry]) -> dict[str, list[Visit]]:
    """The visits of each stage."""
    journeys: dict[tuple[int, str], list[Entry]] = defaultdict(list)
    rules_of: dict[int, JourneyRules] = {rules.index: rules for rules in plan.journeys}
    for entry in entries:
        for rules, key in keys_of(entry.fields, plan.journeys):
            journeys[rules.index, key].append(entry)
    found: dict[str, list[Visit]] = defaultdict(list)
    for (index, key), members in journeys.items():
        journey = open_journey(rules_of[index], key)
        for entry in members:
            journey.add(entry)
        journey.refold()
        for rule, fold in zip(journey.rules.stages, journey.stages, strict=True):
            for visit in () if fold is None else (*fold.ended, *([fold.inside] if fold.inside else [])):
                left = None if visit.left is None else visit.left.time
                found[rule.name].append(Visit(visit.entry.time, left))
    return found


def foretold(known: list[Visit], limit: Micros, learn: float, end: Micros) -> Iterator[Forecast]:
    """Every forecast of which the data, which ends at `end`, shows the outcome."""
    stays, known = Stays(), sorted(known, key=lambda visit: visit.entered)
    for entered, left in known:
        stays.tell(entered, GOING_ON if left is None else left, 1)
    begin = known[int(len(known) * learn)].entered // PERIOD + 1
    for period in range(begin, end // PERIOD + 1):
        curve, now = stays.curve(period), period * PERIOD
        share = curve.lasting(limit)
        for entered, left in known:
            age = now - entered
            # who would be looked at although the limit lies beyond the data would be seen only if they left in time
            if age <= 0 or age > limit or entered + limit >= end or (left is not None and left <= now):
                continue
            probability = curve.lasting_beyond(age, limit)
            if probability is not None:
                yield Forecast(probability, share, left is None or left - entered > limit)


def brier(pairs: Iterable[tuple[float, bool]]) -> float:
    """The mean square of what was foretold less what came of it."""
    squares = [(probability - came_true) ** 2 for probability, came_true in pairs]
    return sum(squares) / len(squares)


def report(name: str, forecasts: list[Forecast]) -> Iterator[str]:
    """What is printed of a stage."""
    if not forecasts:
        yield f"{name}: nothing to foretell"
        return
    score = brier((each.probability, each.came_true) for each in forecasts)
    without = brier((each.share, each.came_true) for each in forecasts)
    yield f"{name}: {len(forecasts):,} forecasts, Brier {score:.4f}; by the share alone {without:.4f}"
    yield "  foretold   came true        n"
    for tenth in range(_TENTHS):
        some = [each for each in forecasts if min(_TENTHS - 1, int(each.probability * _TENTHS)) == tenth]
        if some:
            mean = sum(each.probability for each in some) / len(some)
            true = sum(each.came_true for each in some) / len(some)
            yield f"  {mean:8.1%}   {true:9.1%} {len(some):8,}  {'#' * round(true * _BAR)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    for name in ("map", "mapping", "data"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--learn", type=float, default=0.3)
    options = parser.parse_args()
    plan = compile_plan(load_map(options.map))
    events = Importer(load_mapping(options.mapping), options.data).events()
    past = [PastTouchpoint(event.time, event.value) for event in events]
    found = visits(plan, entries_of(plan, past))
    end = max(touchpoint.time for touchpoint in past)
    print(machine())
    for rules in plan.journeys:
        for rule in rules.stages:
            if rule.limit is not None and found[rule.name]:
                forecasts = list(foretold(found[rule.name], rule.limit, options.learn, end))
                print(*report(rule.name, forecasts), sep="\n")


if __name__ == "__main__":
    main()
