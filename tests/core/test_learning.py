"""What is learned of a stage: the same whatever the order, of the past alone, and with those who still wait."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import examples

from pipeline.core.instants import DAY, MINUTE
from pipeline.core.learning import SLOT, WINDOW, Stays
from pipeline.core.survival import RATIO, Curve, bin_of

HOUR = 60 * MINUTE
Visit = tuple[int, int | None]
"""Entered and left, in microseconds."""


def told(visits: list[Visit]) -> list[tuple[int, int | None, int]]:
    """What a journey stage tells of them: that each began, and of those that ended, that too."""
    return [
        delta
        for entered, left in visits
        for delta in [(entered, None, 1), *([(entered, left, 1)] if left is not None else [])]
    ]


def learned(visits: list[Visit], period: int) -> Curve:
    stays = Stays()
    for delta in told(visits):
        stays.tell(*delta)
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
    deltas = told(visits)
    for entered, left, _ in told(mistaken):
        deltas += [(entered, left, 1), (entered, left, -1)]
    random.shuffle(deltas)
    stays = Stays()
    for delta in deltas:
        stays.tell(*delta)
    assert stays.curve(period)._steps == learned(visits, period)._steps


@settings(max_examples=examples(300), deadline=None)
@given(visits_of_days, st.integers(1, 25))
def test_a_curve_is_that_of_a_count_by_hand_of_what_had_happened_by_then(
    visits: list[Visit], period: int
) -> None:
    begin = period * DAY
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
def test_whoever_asks_every_day_learns_what_somebody_learns_who_asks_once(
    visits: list[Visit], random: Random
) -> None:
    """What is known early changes nothing: it waits for its period."""
    daily = Stays()
    waiting = sorted(told(visits), key=lambda delta: delta[0] if delta[1] is None else delta[1])
    for day in range(1, 25):
        # all that has happened by then, and some of what has not
        due = [each for each in waiting if (each[0] if each[1] is None else each[1]) < day * DAY]
        early = [each for each in waiting if each not in due and random.random() < 0.3]
        for delta in [*due, *early]:
            daily.tell(*delta)
            waiting.remove(delta)
        assert daily.curve(day)._steps == learned(visits, day)._steps


def test_what_is_told_late_counts_from_the_next_period_on() -> None:
    stays = Stays()
    stays.tell(0, None, 1)
    assert stays.curve(2).going_on == 1
    stays.tell(0, 5 * HOUR, 1)
    after = stays.curve(3)
    assert (after.ended, after.going_on) == (1, 0)


def test_visits_that_ended_long_ago_are_forgotten_and_those_that_go_on_are_not() -> None:
    visits = [(0, 5 * HOUR), (0, None)]
    assert learned(visits, WINDOW).ended == 1
    stays = Stays()
    for delta in told(visits):
        stays.tell(*delta)
    stays.curve(WINDOW)
    later = stays.curve(WINDOW + 1)
    assert (later.ended, later.going_on) == (0, 1)


def test_a_limit_that_is_learned_is_near_that_of_all_visits() -> None:
    random = Random(3)
    visits: list[Visit] = []
    for _ in range(3_000):
        entered = random.randrange(30 * DAY)
        visits.append((entered, entered + round(random.expovariate(1 / (10 * HOUR)))))
    limit = learned(visits, 30).quantile(0.95, least=100)
    assert limit is not None
    assert limit.low / RATIO <= 30 * HOUR * 0.9985 <= (limit.high or 0) * RATIO
    assert limit.duration == pytest.approx(30 * HOUR, rel=0.12)
