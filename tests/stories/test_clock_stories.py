"""Clocks: pauses, resets, warnings, escalation. The tables follow what ServiceNow and Zendesk publish of their SLAs.

Times are UTC; in Berlin, where the office is, it is an hour later.
"""

from __future__ import annotations

from typing import Any

import pytest
from clock_world import (
    ASKED,
    DROPPED,
    MOVED,
    OPENED,
    REPLIED,
    SOLVED,
    answer,
    handling,
)
from journey_world import Story, at

Told = list[tuple[str, str]]


def told(journey_map: dict[str, Any], happened: Told, until: str) -> Any:
    """The last word about the one finding of a map, or None."""
    story = Story(journey_map)
    for when, kind in happened:
        story.happens(f"2026-03-{when}", kind)
    story.until(f"2026-03-{until}")
    found = [*story.all("answer"), *story.all("handling")]
    return found[0] if found else None


@pytest.mark.parametrize(
    ("happened", "due"),
    [
        # without a pause it is due when it was from the beginning
        ([("02 09:00", OPENED)], "02 17:00"),
        # ServiceNow: the breach time moves by what the pause took
        ([("02 09:00", OPENED), ("02 10:00", ASKED), ("02 13:00", REPLIED)], "02 20:00"),
        # several pauses add up; to pause twice is to pause once, to go on twice is to go on once
        (
            [
                ("02 09:00", OPENED),
                ("02 10:00", ASKED),
                ("02 10:30", ASKED),
                ("02 11:00", REPLIED),
                ("02 11:30", REPLIED),
                ("02 12:00", ASKED),
                ("02 14:00", REPLIED),
            ],
            "02 20:00",
        ),
        # while it is paused: when it would be due if it went on at once, which is what it was at the pause
        ([("02 09:00", OPENED), ("02 10:00", ASKED)], "02 17:00"),
        # paused before it starts: it starts standing still
        ([("02 08:00", ASKED), ("02 09:00", OPENED), ("02 11:00", REPLIED)], "02 19:00"),
        # begun anew by the transfer, with all of its time, and with no pause behind it
        (
            [
                ("02 09:00", OPENED),
                ("02 10:00", ASKED),
                ("02 11:00", REPLIED),
                ("02 12:00", MOVED),
            ],
            "02 20:00",
        ),
        # begun anew while it stands still: from there on
        ([("02 09:00", OPENED), ("02 10:00", ASKED), ("02 12:00", MOVED), ("02 13:00", REPLIED)], "02 21:00"),
    ],
)
def test_the_due_time_moves_with_the_pauses(happened: Told, due: str) -> None:
    found = told(answer(), happened, "02 12:30")
    assert found.detail.due_at == at(f"2026-03-{due}")


@pytest.mark.parametrize(
    ("happened", "due"),
    [
        # Zendesk: business hours of pending time do not count; the lunch break counts neither way
        ([("02 08:00", OPENED), ("02 09:00", ASKED), ("02 13:00", REPLIED)], "03 13:00"),
        # a pause over the night that takes no open hour moves nothing
        ([("02 08:00", OPENED), ("02 16:00", ASKED), ("03 08:00", REPLIED)], "03 09:00"),
        # a pause over a holiday, Wednesday: Thursday morning is as if it were Tuesday evening
        ([("03 08:00", OPENED), ("03 16:00", ASKED), ("05 08:00", REPLIED)], "05 09:00"),
        # a reset after closing time starts with the next opening
        ([("02 08:00", OPENED), ("02 20:00", MOVED)], "05 09:00"),
    ],
)
def test_a_pause_costs_open_time_where_there_is_a_calendar(happened: Told, due: str) -> None:
    found = told(answer(due={"within": "8h", "calendar": "office"}), happened, "02 08:30")
    assert found.detail.due_at == at(f"2026-03-{due}")


@pytest.mark.parametrize(
    ("calendar", "happened", "original"),
    [
        (None, [("02 09:00", OPENED), ("02 10:00", ASKED), ("02 13:00", REPLIED)], "02 17:00"),
        # begun anew, it has another original due time
        (None, [("02 09:00", OPENED), ("02 10:00", ASKED), ("02 12:00", MOVED)], "02 20:00"),
        ("office", [("02 08:00", OPENED), ("02 09:00", ASKED), ("03 13:00", REPLIED)], "03 09:00"),
    ],
)
def test_when_it_would_have_been_due_without_pauses_is_told(
    calendar: str | None, happened: Told, original: str
) -> None:
    due = {"within": "8h"} | ({"calendar": calendar} if calendar else {})
    found = told(answer(due=due), happened, "03 14:00")
    assert found.detail.clock.original_due_at == at(f"2026-03-{original}")
    assert (found.detail.due_at > found.detail.clock.original_due_at) is (REPLIED in dict(happened).values())


def test_what_is_paused_neither_comes_to_be_at_risk_nor_breaks() -> None:
    happened = [("02 09:00", OPENED), ("02 10:00", ASKED)]
    found = told(answer(), happened, "20 00:00")
    assert (found.status, found.detail.clock.paused_at) == ("made", at("2026-03-02 10:00"))


@pytest.mark.parametrize(
    ("solved", "status", "gap", "spent"),
    [("02 20:00", "kept", 0.0, 8.0), ("02 20:30", "broken", 0.5, 8.5), ("02 11:00", "kept", -7.0, 1.0)],
)
def test_what_it_has_taken_is_told_when_it_is_settled(
    solved: str, status: str, gap: float, spent: float
) -> None:
    happened = [("02 09:00", OPENED), ("02 10:00", ASKED), ("02 13:00", REPLIED), (solved, SOLVED)]
    found = told(answer(), happened, "04 00:00")
    clock = found.detail.clock
    assert (found.status, found.detail.gap_hours) == (status, gap)
    assert (clock.target_seconds, clock.spent_seconds) == (8 * 3600, spent * 3600)


def test_a_promise_that_is_met_while_it_is_paused_is_kept_and_its_pause_ends_then() -> None:
    found = told(answer(), [("02 09:00", OPENED), ("02 10:00", ASKED), ("05 10:00", SOLVED)], "06 00:00")
    assert (found.status, found.detail.due_at) == ("kept", at("2026-03-05 17:00"))
    assert (found.detail.clock.paused_at, found.detail.clock.paused_seconds) == (None, 3 * 86_400)


def test_a_promise_that_is_cancelled_while_it_is_paused_is_cancelled() -> None:
    found = told(answer(), [("02 09:00", OPENED), ("02 10:00", ASKED), ("05 10:00", DROPPED)], "06 00:00")
    assert (found.status, found.detail.cancelled_at) == ("cancelled", at("2026-03-05 10:00"))


@pytest.mark.parametrize("kind", [ASKED, MOVED])
def test_what_comes_after_the_breach_mends_nothing(kind: str) -> None:
    happened = [("02 09:00", OPENED), ("02 17:30", kind), ("02 18:00", SOLVED)]
    found = told(answer(), happened, "04 00:00")
    assert (found.status, found.detail.due_at) == ("broken", at("2026-03-02 17:00"))


def test_a_pause_that_begins_at_the_due_time_comes_too_late() -> None:
    assert told(answer(), [("02 09:00", OPENED), ("02 17:00", ASKED)], "03 00:00").status == "broken"


def test_a_late_pause_revises_what_was_broken() -> None:
    story = Story(answer())
    story.happens("2026-03-02 09:00", OPENED)
    story.until("2026-03-02 18:00")
    assert story.last("answer").status == "broken"
    story.happens("2026-03-02 12:00", ASKED)
    story.happens("2026-03-02 16:00", REPLIED)
    story.batch()
    found = story.last("answer")
    assert (found.status, found.detail.due_at) == ("made", at("2026-03-02 21:00"))
    assert story.until("2026-03-02 21:30").last("answer").status == "broken"


def test_a_pause_says_what_paused_it() -> None:
    found = told(answer(), [("02 09:00", OPENED), ("02 10:00", ASKED), ("02 11:00", REPLIED)], "02 12:00")
    assert found.evidence == [f"shop#{kind}-1" for kind in (OPENED, ASKED, REPLIED)]


def test_at_risk_waits_for_the_pause_as_well() -> None:
    happened = [("02 09:00", OPENED), ("02 10:00", ASKED), ("02 13:00", REPLIED)]
    assert told(answer(), happened, "02 17:59").status == "made"
    found = told(answer(), happened, "02 18:00")
    assert (found.status, found.detail.at_risk_at) == ("at_risk", at("2026-03-02 18:00"))


def test_what_was_at_risk_before_the_pause_stays_so() -> None:
    happened = [("02 09:00", OPENED), ("02 15:30", ASKED), ("02 20:00", REPLIED)]
    found = told(answer(), happened, "02 20:30")
    assert (found.status, found.detail.at_risk_at) == ("at_risk", at("2026-03-02 15:00"))
    assert found.detail.due_at == at("2026-03-02 21:30")


def test_the_clock_may_have_started_before_the_promise_was_made() -> None:
    journey_map = answer(starts="data.reported")
    story = Story(journey_map)
    story.happens("2026-03-02 09:00", OPENED, reported="2026-03-02 05:00")
    found = story.until("2026-03-02 09:30").last("answer")
    assert (found.detail.due_at, found.detail.made_at) == (at("2026-03-02 13:00"), at("2026-03-02 09:00"))
    assert found.detail.clock.started_at == at("2026-03-02 05:00")


def test_warnings_come_at_their_shares_and_none_is_sent_for_a_moment_before_the_making() -> None:
    story = Story(answer(starts="data.reported", warn_at=["25%", "50%", "75%"]))
    story.happens("2026-03-02 09:00", OPENED, reported="2026-03-02 06:00")
    found = story.until("2026-03-02 10:30").last("answer")
    assert [(each.share, each.at, each.status) for each in found.detail.warnings] == [
        (0.25, at("2026-03-02 08:00"), "skipped"),
        (0.5, at("2026-03-02 10:00"), "passed"),
        (0.75, at("2026-03-02 12:00"), "ahead"),
    ]


def test_a_warning_is_told_by_time_alone_and_once() -> None:
    story = Story(answer(warn_at=["50%"], at_risk="75%"))
    story.happens("2026-03-02 09:00", OPENED)
    story.until("2026-03-02 12:59")
    before = len(story.findings)
    story.until("2026-03-02 13:00").until("2026-03-02 14:00").quiet()
    assert [found.detail.warnings[0].status for found in story.findings[before:]] == ["passed"]


def test_a_breach_is_escalated_step_by_step_until_it_is_met() -> None:
    journey_map = answer(escalate=[{"after": "1h", "to": "team lead"}, {"after": "4h", "to": "head"}])
    happened = [("02 09:00", OPENED), ("02 22:00", SOLVED)]
    found = told(journey_map, happened[:1], "02 17:59")
    assert (found.status, found.detail.escalation) == ("broken", None)
    found = told(journey_map, happened[:1], "02 18:00")
    assert (found.detail.escalation.step, found.detail.escalation.to) == (1, "team lead")
    found = told(journey_map, happened, "09 00:00")
    assert (found.detail.escalation.step, found.detail.escalation.at) == (2, at("2026-03-02 21:00"))


def test_escalation_on_a_calendar_waits_for_its_hours() -> None:
    journey_map = answer(
        due={"within": "7h", "calendar": "office"}, escalate=[{"after": "2h", "to": "team lead"}]
    )
    found = told(journey_map, [("02 08:00", OPENED)], "09 00:00")
    assert found.detail.due_at == at("2026-03-02 16:00")
    assert found.detail.escalation.at == at("2026-03-03 10:00")


def test_a_visit_is_paused_and_begun_anew_like_a_promise() -> None:
    happened = [("02 09:00", OPENED), ("02 10:00", ASKED), ("02 12:00", REPLIED)]
    assert told(handling(), happened, "02 15:00") is None
    found = told(handling(), happened, "02 15:01")
    assert (found.status, found.detail.since) == ("opened", at("2026-03-02 15:00"))
    assert told(handling(), [*happened, ("02 14:00", MOVED)], "02 18:00") is None
    found = told(handling(), [*happened, ("02 14:00", MOVED)], "02 18:01")
    assert (found.detail.since, found.detail.clock.resets) == (at("2026-03-02 18:00"), 1)


def test_nobody_is_stuck_while_the_clock_of_the_stage_stands_still() -> None:
    assert told(handling(), [("02 09:00", OPENED), ("02 10:00", ASKED)], "30 00:00") is None


def test_a_visit_that_begins_in_a_pause_begins_standing_still() -> None:
    happened = [("02 08:00", ASKED), ("02 09:00", OPENED), ("02 11:00", REPLIED)]
    assert told(handling(), happened, "02 15:30").detail.since == at("2026-03-02 15:00")


def test_a_stall_is_escalated_and_then_resolved() -> None:
    journey_map = handling(escalate=[{"after": "1h", "to": "head"}])
    story = Story(journey_map)
    story.happens("2026-03-02 09:00", OPENED)
    story.until("2026-03-02 13:30").until("2026-03-02 14:30")
    story.happens("2026-03-02 15:00", SOLVED)
    story.until("2026-03-02 15:30")
    assert story.told("handling") == ["opened", "escalated", "resolved"]
    assert story.last("handling").detail.escalation.to == "head"


@pytest.mark.parametrize(("dropped", "status"), [("02 12:00", None), ("02 14:00", "abandoned")])
def test_who_gives_up_in_time_was_never_stuck_and_later_it_is_an_abandoned_stall(
    dropped: str, status: str | None
) -> None:
    found = told(handling(), [("02 09:00", OPENED), (dropped, DROPPED)], "03 00:00")
    assert (found and found.status) == status


def test_a_stall_that_lasts_too_long_is_abandoned_unless_it_was_resolved_before() -> None:
    journey_map = handling(abandoned_after="10h")
    assert told(journey_map, [("02 09:00", OPENED)], "02 23:00").status == "opened"
    assert told(journey_map, [("02 09:00", OPENED)], "02 23:01").status == "abandoned"
    happened = [("02 09:00", OPENED), ("02 23:00", SOLVED)]
    assert told(journey_map, happened, "03 00:00").status == "resolved"
    happened = [("02 09:00", OPENED), ("03 10:00", SOLVED)]
    assert told(journey_map, happened, "04 00:00").status == "abandoned"


@pytest.mark.parametrize(
    ("exit_by", "left_at", "abandoned_at"),
    [
        # nobody leaves: four hours are allowed, and ten more pass
        (None, None, "02 23:00"),
        # who leaves after that leaves what was given up then, by whatever touchpoint
        (SOLVED, "03 10:00", "02 23:00"),
        (DROPPED, "03 10:00", "02 23:00"),
        # who gives up before that settles it
        (DROPPED, "02 14:00", "02 14:00"),
        (DROPPED, "02 23:00", "02 23:00"),
    ],
)
def test_a_stall_is_over_when_it_is_given_up_whenever_it_is_left(
    exit_by: str | None, left_at: str | None, abandoned_at: str
) -> None:
    happened = [("02 09:00", OPENED)]
    if exit_by and left_at:
        happened.append((left_at, exit_by))
    found = told(handling(abandoned_after="10h"), happened, "09 00:00")
    assert found.status == "abandoned"
    assert found.detail.left_at == (left_at and at(f"2026-03-{left_at}"))
    assert found.detail.abandoned_at == at(f"2026-03-{abandoned_at}")


def test_what_a_customer_gives_up_is_over_then_where_time_gives_nobody_up() -> None:
    found = told(handling(), [("02 09:00", OPENED), ("02 14:00", DROPPED)], "03 00:00")
    assert found.detail.abandoned_at == found.detail.left_at == at("2026-03-02 14:00")


def test_when_a_stall_was_given_up_is_counted_on_its_calendar() -> None:
    # Monday in Berlin: 9:00 and 4 h around lunch is 14:00; of the 10 h more, 7 take all of Tuesday
    found = told(handling(calendar="office", abandoned_after="10h"), [("02 08:00", OPENED)], "09 00:00")
    assert found.detail.since == at("2026-03-02 13:00")
    assert found.detail.abandoned_at == at("2026-03-03 16:00")


def test_what_is_not_abandoned_was_never_given_up() -> None:
    journey_map = handling(abandoned_after="10h", escalate=[{"after": "1h", "to": "head"}])
    statuses = {}
    for until in ("02 13:01", "02 14:30"):
        found = told(journey_map, [("02 09:00", OPENED)], until)
        statuses[found.status] = found.detail.abandoned_at
    found = told(journey_map, [("02 09:00", OPENED), ("02 22:00", SOLVED)], "09 00:00")
    statuses[found.status] = found.detail.abandoned_at
    assert statuses == {"opened": None, "escalated": None, "resolved": None}


def test_a_changed_map_says_anew_when_a_stall_was_given_up() -> None:
    story = Story(handling(abandoned_after="10h"))
    story.happens("2026-03-02 09:00", OPENED)
    assert story.until("2026-03-09 00:00").last("handling").detail.abandoned_at == at("2026-03-02 23:00")
    story.open(handling(abandoned_after="20h"))
    story.quiet()
    found = story.last("handling")
    assert (found.status, found.revision) == ("abandoned", 1)
    assert found.detail.abandoned_at == at("2026-03-03 09:00")


BY_COUNTRY = {"field": "data.country", "values": {"DE": "office", "US": "new_york"}, "otherwise": "office"}
NEW_YORK = {"zone": "America/New_York", "hours": {"mon-fri": ["09:00-17:00"]}}


@pytest.mark.parametrize(
    ("country", "due"),
    [
        ({"country": "DE"}, "2026-03-02 10:00"),
        # 14:00 UTC is 9:00 in New York
        ({"country": "US"}, "2026-03-02 16:00"),
        ({"country": "FR"}, "2026-03-02 10:00"),
        ({}, "2026-03-02 10:00"),
    ],
)
def test_a_field_of_the_making_chooses_the_calendar(country: dict[str, str], due: str) -> None:
    journey_map = answer(due={"within": "2h", "calendar": BY_COUNTRY})
    journey_map["calendars"]["new_york"] = NEW_YORK
    story = Story(journey_map)
    story.happens("2026-03-02 08:00", OPENED, **country)
    found = story.until("2026-03-02 08:30").last("answer")
    assert found.detail.due_at == at(due)
    assert found.detail.calendar == ("new_york" if country == {"country": "US"} else "office")


def test_a_pause_runs_on_the_calendar_that_was_chosen() -> None:
    journey_map = answer(due={"within": "2h", "calendar": BY_COUNTRY})
    journey_map["calendars"]["new_york"] = NEW_YORK
    story = Story(journey_map)
    story.happens("2026-03-02 08:00", OPENED, country="US")
    story.happens("2026-03-02 10:00", ASKED)  # New York is closed: nothing has run
    story.happens("2026-03-02 15:00", REPLIED)
    assert story.until("2026-03-02 15:30").last("answer").detail.due_at == at("2026-03-02 17:00")


def test_the_entry_chooses_the_calendar_of_a_visit() -> None:
    journey_map = handling(calendar=BY_COUNTRY, expected="2h")
    journey_map["calendars"]["new_york"] = NEW_YORK
    story = Story(journey_map)
    story.happens("2026-03-02 08:00", OPENED, country="US")
    assert story.until("2026-03-02 16:00").all("handling") == []
    assert story.until("2026-03-02 16:01").last("handling").detail.calendar == "new_york"


def test_an_exit_after_it_was_abandoned_is_told_however_it_arrived() -> None:
    """Time had said so already when it came: the last word must be that of a run in which both were heard at once."""
    journey_map = handling(abandoned_after="10h")
    happened = [("02 09:00", OPENED), ("03 10:00", SOLVED)]
    at_once = told(journey_map, happened, "04 00:00")
    story = Story(journey_map)
    story.happens("2026-03-02 09:00", OPENED)
    assert story.until("2026-03-03 00:00").last("handling").status == "abandoned"
    story.happens("2026-03-03 10:00", SOLVED)
    found = story.until("2026-03-04 00:00").last("handling")
    assert (found.status, found.detail.left_at) == ("abandoned", at("2026-03-03 10:00"))
    assert (found.detail, found.evidence) == (at_once.detail, at_once.evidence)


@pytest.mark.parametrize(("more", "status"), [({}, "opened"), ({"abandoned_after": "10h"}, "abandoned")])
def test_a_pause_that_is_heard_of_late_moves_the_beginning_of_a_stall_that_is_one_all_the_same(
    more: dict[str, str], status: str
) -> None:
    pause = [("02 10:00", ASKED), ("02 12:00", REPLIED)]
    at_once = told(handling(**more), [("02 09:00", OPENED), *pause], "09 00:00")
    story = Story(handling(**more))
    story.happens("2026-03-02 09:00", OPENED)
    assert story.until("2026-03-09 00:00").last("handling").detail.since == at("2026-03-02 13:00")
    for when, kind in pause:
        story.happens(f"2026-03-{when}", kind)
    found = story.batch().last("handling")
    assert (found.status, found.detail.since) == (status, at("2026-03-02 15:00"))
    assert found.detail == at_once.detail
