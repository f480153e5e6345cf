"""What outlives a restart, a move, a changed map and the bounds of a trail, of promised figures."""

from __future__ import annotations

from typing import Any

import pytest
from journey_world import Story, at, us
from value_world import (
    ANSWERED,
    CONSUMPTION,
    RETURNED,
    SEEN,
    STARTED,
    TRANSFERRED,
    TRIP,
    WAITED,
    fuel,
    standing,
    told,
)

from pipeline.core.instants import moment
from pipeline.core.messages import Parcel
from pipeline.core.tokens import person_of

AD = ("2026-03-01 09:00", SEEN, {"claimed": 6.0})
ANOTHER = "2026-03-10 00:00"


def minute(number: int) -> str:
    return str(moment(us(ANOTHER) + number * 60_000_000).replace(tzinfo=None))


def short(journey_map: dict[str, Any], *happened: tuple[Any, ...]) -> Story:
    """A journey of which nothing but a base is left, because so much has come after it."""
    story = Story(journey_map, trail_entries=64)
    for when, kind, *data in happened:
        story.happens(when, kind, **(data[0] if data else {}))
    story.batch()
    for number in range(200):
        story.happens(minute(number), TRIP, order="another")
    story.batch()
    assert story.stage.counts["cut_touchpoints"] > len(happened)
    story.open(journey_map)
    return story


def test_a_restart_goes_on_with_figures_revisions_and_deadlines() -> None:
    calls = standing(promised={"value": "10 s"}, measure=WAITED)
    story = told(calls, ("2026-03-01 09:00", STARTED), until="2026-03-01 09:00:05")
    story.open(calls)
    broken = story.until("2026-03-01 09:00:10.000001").last("figure")
    assert (broken.status, broken.revision) == ("broken", 1)
    story.open(calls)
    story.happens("2026-03-01 09:00:30", ANSWERED)
    met = story.batch().last("figure")
    assert (met.detail.observed, met.revision) == (30, 2)


def test_a_restart_publishes_nothing_again() -> None:
    week = fuel(window="7d", closed_by=None)
    story = told(week, AD, ("2026-03-02 09:00", TRIP, {"consumption": 5}), until="2026-03-20 00:00")
    before = len(story.findings)
    story.open(week)
    story.until("2026-04-20 00:00").quiet()
    assert len(story.findings) == before


@pytest.mark.parametrize(
    ("take", "observed"), [("last", 7), ("highest", 9), ("lowest", 5), ("mean", 7), ("sum", 21)]
)
def test_a_cut_trail_keeps_what_was_measured(take: str, observed: float) -> None:
    measure = {**CONSUMPTION, "take": take}
    before = [(f"2026-03-0{day} 09:00", TRIP, {"consumption": figure}) for day, figure in ((2, 9), (3, 5))]
    story = short(fuel(measure=measure), AD, *before)
    story.happens("2026-03-11 00:00", TRIP, consumption=7)
    story.happens("2026-03-11 01:00", RETURNED)
    found = story.batch().last("figure")
    assert (found.detail.observed, found.detail.observations) == (observed, 3)
    assert (found.detail.made_at, found.status) == (
        at("2026-03-01 09:00"),
        "kept" if take == "lowest" else "broken",
    )


def test_a_cut_trail_keeps_a_duration_that_runs() -> None:
    story = short(standing(promised={"value": "30d"}, measure=WAITED), ("2026-03-01 09:00", STARTED))
    assert story.until("2026-03-31 09:00:00.000001").last("figure").status == "broken"
    story.happens("2026-04-10 09:00", ANSWERED)
    assert story.batch().last("figure").detail.observed == 40 * 86400


def test_a_cut_trail_keeps_a_habit_though_nothing_is_promised_any_more() -> None:
    usual = standing(
        promised={"habit": {"last": 3, "least": 3}}, measure={"field": "data.paid", "of": RETURNED}
    )
    paid = [
        (f"2026-03-0{day} 09:00", RETURNED, {"paid": figure})
        for day, figure in ((1, 12), (2, 10), (3, 20), (4, 30))
    ]
    story = short(usual, *paid)
    story.happens("2026-03-11 00:00", RETURNED, paid=25)
    last = story.batch().all("figure")[-1]
    assert (last.detail.promised_to, last.status) == (20, "broken")


def test_a_window_that_touchpoints_have_passed_and_time_has_not_is_judged_after_a_cut() -> None:
    """Something may still come of it, so that it is not over before time says so."""
    week = fuel(window="7d", closed_by=None)
    story = Story(week, trail_entries=64)
    story.happens("2026-03-01 09:00", SEEN, claimed=6.0)
    story.happens("2026-03-02 09:00", TRIP, consumption=9)
    story.happens("2026-03-09 09:00", TRIP, consumption=5)
    for number in range(200):
        story.happens(minute(number), TRIP, order="another")
    assert story.until("2026-03-05 00:00").last("figure").status == "made"
    story.open(week)
    broken = story.until("2026-03-10 00:00").last("figure")
    assert (broken.status, broken.detail.observed) == ("broken", 9)


def test_a_journey_keeps_a_bounded_number_of_promises_that_are_never_complete() -> None:
    calls = standing(promised={"value": "1d"}, measure=WAITED)
    story = Story(calls, trail_entries=64)
    for number in range(400):
        story.happens(minute(number), STARTED)
    story.batch()
    assert story.stage.counts["lost_promises"] > 0
    story.open(calls)
    story.until("2026-04-01 00:00")
    assert 64 <= sum(found.status == "broken" for found in story.all("figure")) <= 64 + 64 + 16


def test_what_is_settled_takes_no_room_in_a_cut_journey() -> None:
    calls = standing(promised={"value": "30d"}, measure=WAITED, per="data.call")
    story = Story(calls, trail_entries=64)
    story.happens(minute(0), STARTED, call="first")
    for number in range(1, 300):
        story.happens(minute(2 * number), STARTED, call=number)
        story.happens(minute(2 * number + 1), ANSWERED, call=number)
    story.batch()
    assert story.stage.counts["lost_promises"] == 0
    assert story.until("2026-05-01 00:00").all("figure")[0].status == "broken"


def test_what_is_measured_in_another_way_is_not_judged_by_the_figures_of_before() -> None:
    cut = short(fuel(), AD, ("2026-03-02 09:00", TRIP, {"consumption": 9}))
    cut.open(fuel(measure={**CONSUMPTION, "take": "mean"}))
    cut.batch().quiet()
    assert cut.last("figure").status == "withdrawn"
    whole = told(fuel(), AD, ("2026-03-02 09:00", TRIP, {"consumption": 9}))
    whole.open(fuel(measure={**CONSUMPTION, "take": "mean"}))
    whole.batch().quiet()
    assert (whole.last("figure").status, whole.last("figure").detail.measured) == ("made", "mean")


def test_a_changed_tolerance_judges_what_was_measured_before_a_cut() -> None:
    story = short(fuel(), AD, ("2026-03-02 09:00", TRIP, {"consumption": 9}))
    story.open(fuel(tolerance="50%"))
    story.happens("2026-03-11 01:00", RETURNED)
    assert story.batch().quiet().last("figure").status == "kept"


def test_a_promise_moves_with_its_touchpoints_and_its_revisions_go_on() -> None:
    story = Story(fuel())
    order, ann = story.token("order_id", "7"), story.token("customer_id", "ann")
    story.happens(AD[0], SEEN, path=((order, 0),), claimed=6.0)
    story.happens("2026-03-02 09:00", TRIP, path=((order, 0),), consumption=7.8)
    before = story.batch().quiet().last("figure")
    story.releases(order, 1, ann)
    story.batch()
    [carry] = story.carried
    [origin] = carry.parcel.origins
    onward = type(origin)([(ann, 0)], origin.born, origin.moves)
    story.receives(Parcel([onward], carry.parcel.entries, carry.parcel.clock, carry.parcel.forgotten), "ann")
    story.happens("2026-03-09 09:00", RETURNED)
    after = story.batch().last("figure")
    assert (before.person_id, before.revision) == (person_of(order), 0)
    assert (after.person_id, after.finding_id, after.status) == (story.person(), before.finding_id, "broken")
    assert after.revision >= 1


def test_two_makings_of_one_touchpoint_are_lost_one_by_one() -> None:
    """A rule that keeps its promises loses none because another rule has too many."""
    calls = standing(promised={"value": "1d"}, measure=WAITED)
    promises = calls["journeys"]["car"]["promises"]
    promises["rare"] = {
        **promises["figure"],
        "measure": {"from": {"type": STARTED, "where": {"data.first": True}}, "to": ANSWERED},
    }
    story = Story(calls, trail_entries=64)
    story.happens(minute(0), STARTED, first=True)
    for number in range(1, 400):
        story.happens(minute(number), STARTED)
    story.happens(minute(400), TRANSFERRED)
    story.batch()
    assert story.stage.counts["lost_promises"] > 0
    assert story.until("2026-04-01 00:00").last("rare").status == "broken"
