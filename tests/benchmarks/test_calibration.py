"""The forecast's calibration: what is foretold of stays whose law is known comes true as often as it says."""

from __future__ import annotations

from random import Random

import pytest

from benchmarks.calibration import Forecast, Visit, brier, foretold, report
from pipeline.core.instants import DAY, SECOND

HOUR = 3600 * SECOND


def stays(count: int, days: int, seed: int) -> list[Visit]:
    """Half of them of a day, half of a week, in the mean; those still there when the data ends have no end."""
    random, found = Random(seed), []
    for _ in range(count):
        entered = random.randrange(days * DAY)
        mean = random.choice((DAY, 7 * DAY))
        left = entered + round(random.expovariate(1 / mean))
        found.append(Visit(entered, left if left < days * DAY else None))
    return found


def test_what_is_foretold_comes_true_as_often_as_it_says_and_beats_the_share_alone() -> None:
    forecasts = list(foretold(stays(6_000, 90, seed=1), 3 * DAY, 0.3, 90 * DAY))
    assert len(forecasts) > 3_000
    for low in (0.3, 0.4, 0.5, 0.6, 0.7):
        some = [each for each in forecasts if low <= each.probability < low + 0.1]
        if len(some) > 300:
            foretold_mean = sum(each.probability for each in some) / len(some)
            assert sum(each.came_true for each in some) / len(some) == pytest.approx(foretold_mean, abs=0.06)
    assert brier((each.probability, each.came_true) for each in forecasts) < 0.97 * brier(
        (each.share, each.came_true) for each in forecasts
    )


def test_nothing_is_foretold_of_which_the_data_does_not_show_the_outcome() -> None:
    entered_at_the_end = [Visit(88 * DAY, None)] * 50
    before = [Visit(0, HOUR)] * 50
    assert list(foretold([*before, *entered_at_the_end], 3 * DAY, 0.3, 90 * DAY)) == []


def test_the_report_says_how_often_each_tenth_came_true() -> None:
    forecasts = [Forecast(0.25, 0.5, came_true=n < 3) for n in range(12)]
    head, _, line = report("queue", forecasts)
    assert head == "queue: 12 forecasts, Brier 0.1875; by the share alone 0.2500"
    assert line.split()[:3] == ["25.0%", "25.0%", "12"]
