"""The learner: what it is told, by the learner's own partition, in; limits for every journey partition out."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from learner_world import FIRST, LearnerWorld

from pipeline.core.instants import DAY, MINUTE
from pipeline.core.learner import REVISED, SEGMENTS
from pipeline.core.learning import BEHIND, WINDOW
from pipeline.core.messages import GOING_ON, Fact, Limit, Stayed
from pipeline.core.rules import LearnedRule
from pipeline.core.survival import RATIO

HOUR = 60 * MINUTE
STAGE = LearnedRule(
    "s", "stage/s", "team", "warning", segment="data.carrier", least=10, quantile=0.5, times=2.0
)
PROMISE = LearnedRule("p", "promise/p", "team", "warning", least=10, threshold=0.5)


def stay(day: int, hours: int, segment: str | None = None) -> Fact:
    """A stay that began in the first hours of a day and lasted so long."""
    entered = (FIRST + day) * DAY + HOUR
    return segment, entered, entered + hours * HOUR


def told(facts: Iterable[Fact], rule: str = "stage/s") -> list[Stayed]:
    return [Stayed(rule, [], fact) for fact in facts]


def limits(world: LearnerWorld) -> dict[int, dict[str | None, Limit | None]]:
    """What a journey partition knows in the end, by day."""
    known: dict[int, dict[str | None, Limit | None]] = {}
    for message in world.told[0]:
        for _, segment, limit in message.limits:
            known.setdefault(message.period - FIRST, {})[segment] = limit
    return known


def test_a_limit_is_told_once_all_partitions_have_told_of_everything_before_its_day() -> None:
    world = LearnerWorld([STAGE], partitions=2)
    world.hears(told(stay(0, 4) for _ in range(12)))
    world.marks(2, partition=0)
    assert world.told == [[], []]
    world.marks(2, partition=1)
    assert world.told[0] == world.told[1] != []
    assert list(limits(world)) == [2]
    limit = limits(world)[2][None]
    assert limit is not None
    assert limit.ended == 12
    assert 8 * HOUR <= limit.duration <= 8 * HOUR * RATIO


def test_what_went_on_when_the_day_before_began_counts_as_that() -> None:
    world = LearnerWorld([STAGE])
    world.hears(told(stay(0, 4) for _ in range(12)))
    world.hears(told((None, stay(0, 4)[1], GOING_ON) for _ in range(11)))
    world.marks(2)
    [limit] = limits(world)[2].values()
    assert limit is not None
    assert limit.ended == 12
    world = LearnerWorld([STAGE])
    world.hears(told(stay(0, 4) for _ in range(12)))
    world.hears(told((None, stay(0, 4)[1], GOING_ON) for _ in range(13)))
    world.marks(2)
    assert limits(world) == {}  # half of them go on: nobody knows for how long


def test_fewer_stays_than_the_rule_asks_for_make_no_limit() -> None:
    world = LearnerWorld([STAGE])
    world.hears(told(stay(0, 4) for _ in range(9)))
    world.marks(2)
    assert world.told == [[]]


def test_each_segment_has_its_own_and_all_have_one_together() -> None:
    world = LearnerWorld([STAGE])
    world.hears(told([stay(0, 2, "bike") for _ in range(10)] + [stay(0, 9) for _ in range(11)]))
    world.marks(2)
    assert set(limits(world)[2]) == {None, "bike"}


def test_of_more_segments_than_are_told_apart_the_rest_count_among_all() -> None:
    world = LearnerWorld([STAGE])
    world.hears(told(stay(0, 2, f"c{number}") for number in range(SEGMENTS + 12) for _ in range(10)))
    world.marks(2)
    assert len(limits(world)[2]) == SEGMENTS + 1
    assert world.learner.counts["unsegmented"] == 120
    assert limits(world)[2][None].ended == (SEGMENTS + 12) * 10  # type: ignore[union-attr]


def test_a_promise_has_its_curve_told() -> None:
    world = LearnerWorld([PROMISE])
    world.hears(told([stay(0, hours) for hours in range(1, 11)], "promise/p"))
    world.marks(2)
    [limit] = limits(world)[2].values()
    assert limit is not None
    assert len(limit.passed) == 100
    assert limit.passed[9] <= HOUR * RATIO < limit.passed[10] <= 2 * HOUR * RATIO


def test_days_that_passed_in_one_leap_are_told_one_by_one() -> None:
    facts = [stay(day, 2 + day) for day in range(3) for _ in range(10)]
    daily, leap = LearnerWorld([STAGE]), LearnerWorld([STAGE])
    daily.hears(told(facts))
    leap.hears(told(facts))
    for day in range(1, 6):
        daily.marks(day)
    leap.marks(5)
    assert limits(daily) == limits(leap)
    assert list(limits(leap)) == [2, 3, 4, 5]


def test_days_on_which_nothing_is_known_any_more_are_not_told_however_far_time_leaps() -> None:
    world = LearnerWorld([STAGE])
    world.hears(told(stay(0, 2) for _ in range(10)))
    world.marks(100_000)
    assert sorted(limits(world)) == list(range(2, WINDOW + BEHIND + 1))


def test_what_is_told_late_has_limits_told_again_in_the_silence() -> None:
    world = LearnerWorld([STAGE])
    world.hears(told(stay(0, 4) for _ in range(12)))
    world.marks(4)
    before = limits(world)
    world.hears(told(stay(0, 9) for _ in range(20)))
    assert limits(world) == before
    assert world.learner.owes
    assert world.quiet()
    assert {day for day in before if limits(world)[day] != before[day]} == {2, 3, 4}
    assert not world.learner.owes
    assert not world.quiet()


def test_what_is_told_late_has_limits_told_again_before_the_next_day() -> None:
    world = LearnerWorld([STAGE])
    world.hears(told(stay(0, 4) for _ in range(12)))
    world.marks(3)
    world.hears(told(stay(1, 9) for _ in range(20)))
    world.marks(4)
    assert limits(world)[3][None].ended == 32  # type: ignore[union-attr]


def test_a_limit_that_nothing_carries_any_more_is_taken_back() -> None:
    world = LearnerWorld([STAGE])
    facts = [stay(0, 4) for _ in range(10)]
    world.hears(told(facts))
    world.marks(2)
    world.hears([Stayed("stage/s", facts[:1], None)])
    world.quiet()
    assert limits(world) == {2: {None: None}}


def test_that_a_stay_has_ended_changes_no_limit_of_a_day_before() -> None:
    world = LearnerWorld([STAGE])
    facts = [stay(0, 4) for _ in range(10)]
    slow = (None, stay(0, 4)[1], GOING_ON)
    world.hears(told([*facts, slow]))
    world.marks(9)
    world.hears([Stayed("stage/s", [slow], (None, slow[1], slow[1] + 9 * DAY))])
    assert not world.learner.owes


@pytest.mark.parametrize(("back", "is_revised"), [(REVISED, True), (REVISED + 1, False)])
def test_limits_are_told_again_up_to_a_month_back(back: int, is_revised: bool) -> None:
    world = LearnerWorld([STAGE])
    world.hears(told(stay(0, 4) for _ in range(12)))
    world.marks(2 + back)
    world.hears(told(stay(0, 9) for _ in range(20)))
    world.quiet()
    assert (limits(world)[2][None].ended == 32) is is_revised  # type: ignore[union-attr]
    assert limits(world)[2 + back][None].ended == 32  # type: ignore[union-attr]


def test_a_restart_changes_nothing() -> None:
    steady, restarted = LearnerWorld([STAGE], partitions=2), LearnerWorld([STAGE], partitions=2)
    for world in (steady, restarted):
        for day in range(6):
            world.hears(told(stay(max(0, day - 3), 4 + day, "bike") for _ in range(6)))
            world.marks(day, partition=day % 2)
            world.marks(day, partition=(day + 1) % 2)
            if world is restarted:
                world.open([STAGE])
        world.quiet()
    assert steady.told == restarted.told
    assert steady.learner.counts == restarted.learner.counts


def test_another_quantile_holds_for_the_days_that_were_told_as_well() -> None:
    world = LearnerWorld([STAGE])
    world.hears(told(stay(0, hours) for hours in range(1, 13)))
    world.marks(2)
    before = limits(world)[2][None]
    world.open([LearnedRule(STAGE.name, STAGE.label, "team", "warning", least=10, quantile=0.9)])
    assert world.quiet()
    assert limits(world)[2][None] != before


def test_what_is_not_learned_any_more_is_taken_back_and_forgotten() -> None:
    world = LearnerWorld([STAGE])
    world.hears(told(stay(0, 4) for _ in range(12)))
    world.marks(2)
    world.open([PROMISE])
    world.quiet()
    assert limits(world) == {2: {None: None}}
    assert not [key for key in world.store if key[:1] in (b"h", b"t")]
    world.hears(told([stay(0, 4)]))
    assert world.learner.counts["unknown"] == 1


def test_days_that_no_limit_rests_on_any_more_are_forgotten() -> None:
    world = LearnerWorld([STAGE])
    world.hears(told([stay(0, 4), stay(5, 4)]))
    world.marks(6)
    world.marks(1 + REVISED + BEHIND + WINDOW)
    assert [int.from_bytes(key[1:5], "big") - FIRST for key in world.store if key[:1] == b"h"] == [5]
    world.hears([Stayed("stage/s", [stay(0, 4)], None)])
    assert [int.from_bytes(key[1:5], "big") - FIRST for key in world.store if key[:1] == b"h"] == [5]
