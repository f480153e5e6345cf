"""What is learned of a stage: the same whatever the order, of the past alone, and with those who still wait."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import examples

from pipeline.core.instants import DAY, MINUTE
from pipeline.core.learning import BEHIND, SLOT, WINDOW, Stays, period_of
from pipeline.core.messages import GOING_ON
from pipeline.core.survival import RATIO, Curve, bin_of

HOUR = 60 * MINUTE
Visit = tuple[int, int | None]
"""Entered and left, in microseconds."""


def learned(visits: list[Visit], period: int) -> Curve:
    stays = Stays()
    for entered, left in visits:
        stays.tell(entered, GOING_ON if left is None else left, 1)
    return stays.curve(period)


visits_of_days = st.lists(
    st.tuples(st.integers(0, 20 * DAY), st.none() | st.integers(0, 10 * DAY)).map(
        lambda drawn: (drawn[0], None if drawn[1] is None else drawn[0] + drawn[1])
    ),
    max_size=40,
)


@settings(max_examples=examples(300), deadline=None)
@given(visits_of_days, visits_of_days, st.randoms(use_true_random=False), st.integers(0, 30))
def test_neither_order_nor_what_was_taken_back_leaves_a_trace(
    visits: list[Visit], mistaken: list[Visit], random: Random, period: int
) -> None:
    """A visit that goes on is told so first, and that is taken back when it ends."""
    told = []
    for entered, left in visits:
        went_on = left is None or random.random() < 0.5
        if went_on:
            told.append((entered, GOING_ON, 1))
        if left is not None:
            told += [(entered, left, 1), *([(entered, GOING_ON, -1)] if went_on else [])]
    for entered, left in mistaken:
        told += [(entered, GOING_ON if left is None else left, sign) for sign in (1, -1)]
    random.shuffle(told)
    stays = Stays()
    for fact in told:
        stays.tell(*fact)
    assert stays.curve(period)._steps == learned(visits, period)._steps


@settings(max_examples=examples(300), deadline=None)
@given(visits_of_days, st.integers(1, 25))
def test_a_curve_is_that_of_a_count_by_hand_of_what_had_happened_by_the_period_before(
    visits: list[Visit], period: int
) -> None:
    begin = (period - BEHIND) * DAY
    ended: dict[int, int] = {}
    going_on: dict[int, int] = {}
    for entered, left in visits:
        if entered >= begin:
            continue
        if left is not None and left < begin:
            ended[bin_of(left - entered)] = ended.get(bin_of(left - entered), 0) + 1
        else:
            number = bin_of(begin - entered // SLOT * SLOT)
            going_on[number] = going_on.get(number, 0) + 1
    found, by_hand = learned(visits, period), Curve(ended, going_on)
    assert (found._steps, found.ended, found.going_on) == (by_hand._steps, by_hand.ended, by_hand.going_on)


@settings(max_examples=examples(200), deadline=None)
@given(visits_of_days, st.randoms(use_true_random=False))
def test_what_is_told_changes_curves_from_the_period_on_that_it_says(
    visits: list[Visit], random: Random
) -> None:
    stays = Stays()
    for entered, left in visits:
        before = [stays.curve(period)._steps for period in range(35)]
        last = stays.tell(entered, GOING_ON if left is None else left, 1)
        if left is not None and random.random() < 0.5:
            # had it been told before that the visit began, only its end were new
            stays.tell(entered, GOING_ON, 1)
            before = [stays.curve(period)._steps for period in range(35)]
            stays.tell(entered, GOING_ON, -1)
        changed = [period for period in range(35) if stays.curve(period)._steps != before[period]]
        assert not changed or changed[0] > period_of(entered) + BEHIND
        assert last == period_of(entered if left is None else left)


def test_only_visits_that_began_in_the_window_count_and_what_is_before_it_may_be_forgotten() -> None:
    visits = [(0, 5 * HOUR), (0, None), (DAY, DAY + HOUR)]
    first = WINDOW + BEHIND
    assert (learned(visits, first).ended, learned(visits, first).going_on) == (2, 1)
    assert (learned(visits, first + 1).ended, learned(visits, first + 1).going_on) == (1, 0)
    stays = Stays()
    for entered, left in visits:
        stays.tell(entered, GOING_ON if left is None else left, 1)
    assert stays.forget(1) == [0]
    assert stays.curve(first + 1)._steps == learned(visits, first + 1)._steps


def test_a_limit_that_is_learned_is_near_that_of_all_visits() -> None:
    random = Random(3)
    visits: list[Visit] = []
    for _ in range(3_000):
        entered = random.randrange(30 * DAY)
        visits.append((entered, entered + round(random.expovariate(1 / (10 * HOUR)))))
    limit = learned(visits, 31).quantile(0.95, least=100)
    assert limit is not None
    assert limit.low / RATIO <= 30 * HOUR * 0.9985 <= (limit.high or 0) * RATIO
    assert limit.duration == pytest.approx(30 * HOUR, rel=0.12)
