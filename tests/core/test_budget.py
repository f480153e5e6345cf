"""What caches may hold together: bytes given once, over as many of them as there are."""

from __future__ import annotations

from journey_world import PLACED, Story

from pipeline.core.budget import Budget
from pipeline.core.recent import Ration
from schemas.state import PersonState


def fill(ration: Ration[int, str], count: int, packed: int, begin: int = 0) -> None:
    """A batch that saves so many entries, each packed into so many bytes."""
    for number in range(begin, begin + count):
        ration.recent.put(number, "kept")
    ration.fit(packed * count, count)


SIZE = 1_000_000


def test_a_cache_that_is_alone_may_have_everything_and_those_that_come_later_an_even_part() -> None:
    budget = Budget(SIZE)
    one = budget.share()
    assert one.room == SIZE
    one.held = SIZE
    other = budget.share()
    assert (one.room, other.room) == (SIZE, SIZE // 2)
    other.held = SIZE // 2
    assert one.room == SIZE // 2


def test_what_one_cache_does_not_need_another_may_have() -> None:
    budget = Budget(SIZE)
    idle, busy = budget.share(), budget.share()
    idle.held = 1000
    assert busy.room == SIZE - 1000


def test_a_cache_that_is_gone_holds_nothing() -> None:
    budget = Budget(SIZE)
    gone, left = budget.share(), budget.share()
    gone.held = SIZE
    del gone
    assert left.room == SIZE


def test_the_same_budget_keeps_many_small_entries_or_few_large_ones() -> None:
    kept = {}
    for packed in (10, 10_000):
        ration: Ration[int, str] = Ration(Budget(SIZE))
        for begin in range(0, 10_000, 100):
            fill(ration, 100, packed, begin)
        kept[packed] = len(ration.recent)
    assert 100 < kept[10] <= SIZE // 500
    assert 0 < kept[10_000] <= SIZE // 50_000


def test_however_many_caches_there_are_they_keep_within_one_budget_once_each_was_trimmed() -> None:
    budget = Budget(SIZE)
    rations: list[Ration[int, str]] = []
    for _ in range(8):
        rations.append(Ration(budget))
        for begin in range(0, 3000, 100):
            fill(rations[-1], 100, 100, begin)
    for ration in rations:
        ration.fit()
    assert all(len(ration.recent) for ration in rations)
    assert budget.held <= SIZE


def test_persons_of_all_partitions_keep_within_one_budget_whatever_their_size() -> None:
    budget = Budget(SIZE)
    stories = [Story(cache=budget) for _ in range(3)]
    for story in stories:
        for customer in range(500):
            for minute in range(1 + customer % 7):
                story.happens(f"2026-03-01 09:{minute:02}", PLACED, customer=f"c{customer}")
        story.batch()
    assert budget.held < 2 * SIZE
    for story in [*stories, *stories]:
        story.quiet()
    assert SIZE / 2 < budget.held <= SIZE


def test_a_person_weighs_what_its_touchpoints_do() -> None:
    weights = []
    for touchpoints in (1, 50):
        budget = Budget(SIZE)
        story = Story(cache=budget)
        for minute in range(touchpoints):
            story.happens(f"2026-03-01 09:{minute:02}", PLACED)
        story.batch()
        weights.append(budget.held)
    assert weights[1] > 8 * weights[0] > 0


def test_the_states_of_a_bounded_number_of_persons_are_put_off() -> None:
    story = Story(owed_persons=10)
    for batch in range(5):
        for customer in range(8):
            story.happens("2026-03-01 09:00", PLACED, customer=f"c{batch}-{customer}")
        story.batch()
    assert (
        len({state.person_id for state in story.states if isinstance(state, PersonState)}) >= 5 * 8 - 2 * 10
    )
