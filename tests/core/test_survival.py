"""Survival curves against textbook figures, a count by hand, and simulated stays whose truth is known."""

from __future__ import annotations

from collections import Counter
from math import sqrt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.instants import DAY, SECOND
from pipeline.core.survival import BINS, RATIO, Curve, bin_end, bin_of

HOUR = 3600 * SECOND


def curve(ended: list[int], going_on: list[int]) -> Curve:
    """Of durations in microseconds."""
    return Curve(Counter(map(bin_of, ended)), Counter(map(bin_of, going_on)))


@given(st.integers(0, 100 * 365 * DAY))
def test_every_duration_lies_in_the_bin_that_ends_at_or_after_it(duration: int) -> None:
    number = bin_of(duration)
    assert 0 <= number < BINS
    assert duration <= bin_end(number) or number == BINS - 1
    assert number == 0 or duration > bin_end(number - 1)
    if number:
        assert bin_end(number) <= duration * RATIO + 1


def test_it_is_the_curve_of_the_textbook() -> None:
    """Freireich's leukaemia patients under 6-MP, in weeks; survival and Greenwood's error as published (Collett, 2003)."""
    ended = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    going_on = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    found = curve([week * 7 * DAY for week in ended], [week * 7 * DAY for week in going_on])
    published = {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}
    for week, survival in published.items():
        assert found.lasting(round(week * 7 * DAY * RATIO)) == pytest.approx(survival, abs=0.0006)
    errors = {6: 0.0764, 7: 0.0869, 10: 0.0963, 13: 0.1068, 16: 0.1141, 22: 0.1282, 23: 0.1346}
    for (_, survival, variance), error in zip(found._steps, errors.values(), strict=True):
        assert survival * sqrt(variance) == pytest.approx(error, abs=0.0006)
    median = found.quantile(0.5)
    assert median is not None
    assert 23 * 7 * DAY <= median.duration <= 23 * 7 * DAY * RATIO


def test_without_anyone_going_on_it_is_the_share_of_those_that_lasted_longer() -> None:
    found = curve([hour * HOUR for hour in range(1, 101)], [])
    assert found.lasting(round(75 * HOUR * RATIO)) == pytest.approx(0.25, abs=0.03)
    quantile = found.quantile(0.9)
    assert quantile is not None
    assert 90 * HOUR <= quantile.duration <= 90 * HOUR * RATIO
    assert quantile.low < quantile.duration < (quantile.high or 0)


def test_who_looks_only_at_those_that_ended_sees_the_short_ones() -> None:
    """Stays of 1 to 100 hours, looked at when 50 hours have passed."""
    ended, going_on = [hour * HOUR for hour in range(1, 51)], [50 * HOUR] * 50
    biased, honest = curve(ended, []).quantile(0.5), curve(ended, going_on).quantile(0.5)
    assert biased is not None
    assert honest is not None
    assert biased.duration <= 26 * HOUR * RATIO
    assert 50 * HOUR <= honest.duration <= 50 * HOUR * RATIO


def test_a_share_that_nobody_has_reached_yet_is_not_guessed() -> None:
    assert curve([HOUR], [2 * HOUR] * 9).quantile(0.5) is None


def test_few_stays_give_no_quantile_if_more_are_asked_for() -> None:
    assert curve([HOUR] * 19, []).quantile(0.5, least=20) is None
    assert curve([HOUR] * 20, []).quantile(0.5, least=20) is not None


def test_a_forecast_is_the_share_of_those_that_were_still_there() -> None:
    found = curve([hour * HOUR for hour in range(1, 101)], [])
    assert found.lasting_beyond(0, 80 * HOUR) == pytest.approx(0.2, abs=0.03)
    assert found.lasting_beyond(60 * HOUR, 80 * HOUR) == pytest.approx(0.5, abs=0.06)
    assert found.lasting_beyond(80 * HOUR, 80 * HOUR) == 1.0
    assert found.lasting_beyond(200 * HOUR, 300 * HOUR) is None


@given(
    st.lists(st.tuples(st.integers(1, 10_000), st.booleans()), min_size=1, max_size=60),
    st.randoms(use_true_random=False),
)
def test_the_order_of_counting_does_not_matter(stays: list[tuple[int, bool]], random: Random) -> None:
    shuffled = random.sample(stays, len(stays))
    one, other = (
        curve(
            [minutes * 60 * SECOND for minutes, has_ended in each if has_ended],
            [minutes * 60 * SECOND for minutes, has_ended in each if not has_ended],
        )
        for each in (stays, shuffled)
    )
    assert one._steps == other._steps


def test_the_bounds_hold_the_true_quantile_as_often_as_they_say() -> None:
    """400 samples of exponential stays with a third censored: the 95 % bounds of the median hold it in 90 to 99 %."""
    random, held, asked = Random(7), 0, 0
    truth = 10 * HOUR
    for _ in range(400):
        ended, going_on = [], []
        for _ in range(120):
            stay, censored = (random.expovariate(0.693147 / truth) for _ in range(2))
            censored *= 2
            (ended if stay <= censored else going_on).append(round(min(stay, censored)))
        found = curve(ended, going_on).quantile(0.5)
        if found is not None and found.high is not None:
            asked += 1
            held += found.low / RATIO <= truth <= found.high * RATIO
    assert asked > 390
    assert 0.90 <= held / asked <= 0.99
