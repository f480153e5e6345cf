"""Learned limits and forecasts, rule by rule: which limit fires, when it comes late, and what the learner is told."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from journey_world import CALLED_OFF, DELIVERED, PLACED, SHIPPED, Story, at, us
from learned_world import FORECAST, MOVED, PROMISE, STAGE, limit, passed, shop

from pipeline.core.instants import DAY, moment
from pipeline.core.learner import REVISED
from pipeline.core.learning import BEHIND
from pipeline.core.messages import GOING_ON, JourneyMark, Origin, Parcel, Stayed
from pipeline.core.persons import head_key
from pipeline.core.stored import UnreadableStateError
from pipeline.core.tokens import person_of

# -- which limit fires


def test_a_stay_that_outlasts_what_was_learned_of_others_is_a_stall_and_says_so() -> None:
    story = Story(shop())
    story.learns("2026-03-01 00:00", STAGE, {None: limit(2)})
    story.happens("2026-03-01 09:00", SHIPPED, name="s1")
    assert story.until("2026-03-03 09:00").all("in_transit") == []
    stall = story.until("2026-03-03 09:00:00.000001").last("in_transit")
    assert (stall.status, stall.detail.since) == ("opened", at("2026-03-03 09:00"))
    assert (stall.detail.limit_kind, stall.detail.limit_seconds) == ("learned", 2 * 86400)
    learned = stall.detail.learned
    assert (learned.quantile, learned.times, learned.ended, learned.segment) == (0.9, 2, 60, None)
    assert (learned.low_seconds, learned.high_seconds) == (47 * 3600, 50 * 3600)
    assert learned.learned_at == at("2026-02-28 00:00")


def test_the_declared_limit_fires_if_it_is_the_shorter_one() -> None:
    story = Story(shop(expected="1d"))
    story.learns("2026-03-01 00:00", STAGE, {None: limit(2)})
    story.happens("2026-03-01 09:00", SHIPPED)
    stall = story.until("2026-03-10 00:00").last("in_transit")
    assert (stall.detail.limit_kind, stall.detail.limit_seconds) == ("declared", 86400)
    assert stall.detail.learned is None


def test_without_a_declared_limit_nothing_is_a_stall_until_something_was_learned() -> None:
    story = Story(shop(expected=None))
    story.happens("2026-03-01 09:00", SHIPPED)
    assert story.until("2026-05-01 00:00").all("in_transit") == []
    story.learns("2026-03-01 00:00", STAGE, {None: limit(2)})
    assert story.batch().last("in_transit").detail.since == at("2026-03-03 09:00")


def test_a_stay_is_judged_by_its_segment_and_by_all_where_too_little_is_known_of_that() -> None:
    story = Story(shop())
    story.learns("2026-03-01 00:00", STAGE, {None: limit(5), "bike": limit(1)})
    for order, carrier in (("1", "bike"), ("2", "ship"), ("3", None)):
        story.happens("2026-03-01 09:00", SHIPPED, order=order, carrier=carrier)
    found = {stall.journey_key: stall.detail for stall in story.until("2026-03-31 00:00").all("in_transit")}
    assert {key: (each.limit_seconds, each.learned.segment) for key, each in found.items()} == {
        "1": (86400, "bike"),
        "2": (5 * 86400, None),
        "3": (5 * 86400, None),
    }


def test_a_stay_is_judged_by_the_day_on_which_it_began() -> None:
    story = Story(shop())
    story.learns("2026-03-01 00:00", STAGE, {None: limit(2)})
    story.learns("2026-03-02 00:00", STAGE, {None: limit(4)})
    story.happens("2026-03-01 23:59", SHIPPED, order="1")
    story.happens("2026-03-02 00:00", SHIPPED, order="2")
    story.happens("2026-03-03 00:00", SHIPPED, order="3")
    found = {stall.journey_key: stall.detail for stall in story.until("2026-03-16 12:00").all("in_transit")}
    assert {key: each.limit_seconds for key, each in found.items()} == {"1": 2 * 86400, "2": 4 * 86400}


def test_warnings_go_by_the_learned_limit_and_a_calendar_does_not_count_it() -> None:
    office = {"zone": "UTC", "hours": {"mon-fri": ["09:00-17:00"]}}
    journey_map = shop(expected="40h", calendar="office", warn_at=[0.5])
    journey_map["calendars"] = {"office": office}
    story = Story(journey_map)
    story.learns("2026-03-07 00:00", STAGE, {None: limit(2)})
    story.happens("2026-03-07 09:00", SHIPPED)  # a Saturday
    stall = story.until("2026-03-20 00:00").last("in_transit")
    assert (stall.detail.since, stall.detail.calendar) == (at("2026-03-09 09:00"), None)
    assert [(each.at, each.status) for each in stall.detail.warnings] == [(at("2026-03-08 09:00"), "passed")]


# -- limits that come later, or turn out otherwise


def test_a_limit_that_comes_after_the_stay_opens_its_stall() -> None:
    story = Story(shop())
    story.happens("2026-03-01 09:00", SHIPPED)
    story.happens("2026-03-05 09:00", DELIVERED)
    assert story.until("2026-03-06 00:00").all("in_transit") == []
    story.learns("2026-03-01 00:00", STAGE, {None: limit(2)})
    stall = story.batch().last("in_transit")
    assert (stall.status, stall.detail.since) == ("resolved", at("2026-03-03 09:00"))


def test_a_limit_that_turns_out_longer_withdraws_a_stall_and_one_that_turns_out_shorter_opens_it_again() -> (
    None
):
    story = Story(shop())
    story.learns("2026-03-01 00:00", STAGE, {None: limit(2)})
    story.happens("2026-03-01 09:00", SHIPPED)
    story.until("2026-03-04 00:00")
    story.learns("2026-03-01 00:00", STAGE, {None: limit(3)})
    assert story.batch().last("in_transit").status == "withdrawn"
    story.learns("2026-03-01 00:00", STAGE, {None: limit(1)})
    again = story.batch().last("in_transit")
    assert (again.status, again.revision, again.detail.limit_seconds) == ("opened", 2, 86400)


def test_a_limit_that_is_taken_back_leaves_the_declared_one() -> None:
    story = Story(shop(expected="3d"))
    story.learns("2026-03-01 00:00", STAGE, {None: limit(2), "bike": limit(1)})
    story.happens("2026-03-01 09:00", SHIPPED, carrier="bike")
    assert story.until("2026-03-05 00:00").last("in_transit").detail.limit_seconds == 86400
    story.learns("2026-03-01 00:00", STAGE, {"bike": None})
    assert story.batch().last("in_transit").detail.limit_seconds == 2 * 86400
    story.learns("2026-03-01 00:00", STAGE, {None: None})
    assert story.batch().last("in_transit").detail.limit_kind == "declared"


def test_what_was_learned_is_known_again_after_a_restart_and_so_is_whom_it_concerns() -> None:
    journey_map = shop()
    story = Story(journey_map)
    story.learns("2026-03-01 00:00", STAGE, {None: limit(2)})
    story.happens("2026-03-01 09:00", SHIPPED, order="1")
    story.batch()
    story.open(journey_map)
    story.happens("2026-03-01 10:00", SHIPPED, order="2", customer="bob")
    assert len(story.until("2026-03-04 00:00").all("in_transit")) == 2
    story.learns("2026-03-01 00:00", STAGE, {None: limit(5)})
    story.batch()
    story.open(journey_map)
    story.quiet()
    assert {stall.status for stall in story.all("in_transit")} == {"withdrawn"}


def test_more_persons_than_a_batch_judges_are_judged_in_the_silence_even_after_a_restart(
    monkeypatch: Any,
) -> None:
    monkeypatch.setattr("pipeline.core.journey_stage.CHUNK", 2)
    journey_map = shop()
    story = Story(journey_map)
    for number in range(7):
        story.happens("2026-03-01 09:00", SHIPPED, order=str(number), customer=str(number))
    story.until("2026-03-04 00:00")
    story.learns("2026-03-01 00:00", STAGE, {None: limit(2)})
    assert len(story.batch().all("in_transit")) == 2
    assert story.stage.owes
    story.open(journey_map)
    assert len(story.quiet().all("in_transit")) == 7
    assert not story.stage.owes


def test_limits_that_change_while_persons_are_judged_by_them_are_those_that_all_are_judged_by(
    monkeypatch: Any,
) -> None:
    monkeypatch.setattr("pipeline.core.journey_stage.CHUNK", 2)
    story = Story(shop())
    for number in range(5):
        story.happens("2026-03-01 09:00", SHIPPED, order=str(number), customer=str(number))
    story.until("2026-03-04 00:00")
    for days in (2, 1):
        story.learns("2026-03-01 00:00", STAGE, {None: limit(days)})
        story.batch()
    story.quiet()
    assert [stall.detail.limit_seconds for stall in story.all("in_transit")] == [86400] * 5


def test_whose_stays_began_is_forgotten_once_limits_are_final() -> None:
    story = Story(shop())
    story.happens("2026-03-01 09:00", SHIPPED)
    story.until("2026-03-02 00:00")
    assert sum(1 for key in story.store if key[:1] == b"v") == 1
    last = us("2026-03-01 00:00") // DAY + REVISED + BEHIND
    story.learns(_day(last), STAGE, {None: limit(1)})
    assert sum(1 for key in story.batch().store if key[:1] == b"v") == 1
    story.learns(_day(last + 1), STAGE, {None: limit(1)})
    assert sum(1 for key in story.batch().store if key[:1] == b"v") == 0


def _day(period: int) -> str:
    return f"{moment(period * DAY):%Y-%m-%d %H:%M}"


def test_more_than_a_batch_forgets_are_forgotten_by_the_next_ones(monkeypatch: Any) -> None:
    monkeypatch.setattr("pipeline.core.limits.EXPIRED", 2)
    story = Story(shop())
    for number in range(5):
        story.happens("2026-03-01 09:00", SHIPPED, order=str(number), customer=str(number))
    story.until("2026-03-02 00:00")
    story.learns(_day(us("2026-03-01 00:00") // DAY + REVISED + BEHIND + 1), STAGE, {None: limit(1)})
    left = [sum(1 for key in story.batch().store if key[:1] == b"v") for _ in range(3)]
    assert left == [3, 1, 0]


# -- what the learner is told


def facts(story: Story) -> list[tuple[Any, ...]]:
    return [
        (each.before, each.now) for each in story.stayed if isinstance(each, Stayed) and each.rule == STAGE
    ]


def test_the_learner_hears_of_a_stay_when_it_begins_and_when_it_ends() -> None:
    story = Story(shop())
    entered, left = us("2026-03-01 09:00"), us("2026-03-02 09:00")
    story.happens("2026-03-01 09:00", SHIPPED, carrier="bike")
    story.batch()
    story.happens("2026-03-02 09:00", DELIVERED)
    story.batch()
    going_on = ("bike", entered, GOING_ON)
    assert facts(story) == [([], going_on), ([going_on], ("bike", entered, left))]


def test_the_learner_hears_of_what_was_not_so() -> None:
    story = Story(shop())
    story.happens("2026-03-01 09:00", SHIPPED)
    story.happens("2026-03-04 09:00", DELIVERED)
    story.batch()
    story.happens("2026-03-03 09:00", DELIVERED)  # it was delivered earlier
    story.batch()
    story.happens("2026-02-28 09:00", DELIVERED)  # and before it was shipped: no stay at all
    story.batch()
    entered = us("2026-03-01 09:00")
    first, second = (None, entered, us("2026-03-04 09:00")), (None, entered, us("2026-03-03 09:00"))
    assert facts(story) == [([], first), ([first], second), ([second], None)]


def test_a_touchpoint_that_moves_takes_along_what_was_told_of_it() -> None:
    story = Story(shop())
    entry = story.touchpoint("2026-03-01 09:00", SHIPPED, "s1", "7", "", "", {}).entry
    way = ((story.token("order_id", "7"), 0),)
    story.happens("2026-03-01 09:00", SHIPPED, name="s1", path=way)
    story.until("2026-03-02 00:00")
    story.releases(story.token("order_id", "7"), 1, "x")
    story.batch()
    [carried] = [each.parcel for each in story.carried]
    assert carried.entries[0].id == entry.id
    story.receives(Parcel([Origin(way, "someone", 1)], carried.entries, 0, []), "ann")
    story.batch()
    story.happens("2026-03-02 09:00", DELIVERED)
    story.batch()
    going_on = (None, entry.time, GOING_ON)
    assert facts(story) == [([], going_on), ([going_on], (None, entry.time, us("2026-03-02 09:00")))]
    story.learns("2026-03-01 00:00", STAGE, {None: limit(0.5)})
    assert story.batch().last("in_transit").person_id == story.person("ann")


def test_of_two_copies_that_meet_one_stay_is_left() -> None:
    story = Story(shop())
    way = ((story.token("order_id", "7"), 0),)
    story.happens("2026-03-01 09:00", SHIPPED, name="s1", path=way)
    story.happens("2026-03-01 09:00", SHIPPED, name="s1", customer="ann")
    story.batch()
    going_on = (None, us("2026-03-01 09:00"), GOING_ON)
    assert facts(story) == [([], going_on)] * 2
    story.releases(story.token("order_id", "7"), 1, "x")
    story.batch()
    [carried] = [each.parcel for each in story.carried]
    story.receives(Parcel([Origin(way, "someone", 1)], carried.entries, 0, []), "ann")
    story.batch()
    assert facts(story)[2:] == [([going_on, going_on], going_on)]


def test_a_changed_map_takes_back_what_it_does_not_learn_any_more_and_tells_what_it_does() -> None:
    story = Story(shop())
    story.happens("2026-03-01 09:00", SHIPPED, carrier="bike")
    story.batch()
    story.open(shop(enter=PLACED))
    story.quiet()
    going_on = ("bike", us("2026-03-01 09:00"), GOING_ON)
    assert facts(story) == [([], going_on), ([going_on], None)]
    story.open(shop())
    story.quiet()
    assert facts(story)[2:] == [([], going_on)]


def test_the_learner_hears_of_time_once_a_day() -> None:
    story = Story(shop())
    for when in ("2026-03-01 09:00", "2026-03-01 23:00", "2026-03-02 00:00", "2026-03-05 07:00"):
        story.until(when)
    marks = [each for each in story.stayed if isinstance(each, JourneyMark)]
    assert marks == [
        JourneyMark("journey/0", us(when))
        for when in ("2026-03-01 09:00", "2026-03-02 00:00", "2026-03-05 07:00")
    ]


def test_a_map_that_learns_nothing_tells_nothing() -> None:
    journey_map = shop()
    del journey_map["journeys"]["order"]["stages"]["in_transit"]["learned"]
    story = Story(journey_map)
    story.happens("2026-03-01 09:00", SHIPPED)
    assert story.until("2026-03-05 00:00").stayed == []


# -- forecasts


def test_a_promise_is_at_risk_once_most_of_those_that_take_so_long_break() -> None:
    story = Story(shop(at_risk=FORECAST))
    story.learns("2026-03-01 00:00", PROMISE, {None: passed(d1=20, d2=60, d4=80, d9=95)})
    story.happens("2026-03-01 09:00", PLACED, due="2026-03-06 09:00")
    assert story.until("2026-03-03 08:59").last("delivery").status == "made"
    found = story.until("2026-03-03 09:00").last("delivery")
    # 20 of 100 take longer than five days; after two days 40 are left, of which they are half
    assert (found.status, found.detail.at_risk_at) == ("at_risk", at("2026-03-03 09:00"))
    forecast = found.detail.forecast
    assert (forecast.probability, forecast.threshold, forecast.ended) == (0.2, 0.5, 200)
    assert forecast.learned_at == at("2026-02-28 00:00")


def test_a_promise_that_most_break_is_at_risk_as_it_is_made() -> None:
    story = Story(shop(at_risk=FORECAST))
    story.learns("2026-03-01 00:00", PROMISE, {None: passed(d1=20, d9=95)})
    story.happens("2026-03-01 09:00", PLACED, due="2026-03-02 09:00")
    found = story.until("2026-03-01 10:00").last("delivery")
    assert (found.status, found.detail.at_risk_at) == ("at_risk", at("2026-03-01 09:00"))
    assert found.detail.forecast.probability == 0.8


def test_where_nobody_is_known_to_take_so_long_a_promise_is_at_risk_once_it_outlasts_all_others() -> None:
    story = Story(shop(at_risk=FORECAST))
    story.learns("2026-03-01 00:00", PROMISE, {None: passed(d1=99, d2=100)})
    story.happens("2026-03-01 09:00", PLACED, due="2026-03-06 09:00")
    assert story.until("2026-03-03 08:59").last("delivery").status == "made"
    assert story.until("2026-03-03 09:00").last("delivery").status == "at_risk"


def test_while_nothing_is_known_a_share_of_the_way_decides() -> None:
    story = Story(shop(at_risk={**FORECAST, "otherwise": 0.5}))
    story.happens("2026-03-01 09:00", PLACED, due="2026-03-05 09:00")
    found = story.until("2026-03-01 10:00").last("delivery")
    assert (found.detail.at_risk_at, found.detail.forecast) == (at("2026-03-03 09:00"), None)
    story.learns("2026-03-01 00:00", PROMISE, {None: passed(d1=70, d9=95)})
    found = story.batch().last("delivery")
    assert (found.revision, found.detail.at_risk_at) == (1, at("2026-03-02 09:00"))


def test_another_date_is_another_risk() -> None:
    story = Story(shop(at_risk=FORECAST))
    story.learns("2026-03-01 00:00", PROMISE, {None: passed(d1=20, d2=60, d4=80, d9=95)})
    story.happens("2026-03-01 09:00", PLACED, due="2026-03-06 09:00")
    story.until("2026-03-01 10:00")
    story.happens("2026-03-01 11:00", MOVED, due="2026-03-12 09:00")
    found = story.until("2026-03-01 12:00").last("delivery")
    # 5 of 100 take longer than eleven days; they are half of those that are left when nobody else is
    assert found.detail.at_risk_at == at("2026-03-10 09:00")


def test_the_learner_hears_how_long_a_promise_took_and_nothing_of_one_that_was_called_off() -> None:
    story = Story(shop(at_risk=FORECAST))
    for order in "123":
        story.happens("2026-03-01 09:00", PLACED, order=order, due="2026-03-05 09:00")
    story.happens("2026-03-04 09:00", DELIVERED, order="1")
    story.until("2026-03-04 10:00")
    story.happens("2026-03-05 08:00", CALLED_OFF, order="2")
    story.until("2026-03-07 09:00")
    made = us("2026-03-01 09:00")
    told = [each for each in story.stayed if isinstance(each, Stayed)]
    assert [(each.before, each.now) for each in told if each.rule == PROMISE] == [
        ([], (None, made, us("2026-03-04 09:00"))),
        ([], (None, made, GOING_ON)),
        ([], (None, made, GOING_ON)),
        ([(None, made, GOING_ON)], None),
    ]


def test_a_promise_that_was_met_before_it_was_made_took_no_time() -> None:
    story = Story(shop(at_risk=FORECAST))
    story.happens("2026-03-01 08:00", DELIVERED)
    story.happens("2026-03-01 09:00", PLACED, due="2026-03-05 09:00")
    story.batch()
    [told] = [each for each in story.stayed if isinstance(each, Stayed) and each.rule == PROMISE]
    assert told.now == (None, us("2026-03-01 09:00"), us("2026-03-01 09:00"))


def test_a_promise_that_was_called_off_before_anybody_was_told_of_it_is_forecast_all_the_same() -> None:
    """What is published must not hang on whether both came in one batch."""
    together, apart = Story(shop(at_risk=FORECAST)), Story(shop(at_risk=FORECAST))
    for story in (together, apart):
        story.happens("2026-03-01 09:00", PLACED, due="2026-03-06 09:00")
        if story is apart:
            story.batch()
        story.happens("2026-03-01 11:00", CALLED_OFF)
        story.batch()
        story.learns("2026-03-01 00:00", PROMISE, {None: passed(d1=20, d2=60, d4=80, d9=95)})
    found, other = (story.batch().last("delivery") for story in (together, apart))
    assert (found.status, found.detail.at_risk_at) == ("cancelled", at("2026-03-03 09:00"))
    assert found.detail == other.detail


# -- damage


def damage(story: Story, person: str) -> None:
    """Of what the learner was told of a stay of this person one byte is another now, which begins nothing in msgpack."""
    head = head_key(person)
    told = msgspec.msgpack.encode([(None, us("2026-03-01 09:00"), GOING_ON)])
    assert story.store[head].count(told) == 1
    story.store[head] = story.store[head].replace(told, b"\xc1" + told[1:])


def test_an_error_names_the_person_of_whose_stay_nobody_can_read_what_the_learner_was_told() -> None:
    journey_map = shop()
    story = Story(journey_map)
    story.happens("2026-03-01 09:00", SHIPPED)
    story.batch()
    damage(story, story.person())
    story.open(journey_map)
    story.happens("2026-03-02 09:00", DELIVERED)
    with pytest.raises(UnreadableStateError) as raised:
        story.batch()
    assert raised.value.key == head_key(story.person())


@pytest.mark.parametrize("damaged", ["the one that moves", "the one that it meets"])
def test_an_error_names_the_person_to_whom_a_touchpoint_moves_if_what_was_told_of_it_cannot_be_read(
    damaged: str,
) -> None:
    journey_map = shop()
    story = Story(journey_map)
    order = story.token("order_id", "7")
    story.happens("2026-03-01 09:00", SHIPPED, name="s1", path=((order, 0),))
    story.happens("2026-03-01 09:00", SHIPPED, name="s1", customer="ann")
    story.batch()
    damage(story, person_of(order) if damaged == "the one that moves" else story.person("ann"))
    story.open(journey_map)
    story.releases(order, 1, "x")
    [carried] = [each.parcel for each in story.batch().carried]
    story.receives(Parcel([Origin(((order, 0),), "someone", 1)], carried.entries, 0, []), "ann")
    with pytest.raises(UnreadableStateError) as raised:
        story.batch()
    assert raised.value.key == head_key(story.person("ann"))
