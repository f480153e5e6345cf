"""Stages, visits and stalls, rule by rule."""

from __future__ import annotations

import copy
from typing import Any

from journey_world import ANSWERED, DELIVERED, PLACED, QUEUED, REVIEWED, SHIPPED, SHOP, Story, at


def test_a_stall_begins_when_the_dwell_exceeds_the_limit_and_not_before() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", SHIPPED, name="s1")
    assert story.until("2026-03-15 09:00").all("in_transit") == []
    stall = story.until("2026-03-15 09:00:00.000001").last("in_transit")
    assert (stall.type, stall.status, stall.owner) == ("stall", "opened", "logistics")
    assert (stall.detail.entered_at, stall.detail.since) == (at("2026-03-01 09:00"), at("2026-03-15 09:00"))
    assert (stall.opened_at, stall.detail.limit_seconds) == (at("2026-03-15 09:00"), 14 * 86400)
    assert stall.evidence == ["shop#s1"]


def test_a_stay_of_exactly_the_limit_is_no_stall() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", SHIPPED)
    story.happens("2026-03-15 09:00", DELIVERED)
    assert story.until("2026-04-01 00:00").all("in_transit") == []


def test_leaving_resolves_a_stall() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", SHIPPED)
    story.until("2026-03-16 00:00")
    story.happens("2026-03-17 09:00", DELIVERED, name="d1")
    resolved = story.until("2026-03-18 00:00").last("in_transit")
    assert (resolved.status, resolved.revision) == ("resolved", 1)
    assert resolved.detail.left_at == at("2026-03-17 09:00")
    assert resolved.evidence == ["shop#fulfilment.parcel.shipped-1", "shop#d1"]


def test_a_late_exit_that_shows_it_never_outlasted_withdraws_the_stall() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", SHIPPED)
    story.until("2026-03-16 00:00")
    story.happens("2026-03-14 09:00", DELIVERED)
    withdrawn = story.batch().last("in_transit")
    assert (withdrawn.status, withdrawn.revision) == ("withdrawn", 1)
    assert story.until("2026-05-01 00:00").told("in_transit") == ["opened", "withdrawn"]


def test_a_withdrawn_stall_that_comes_to_hold_again_gets_the_next_revision() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", SHIPPED)
    story.until("2026-03-16 00:00")
    story.happens("2026-03-14 09:00", DELIVERED, name="d", version="b")
    story.batch()
    story.happens("2026-03-17 09:00", DELIVERED, name="d", version="a")
    again = story.batch().last("in_transit")
    assert (again.status, again.revision) == ("resolved", 2)


def test_a_stage_for_one_visit_lasts_from_the_first_entry_to_the_first_exit() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", SHIPPED)
    story.happens("2026-03-10 09:00", SHIPPED)
    story.happens("2026-03-20 09:00", DELIVERED)
    story.happens("2026-03-25 09:00", DELIVERED)
    story.happens("2026-03-26 09:00", SHIPPED)
    stall = story.until("2026-06-01 00:00").last("in_transit")
    assert (stall.detail.entered_at, stall.detail.left_at) == (at("2026-03-01 09:00"), at("2026-03-20 09:00"))


def test_an_exit_before_the_entry_voids_a_stage_for_one_visit() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", DELIVERED)
    story.happens("2026-03-02 09:00", SHIPPED)
    assert story.until("2026-06-01 00:00").all("in_transit") == []


def test_visits_of_a_stage_for_many_pair_in_order_and_stall_one_by_one() -> None:
    story = Story()
    for entry, leaving in (("09:00", "12:00"), ("13:00", "14:00"), ("15:00", "18:00")):
        story.happens(f"2026-03-01 {entry}", QUEUED)
        story.happens(f"2026-03-01 {leaving}", ANSWERED)
    stalls = story.until("2026-03-02 00:00").all("on_hold")
    assert [stall.detail.entered_at for stall in stalls] == [at("2026-03-01 09:00"), at("2026-03-01 15:00")]
    assert {stall.status for stall in stalls} == {"resolved"}


def test_an_entry_while_inside_and_an_unpaired_exit_are_ignored() -> None:
    story = Story()
    story.happens("2026-03-01 08:00", ANSWERED)
    story.happens("2026-03-01 09:00", QUEUED)
    story.happens("2026-03-01 10:30", QUEUED)
    story.happens("2026-03-01 12:00", ANSWERED)
    story.happens("2026-03-01 13:00", ANSWERED)
    stall = story.until("2026-03-02 00:00").last("on_hold")
    assert (stall.detail.entered_at, stall.detail.left_at) == (at("2026-03-01 09:00"), at("2026-03-01 12:00"))


def test_neither_another_stage_nor_the_journeys_end_leaves_a_stage() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", SHIPPED)
    story.happens("2026-03-02 09:00", QUEUED)
    story.happens("2026-03-03 09:00", REVIEWED)
    assert story.until("2026-03-16 00:00").last("in_transit").status == "opened"


def test_stages_show_in_the_touchpoints_context_and_in_the_journeys_state() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED)
    story.happens("2026-03-02 09:00", SHIPPED)
    story.happens("2026-03-02 10:00", QUEUED)
    story.happens("2026-03-03 09:00", DELIVERED)
    story.batch().quiet()
    contexts = [touchpoint.journeys[0] for touchpoint in story.enriched]
    assert [context.stages for context in contexts] == [
        [],
        ["in_transit"],
        ["in_transit", "on_hold"],
        ["on_hold"],
    ]
    assert [context.entered for context in contexts] == [[], ["in_transit"], ["on_hold"], []]
    assert [context.left for context in contexts] == [[], [], [], ["in_transit"]]
    [visit] = story.journeys()["7"].stages
    assert (visit.stage, visit.entered_at) == ("on_hold", at("2026-03-02 10:00"))


def shop(**in_transit: Any) -> dict[str, Any]:
    """The shop, with another stage `in_transit`."""
    changed = copy.deepcopy(SHOP)
    changed["journeys"]["order"]["stages"]["in_transit"].update(in_transit)
    return changed


def test_a_field_of_the_entering_touchpoint_may_choose_the_expected_time() -> None:
    expected = {"field": "data.service", "values": {"express": "1d", "slow": "20d"}, "otherwise": "5d"}
    story = Story(shop(expected=expected))
    for order, service in (("1", "express"), ("2", "slow"), ("3", "other"), ("4", None)):
        story.happens("2026-03-01 09:00", SHIPPED, order=order, service=service)
    found = {stall.journey_key: stall.detail for stall in story.until("2026-03-31 09:00").all("in_transit")}
    days = {key: detail.limit_seconds / 86400 for key, detail in found.items()}
    assert days == {"1": 1, "2": 20, "3": 5, "4": 5}
    assert found["1"].since == at("2026-03-02 09:00")


def test_without_otherwise_only_the_named_values_have_an_expected_time() -> None:
    story = Story(shop(expected={"field": "data.service", "values": {"express": "1d"}}))
    for order, service in (("1", "express"), ("2", "slow")):
        story.happens("2026-03-01 09:00", SHIPPED, order=order, service=service)
    assert [stall.journey_key for stall in story.until("2026-03-31 09:00").all("in_transit")] == ["1"]


def test_one_field_may_choose_the_expected_time_and_another_its_calendar() -> None:
    hours = {"days": {"mon-sun": ["09:00-11:00"]}, "nights": {"mon-sun": ["22:00-24:00"]}}
    journey_map = shop(
        calendar={"field": "data.team", "values": {"night": "nights"}, "otherwise": "days"},
        expected={"field": "data.service", "values": {"express": "1h"}, "otherwise": "2h"},
    )
    journey_map["calendars"] = {name: {"zone": "UTC", "hours": each} for name, each in hours.items()}
    story = Story(journey_map)
    for order, service, team in (("1", "express", "day"), ("2", "express", "night"), ("3", "slow", "night")):
        story.happens("2026-03-01 09:00", SHIPPED, order=order, service=service, team=team)
    found = {
        stall.journey_key: stall.detail.since for stall in story.until("2026-03-31 09:00").all("in_transit")
    }
    assert found == {"1": at("2026-03-01 10:00"), "2": at("2026-03-01 23:00"), "3": at("2026-03-02 00:00")}
