"""When a worker is started again: times are seconds of a clock that the test holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.embedded.supervision import GiveUp, Policy, Restart, Supervision

POLICY = Policy(first_wait=1, longest_wait=5, ends_in_a_row=5, steady_after=60)


def test_the_wait_doubles_with_each_end_in_a_row_up_to_the_longest() -> None:
    supervision, waits = Supervision(POLICY), []
    for now in (10.0, 20.0, 30.0, 40.0):
        supervision.started(now)
        decision = supervision.ended(1, now + 1)
        assert isinstance(decision, Restart)
        waits.append(decision.at - now - 1)
    assert waits == [1, 2, 4, 5]


def test_too_many_ends_in_a_row_are_given_up() -> None:
    supervision = Supervision(POLICY)
    decisions = [supervision.ended(137, 1.0) for _ in range(5)]
    assert decisions[-1] == GiveUp("it ended 5 times in a row")
    assert all(isinstance(decision, Restart) for decision in decisions[:-1])


def test_a_worker_that_ran_steadily_starts_a_new_row() -> None:
    supervision = Supervision(POLICY)
    for _ in range(4):
        supervision.ended(1, 5.0)
    supervision.started(100.0)
    assert supervision.ended(1, 160.0) == Restart(161.0)


@pytest.mark.parametrize("code", [2, 3])
def test_a_worker_that_says_it_cannot_go_on_is_not_started_again(code: int) -> None:
    assert Supervision(POLICY).ended(code, 1.0) == GiveUp("starting it again would give the same")


@given(st.lists(st.tuples(st.integers(0, 100), st.sampled_from([0, 1, 4, 5, 137])), max_size=30))
def test_no_worker_is_started_at_once_nor_later_than_the_longest_wait(runs: list[tuple[int, int]]) -> None:
    supervision, now = Supervision(POLICY), 0.0
    for ran, code in runs:
        supervision.started(now)
        now += ran
        decision = supervision.ended(code, now)
        if isinstance(decision, GiveUp):
            return
        assert POLICY.first_wait <= decision.at - now <= POLICY.longest_wait
        now = decision.at
