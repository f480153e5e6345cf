"""The promise ledger: dates that are told anew, several promises in one journey, promises that are met in parts."""

from __future__ import annotations

from typing import Any

import pytest
from clock_world import CALLED_OFF, DELIVERED, ORDERED, RESCHEDULED, SENT, delivery
from journey_world import Story, at


def ordered(due: str = "2026-03-10 12:00", **more: Any) -> Story:
    """An order of 1 March, and the date that was told with it."""
    story = Story(delivery(**more))
    story.happens("2026-03-01 09:00", ORDERED, due=due)
    return story


def test_a_new_date_supersedes_the_old_one_and_is_counted() -> None:
    story = ordered()
    story.happens("2026-03-05 09:00", RESCHEDULED, due="2026-03-14 12:00")
    story.happens("2026-03-06 09:00", RESCHEDULED, due="2026-03-12 12:00")
    found = story.until("2026-03-07 00:00").last("delivery")
    told = found.detail.revisions
    assert (found.status, found.detail.due_at, told.count) == ("revised", at("2026-03-12 12:00"), 2)
    assert [told.first_due_at, told.latest_due_at, told.best_due_at] == [
        at("2026-03-10 12:00"),
        at("2026-03-12 12:00"),
        at("2026-03-10 12:00"),
    ]
    assert story.until("2026-03-12 12:01").last("delivery").status == "broken"


@pytest.mark.parametrize(
    ("judge", "status", "gap"),
    [("first", "broken", 24.0), ("latest", "kept", -72.0), ("best", "broken", 48.0)],
)
def test_the_map_says_whose_word_decides(judge: str, status: str, gap: float) -> None:
    story = ordered(judged_by=judge)
    story.happens("2026-03-05 09:00", RESCHEDULED, due="2026-03-09 12:00")
    story.happens("2026-03-06 09:00", RESCHEDULED, due="2026-03-14 12:00")
    story.happens("2026-03-11 12:00", DELIVERED)
    found = story.until("2026-03-20 00:00").last("delivery")
    assert (found.status, found.detail.gap_hours) == (status, gap)
    assert found.detail.revisions.judged_by == judge


def test_time_that_passes_a_date_that_was_told_and_does_not_decide_is_told_too() -> None:
    """Whoever judges by the first promise learns that it is broken when it is."""
    story = ordered()
    story.happens("2026-03-05 09:00", RESCHEDULED, due="2026-03-14 12:00")
    story.until("2026-03-10 12:00")
    before = len(story.findings)
    found = story.until("2026-03-10 12:01").quiet().last("delivery")
    assert len(story.findings) == before + 1
    assert (found.status, found.detected_at) == ("revised", at("2026-03-10 12:01"))


def test_a_date_that_is_told_after_the_old_one_has_passed_mends_nothing_and_is_counted() -> None:
    story = ordered()
    story.happens("2026-03-10 12:01", RESCHEDULED, due="2026-03-20 12:00")
    story.happens("2026-03-15 12:00", DELIVERED)
    found = story.until("2026-03-30 00:00").last("delivery")
    assert (found.status, found.detail.gap_hours) == ("broken", 120.0)
    assert (found.detail.revisions.count, found.detail.revisions.latest_due_at) == (1, at("2026-03-10 12:00"))


def test_a_date_that_is_told_at_the_very_due_time_is_in_time() -> None:
    story = ordered()
    story.happens("2026-03-10 12:00", RESCHEDULED, due="2026-03-20 12:00")
    assert story.until("2026-03-15 00:00").last("delivery").status == "revised"


def test_what_was_told_before_the_promise_was_made_revises_nothing() -> None:
    story = ordered()
    story.happens("2026-02-20 09:00", RESCHEDULED, due="2026-03-20 12:00")
    found = story.until("2026-03-02 00:00").last("delivery")
    assert (found.detail.due_at, found.detail.revisions) == (at("2026-03-10 12:00"), None)


def test_a_touchpoint_that_names_no_date_revises_nothing() -> None:
    story = ordered()
    story.happens("2026-03-05 09:00", RESCHEDULED)
    assert story.until("2026-03-07 00:00").last("delivery").detail.revisions is None


def test_a_date_told_late_revises_what_was_concluded() -> None:
    story = ordered()
    assert story.until("2026-03-11 00:00").last("delivery").status == "broken"
    story.happens("2026-03-08 09:00", RESCHEDULED, due="2026-03-14 12:00")
    assert story.batch().last("delivery").status == "revised"


def test_at_risk_is_a_share_of_the_way_to_the_new_date() -> None:
    story = ordered(due="2026-03-09 09:00")
    story.happens("2026-03-02 09:00", RESCHEDULED, due="2026-03-17 09:00")
    found = story.until("2026-03-13 08:59").last("delivery")
    assert (found.status, found.detail.at_risk_at) == ("revised", at("2026-03-13 09:00"))
    assert story.until("2026-03-13 09:00").last("delivery").status == "at_risk"


def parcels(**more: Any) -> Story:
    """An order in two parcels, each with a date of its own."""
    story = Story(delivery(made_by=SENT, per="data.parcel", **more))
    story.happens("2026-03-01 09:00", SENT, due="2026-03-05 12:00", parcel="A")
    story.happens("2026-03-01 10:00", SENT, due="2026-03-06 12:00", parcel=7)
    return story


def statuses(story: Story) -> dict[str | None, str]:
    return {found.detail.per: found.status for found in story.all("delivery")}


def test_of_several_promises_each_is_met_by_its_own_fulfilment() -> None:
    story = parcels()
    story.happens("2026-03-04 09:00", DELIVERED, parcel="A")
    assert statuses(story.until("2026-03-07 00:00")) == {"A": "kept", "7": "broken"}
    story.happens("2026-03-07 09:00", DELIVERED, parcel=7.0)
    assert story.until("2026-03-08 00:00").all("delivery")[1].detail.met_at == at("2026-03-07 09:00")


def test_each_is_revised_and_cancelled_by_its_own() -> None:
    story = parcels()
    story.happens("2026-03-02 09:00", RESCHEDULED, due="2026-03-20 12:00", parcel="A")
    story.happens("2026-03-02 10:00", CALLED_OFF, parcel=7)
    assert statuses(story.until("2026-03-07 00:00")) == {"A": "revised", "7": "cancelled"}


def test_who_names_none_concerns_all_of_them_and_those_to_come() -> None:
    story = parcels()
    story.happens("2026-03-02 09:00", CALLED_OFF)
    story.happens("2026-03-03 09:00", SENT, due="2026-03-06 12:00", parcel="B")
    assert statuses(story.until("2026-03-07 00:00")) == {"A": "cancelled", "7": "cancelled", "B": "cancelled"}


def test_a_fulfilment_before_its_promise_was_made_counts_for_that_one_alone() -> None:
    story = Story(delivery(made_by=SENT, per="data.parcel"))
    story.happens("2026-02-28 09:00", DELIVERED, parcel="A")
    story.happens("2026-03-01 09:00", SENT, due="2026-03-05 12:00", parcel="A")
    story.happens("2026-03-01 10:00", SENT, due="2026-03-05 12:00", parcel="B")
    assert statuses(story.until("2026-03-07 00:00")) == {"A": "kept", "B": "broken"}


@pytest.mark.parametrize(
    ("delivered", "status", "met"),
    [
        ([("04 09:00", {}), ("09 09:00", {})], "broken", 2),
        ([("04 09:00", {}), ("09 09:00", {}), ("10 12:00", {})], "kept", 3),
        ([("04 09:00", {}), ("09 09:00", {}), ("10 12:01", {})], "broken", 3),
    ],
)
def test_a_promise_in_parts_is_met_by_the_last_of_them(
    delivered: list[tuple[str, dict[str, Any]]], status: str, met: int
) -> None:
    story = Story(delivery(parts="data.parcels"))
    story.happens("2026-03-01 09:00", ORDERED, due="2026-03-10 12:00", parcels=3)
    for when, data in delivered:
        story.happens(f"2026-03-{when}", DELIVERED, **data)
    found = story.until("2026-03-20 00:00").last("delivery")
    assert (found.status, found.detail.parts.needed, found.detail.parts.brought) == (status, 3, met)


def test_a_fulfilment_may_bring_several_parts() -> None:
    story = Story(delivery(parts="data.pieces", part="data.pieces"))
    story.happens("2026-03-01 09:00", ORDERED, due="2026-03-10 12:00", pieces=10)
    story.happens("2026-03-02 09:00", DELIVERED, pieces=4)
    found = story.until("2026-03-03 00:00").last("delivery")
    assert (found.status, found.detail.parts.brought) == ("made", 4)
    story.happens("2026-03-04 09:00", DELIVERED, pieces=6.0)
    assert story.until("2026-03-05 00:00").last("delivery").status == "kept"


def test_a_promise_that_does_not_say_in_how_many_parts_is_met_by_one() -> None:
    story = Story(delivery(parts="data.parcels"))
    story.happens("2026-03-01 09:00", ORDERED, due="2026-03-10 12:00", parcels="several")
    story.happens("2026-03-02 09:00", DELIVERED)
    assert story.until("2026-03-03 00:00").last("delivery").status == "kept"


def test_who_made_it_is_told_by_its_attributes() -> None:
    attributes = {"campaign": "data.campaign", "product": "data.product", "region": "data.region"}
    story = Story(delivery(attributes=attributes))
    story.happens("2026-03-01 09:00", ORDERED, due="2026-03-10 12:00", campaign="spring", product=7)
    found = story.until("2026-03-02 00:00").last("delivery")
    assert found.detail.attributes == {"campaign": "spring", "product": "7"}
