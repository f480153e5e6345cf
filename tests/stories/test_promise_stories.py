"""What becomes of a deadline promise, rule by rule."""

from __future__ import annotations

import copy

import pytest
from journey_world import APPROVED, CALLED_OFF, DELIVERED, PLACED, SHOP, Story, at, plan_of, us

from pipeline.core.cutting import digest_of
from pipeline.core.journey import finding_id
from pipeline.core.messages import Entry
from pipeline.core.promises import Making, deadline
from schemas.finding import PromiseStatus


def test_a_promise_is_published_when_it_is_made_and_names_who_owes_it() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED, name="p1", due="2026-03-05 09:00")
    made = story.until("2026-03-01 08:50").last("delivery")
    assert (made.status, made.revision, made.owner, made.severity) == ("made", 0, "logistics", "warning")
    assert (made.detail.made_at, made.detail.made_by) == (at("2026-03-01 09:00"), PLACED)
    assert made.detail.due_at == at("2026-03-05 09:00")
    assert made.detail.at_risk_at == at("2026-03-04 09:00")
    assert (made.detail.owed_by, made.evidence) == ("logistics", ["shop#p1"])
    assert (made.journey_type, made.journey_key, made.person_id) == ("order", "7", story.person())
    assert (made.opened_at, made.detected_at) == (at("2026-03-01 09:00"), at("2026-03-01 08:50"))


def test_a_promise_met_at_its_due_time_is_kept() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED, due="2026-03-05 09:00")
    story.happens("2026-03-05 09:00", DELIVERED, name="d1")
    kept = story.until("2026-03-05 09:00").last("delivery")
    assert (kept.status, kept.detail.met_at, kept.detail.gap_hours) == ("kept", at("2026-03-05 09:00"), 0)
    assert kept.evidence == ["shop#sales.order.placed-1", "shop#d1"]


def test_a_promise_met_one_microsecond_late_is_broken() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED, due="2026-03-05 09:00")
    story.happens("2026-03-05 09:00:00.000001", DELIVERED)
    broken = story.batch().last("delivery")
    assert broken.status == "broken"
    assert broken.detail.met_at == at("2026-03-05 09:00:00.000001")


def test_a_promise_breaks_at_its_due_time_without_waiting_for_anyone() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED, due="2026-03-05 09:00")
    assert story.until("2026-03-05 09:00").last("delivery").status == "at_risk"
    broken = story.until("2026-03-05 09:00:00.000001").last("delivery")
    assert (broken.status, broken.detail.met_at, broken.detail.gap_hours) == ("broken", None, None)


def test_what_comes_after_the_breach_sets_its_magnitude() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED, due="2026-03-05 09:00")
    story.until("2026-03-06 00:00")
    story.happens("2026-03-06 21:00", DELIVERED)
    met = story.until("2026-03-07 00:00").last("delivery")
    assert (met.status, met.detail.gap_hours) == ("broken", 36)
    assert story.told("delivery") == ["broken", "broken"]


def test_an_early_fulfilment_has_a_negative_gap() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED, due="2026-03-05 09:00")
    story.happens("2026-03-04 09:00", DELIVERED)
    assert story.batch().last("delivery").detail.gap_hours == -24


def test_a_promise_is_at_risk_from_three_quarters_of_its_way() -> None:
    story = Story()
    story.happens("2026-03-01 00:00", PLACED, due="2026-03-05 00:00")
    story.until("2026-03-03 23:59:59.999999")
    story.until("2026-03-04 00:00")
    assert story.told("delivery") == ["made", "at_risk"]


def test_the_map_may_say_when_a_promise_is_at_risk() -> None:
    shop = copy.deepcopy(SHOP)
    shop["journeys"]["order"]["promises"]["delivery"]["at_risk"] = 0.5
    story = Story(shop)
    story.happens("2026-03-01 00:00", PLACED, due="2026-03-05 00:00")
    assert story.until("2026-03-03 00:00").last("delivery").status == "at_risk"


def test_a_fulfilment_before_the_making_counts() -> None:
    story = Story()
    story.happens("2026-03-01 08:00", DELIVERED)
    story.happens("2026-03-01 09:00", PLACED, due="2026-03-05 09:00")
    assert story.until("2026-03-10 00:00").told("delivery") == ["kept"]


def test_the_first_fulfilment_counts_and_not_a_later_one() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED, due="2026-03-05 09:00")
    story.happens("2026-03-04 09:00", DELIVERED, name="first")
    story.happens("2026-03-08 09:00", DELIVERED, name="second")
    kept = story.until("2026-03-10 00:00").last("delivery")
    assert (kept.status, kept.evidence[1]) == ("kept", "shop#first")


def test_each_making_touchpoint_makes_a_promise_of_its_own() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED, due="2026-03-05 09:00")
    story.happens("2026-03-02 09:00", PLACED, due="2026-03-03 09:00")
    story.happens("2026-03-04 09:00", DELIVERED)
    assert [found.status for found in story.until("2026-03-10 00:00").all("delivery")] == ["kept", "broken"]


def test_a_making_without_a_due_time_promises_nothing() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED)
    story.until("2026-04-01 00:00")
    assert story.all("delivery") == []
    assert story.last("approval").status == "broken"


def test_a_due_time_may_follow_from_the_making() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED)
    story.happens("2026-03-02 09:00", APPROVED)
    kept = story.batch().last("approval")
    assert (kept.status, kept.detail.due_at, kept.severity) == ("kept", at("2026-03-02 09:00"), "critical")


def test_a_promise_due_before_it_was_made_is_broken_at_once() -> None:
    story = Story()
    story.happens("2026-03-05 09:00", PLACED, due="2026-03-01 09:00")
    broken = story.until("2026-03-05 09:00").last("delivery")
    assert (broken.status, broken.detail.at_risk_at) == ("broken", at("2026-03-05 09:00"))


def test_a_cancellation_at_the_due_time_cancels() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED, due="2026-03-05 09:00")
    story.happens("2026-03-05 09:00", CALLED_OFF, name="c1")
    cancelled = story.until("2026-03-20 00:00").last("delivery")
    assert (cancelled.status, cancelled.detail.cancelled_at) == ("cancelled", at("2026-03-05 09:00"))
    assert (cancelled.detail.met_at, cancelled.detail.gap_hours) == (None, None)
    assert cancelled.evidence[1] == "shop#c1"


def test_a_cancellation_after_the_due_time_changes_nothing() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED, due="2026-03-05 09:00")
    story.happens("2026-03-05 09:00:00.000001", CALLED_OFF)
    assert story.until("2026-03-06 00:00").last("delivery").status == "broken"
    story.happens("2026-03-07 09:00", DELIVERED)
    assert story.until("2026-03-08 00:00").last("delivery").detail.met_at == at("2026-03-07 09:00")


def test_whichever_comes_first_of_fulfilment_and_cancellation_counts() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED, order="cancelled", due="2026-03-05 09:00")
    story.happens("2026-03-02 09:00", CALLED_OFF, order="cancelled")
    story.happens("2026-03-03 09:00", DELIVERED, order="cancelled")
    story.happens("2026-03-01 09:00", PLACED, order="kept", due="2026-03-05 09:00")
    story.happens("2026-03-02 09:00", DELIVERED, order="kept")
    story.happens("2026-03-03 09:00", CALLED_OFF, order="kept")
    story.until("2026-03-10 00:00")
    assert {found.journey_key: found.status for found in story.all("delivery")} == {
        "cancelled": "cancelled",
        "kept": "kept",
    }


def test_at_the_same_instant_the_fulfilment_wins_over_the_cancellation() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED, due="2026-03-05 09:00")
    story.happens("2026-03-02 09:00", CALLED_OFF, name="a")
    assert story.until("2026-03-02 10:00").last("delivery").status == "cancelled"
    story.happens("2026-03-02 09:00", DELIVERED, name="b")
    assert story.batch().last("delivery").status == "kept"


def test_a_promise_made_and_kept_within_one_batch_is_published_once() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED, due="2026-03-05 09:00")
    story.happens("2026-03-02 09:00", DELIVERED)
    assert story.batch().told("delivery") == ["kept"]


def test_a_touchpoint_that_changes_no_conclusion_publishes_none() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED, due="2026-03-05 09:00")
    story.happens("2026-03-02 09:00", DELIVERED)
    story.until("2026-03-03 00:00")
    before = len(story.findings)
    story.happens("2026-03-08 09:00", DELIVERED)
    story.until("2026-03-09 00:00")
    assert len(story.findings) == before


def test_conditions_tell_which_touchpoint_meets_a_promise() -> None:
    shop = copy.deepcopy(SHOP)
    met_by = [{"type": DELIVERED, "where": {"data.to": ["door", "neighbour"], "data.signed": True}}]
    shop["journeys"]["order"]["promises"]["delivery"]["met_by"] = met_by
    story = Story(shop)
    story.happens("2026-03-01 09:00", PLACED, due="2026-03-05 09:00")
    story.happens("2026-03-02 09:00", DELIVERED, to="shop", signed=True)
    story.happens("2026-03-02 10:00", DELIVERED, to="door", signed=1)
    story.happens("2026-03-02 11:00", DELIVERED, to="door")
    assert story.batch().last("delivery").status == "made"
    story.happens("2026-03-02 12:00", DELIVERED, to="neighbour", signed=True)
    assert story.batch().last("delivery").detail.met_at == at("2026-03-02 12:00")


def test_the_journeys_end_settles_no_promise() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED, due="2026-03-05 09:00")
    story.happens("2026-03-02 09:00", "survey.review.answered")
    assert story.until("2026-03-06 00:00").last("delivery").status == "broken"


def test_a_promise_that_was_due_before_it_was_made_breaks_when_time_passes_its_due_time() -> None:
    for late in (False, True):
        story = Story()
        if late:
            story.until("2026-02-25 00:00")
        story.happens("2026-03-01 09:00", PLACED, due="2026-02-20 09:00")
        story.until("2026-02-15 00:00").until("2026-02-25 00:00").quiet()
        assert story.last("delivery").status == "broken"


def test_a_promise_that_was_due_before_1970_is_broken_from_the_beginning() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED, due="1960-01-01 00:00")
    assert story.batch().last("delivery").status == "broken"


@pytest.mark.parametrize("status", ["made", "at_risk"])
def test_no_deadline_lies_before_time_begins(status: PromiseStatus) -> None:
    entry = Entry(us("2026-03-01 09:00"), "", "shop", "p", PLACED, b"", {}, 0, ())
    making = Making(plan_of(SHOP).journeys[0].promises[0], entry, us("1960-01-01 00:00"), entry.time)
    making.status = status
    assert deadline(making, 0) == 0


def test_findings_of_two_touchpoints_are_two_whatever_is_in_their_names() -> None:
    ids = {
        finding_id(rule, "j", Entry(0, "", source, name, PLACED, b"", {}, 0, ()))
        for rule in plan_of(SHOP).journeys[0].promises[:1]
        for source, name in (("a\0b", "c"), ("a", "b\0c"), ("a", "\0bc"), ("a\0", "bc"))
    }
    assert len(ids) == 4
    assert digest_of("a\0b", "c") != digest_of("a", "b\0c")
