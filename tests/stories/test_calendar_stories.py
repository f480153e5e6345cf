"""Promises and stages on business calendars. Times in the stories are the clock's on the wall, unless they say UTC."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from calendar_world import OFFICE, calendar_of, local, shown
from journey_world import ANSWERED, PLACED, QUEUED, SHOP, Story, at

from pipeline.core.instants import MINUTE, NEVER
from schemas.calendars import LAST_YEAR

HOUR = 60 * MINUTE
DAYTIME = {"mon-fri": ["09:00-17:00"]}
BERLIN, NEW_YORK, KOLKATA = "Europe/Berlin", "America/New_York", "Asia/Kolkata"


@pytest.mark.parametrize(
    ("zone", "hours", "holidays", "start", "duration", "due"),
    [
        # Friday 16:00 and four hours: two are left of Friday
        (BERLIN, {"mon-fri": ["09:00-18:00"]}, {}, "2026-03-06 16:00", 4 * HOUR, "2026-03-09 11:00"),
        # to the very end of the day is at the end of the day, not at the next opening
        (BERLIN, {"mon-fri": ["09:00-18:00"]}, {}, "2026-03-06 14:00", 4 * HOUR, "2026-03-06 18:00"),
        # a lunch break
        (BERLIN, OFFICE, {}, "2026-03-05 11:30", 2 * HOUR, "2026-03-05 14:30"),
        (BERLIN, OFFICE, {}, "2026-03-05 13:00", 1 * HOUR, "2026-03-05 14:30"),
        # Good Friday and Easter Monday
        (BERLIN, DAYTIME, {"country": "DE"}, "2026-04-02 16:00", 4 * HOUR, "2026-04-07 12:00"),
        # Epiphany is a holiday in Bavaria and not in Berlin
        (
            BERLIN,
            DAYTIME,
            {"country": "DE", "subdivision": "BY"},
            "2026-01-05 16:00",
            2 * HOUR,
            "2026-01-07 10:00",
        ),
        (
            BERLIN,
            DAYTIME,
            {"country": "DE", "subdivision": "BE"},
            "2026-01-05 16:00",
            2 * HOUR,
            "2026-01-06 10:00",
        ),
        # Christmas Eve, shortened every year, and a date of one year that opens on a holiday
        (
            BERLIN,
            DAYTIME,
            {"dates": {"12-24": ["09:00-12:00"]}},
            "2026-12-24 11:00",
            2 * HOUR,
            "2026-12-25 10:00",
        ),
        (
            BERLIN,
            DAYTIME,
            {"country": "DE", "dates": {"2026-12-26": ["10:00-11:00"]}},
            "2026-12-24 17:00",
            2 * HOUR,
            "2026-12-28 10:00",
        ),
        # the 29th of February
        (BERLIN, DAYTIME, {}, "2024-02-28 16:00", 10 * HOUR, "2024-03-01 10:00"),
        # the night of Saturday is an hour shorter in spring and longer in autumn
        (BERLIN, {"daily": ["00:00-24:00"]}, {}, "2026-03-28 23:00", 4 * HOUR, "2026-03-29 04:00"),
        (BERLIN, {"daily": ["00:00-24:00"]}, {}, "2026-10-24 23:00", 6 * HOUR, "2026-10-25 04:00"),
        (NEW_YORK, {"daily": ["00:00-24:00"]}, {}, "2026-03-07 23:00", 4 * HOUR, "2026-03-08 04:00"),
        (NEW_YORK, {"daily": ["00:00-24:00"]}, {}, "2026-10-31 23:00", 6 * HOUR, "2026-11-01 04:00"),
        # an office does not notice
        (BERLIN, DAYTIME, {}, "2026-03-27 16:00", 2 * HOUR, "2026-03-30 10:00"),
        (NEW_YORK, DAYTIME, {}, "2026-10-30 16:00", 2 * HOUR, "2026-11-02 10:00"),
        # opening within the hour that spring skips: it opens when the clock has skipped it
        (BERLIN, {"sun": ["02:30-10:00"]}, {}, "2026-03-28 12:00", 1 * HOUR, "2026-03-29 04:00"),
        (NEW_YORK, {"sun": ["02:30-10:00"]}, {}, "2026-03-07 12:00", 1 * HOUR, "2026-03-08 04:00"),
        # half an hour that comes twice counts twice
        (
            BERLIN,
            {"sun": ["01:00-02:30", "09:00-10:00"]},
            {},
            "2026-10-24 12:00",
            3 * HOUR,
            "2026-10-25 10:00",
        ),
        # half an hour off the hour
        (KOLKATA, {"mon-sat": ["09:30-18:00"]}, {}, "2026-03-07 17:45", 45 * MINUTE, "2026-03-09 10:00"),
    ],
)
def test_a_duration_runs_while_the_calendar_is_open(
    zone: str, hours: dict[str, list[str]], holidays: dict[str, Any], start: str, duration: int, due: str
) -> None:
    calendar = calendar_of(zone, hours, **holidays)
    assert shown(calendar.after(local(start, zone), duration), zone) == due


@pytest.mark.parametrize(
    ("start", "days", "at_clock", "due"),
    [
        ("2026-03-04 10:00", 0, None, "2026-03-04 18:00"),
        ("2026-03-04 18:00", 0, None, "2026-03-05 18:00"),  # closed at that very instant
        ("2026-03-06 20:00", 0, None, "2026-03-09 18:00"),
        ("2026-03-04 10:00", 0, 17 * 60, "2026-03-04 17:00"),
        ("2026-03-04 17:30", 0, 17 * 60, "2026-03-05 17:00"),
        ("2026-03-04 10:00", 1, None, "2026-03-05 18:00"),
        ("2026-03-06 10:00", 1, None, "2026-03-09 18:00"),
        ("2026-03-06 23:59", 1, None, "2026-03-09 18:00"),  # of the next date that is a business day
        ("2026-03-07 10:00", 1, None, "2026-03-09 18:00"),
        ("2026-03-06 10:00", 1, 16 * 60, "2026-03-09 16:00"),
        ("2026-03-06 10:00", 3, None, "2026-03-11 18:00"),
        ("2026-04-02 10:00", 1, None, "2026-04-07 18:00"),  # over Easter
        ("2026-12-23 10:00", 1, None, "2026-12-24 12:00"),  # a day that closes early ends early,
        ("2026-12-23 10:00", 1, 17 * 60, "2026-12-24 17:00"),  # but what was said by the clock holds
    ],
)
def test_a_business_day_is_a_date_on_which_the_calendar_opens(
    start: str, days: int, at_clock: int | None, due: str
) -> None:
    calendar = calendar_of(BERLIN, OFFICE, country="DE", dates={"12-24": ["09:00-12:00"]})
    minutes = None if at_clock is None else at_clock * MINUTE
    assert shown(calendar.end_of_day(local(start, BERLIN), days, minutes), BERLIN) == due


def test_the_end_of_a_day_at_an_hour_that_spring_skips_is_when_it_has_skipped_it() -> None:
    calendar = calendar_of(BERLIN, {"sun": ["01:00-10:00"]})
    end = calendar.end_of_day(local("2026-03-28 12:00", BERLIN), 1, 150 * MINUTE)
    assert end == local("2026-03-29 03:00", BERLIN)


def test_the_end_of_a_day_at_an_hour_that_comes_twice_is_when_it_first_comes() -> None:
    calendar = calendar_of(BERLIN, {"sun": ["01:00-10:00"]})
    end = calendar.end_of_day(local("2026-10-24 12:00", BERLIN), 1, 150 * MINUTE)
    assert datetime.fromtimestamp(end // 1_000_000, UTC) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


# Published semantics of ServiceNow: docs.servicenow.com, “SLA duration and schedules”, “Using DurationCalculator to
# calculate a due date”, “Define a relative duration”. A day of a duration is 24 hours there; here it is written so.
@pytest.mark.parametrize(
    ("hours", "start", "duration", "due"),
    [
        # “a duration of one day, which is 24 hours, and a schedule of 9 am to 5 pm: three working days of 8 hours each”
        ({"mon-fri": ["09:00-17:00"]}, "2026-03-02 09:00", 24 * HOUR, "2026-03-04 17:00"),
        # “weekdays; Friday at 5:00 pm; when you add a duration of two days, your due date would be Tuesday at 5:00 pm”
        ({"mon-fri": ["00:00-24:00"]}, "2026-03-06 17:00", 48 * HOUR, "2026-03-10 17:00"),
        # “if you did not use a schedule, your due date would be Sunday at 5:00 pm”
        ({"daily": ["00:00-24:00"]}, "2026-03-06 17:00", 48 * HOUR, "2026-03-08 17:00"),
        # “since we start at 2:00 am the computation adds the 1 hour from the start of the day, 8:00am to get to 9:00am”
        ({"mon-fri": ["08:00-17:00"]}, "2012-05-03 02:00", 1 * HOUR, "2012-05-03 09:00"),
    ],
)
def test_durations_are_those_that_servicenow_publishes(
    hours: dict[str, list[str]], start: str, duration: int, due: str
) -> None:
    assert shown(calendar_of("UTC", hours).after(local(start, "UTC"), duration), "UTC") == due


def test_relative_targets_are_those_that_servicenow_publishes() -> None:
    """“End of next business day” lands one business day in the future, at 5 pm whatever the schedule says."""
    calendar = calendar_of("UTC", {"mon-fri": ["08:00-18:00"]})
    friday = local("2026-03-06 09:00", "UTC")
    assert shown(calendar.end_of_day(friday, 1, 17 * HOUR), "UTC") == "2026-03-09 17:00"
    assert shown(calendar.end_of_day(friday, 1, 16 * HOUR), "UTC") == "2026-03-09 16:00"
    assert shown(calendar.end_of_day(friday, 2, 16 * HOUR), "UTC") == "2026-03-10 16:00"


def test_no_calendar_is_open_outside_its_years() -> None:
    calendar = calendar_of(BERLIN, DAYTIME)
    last = local(f"{LAST_YEAR}-12-31 16:00", BERLIN)
    assert calendar.after(last, HOUR) == last + HOUR
    assert calendar.after(last, HOUR + 1) == NEVER
    assert calendar.end_of_day(last, 1, None) == calendar.end_of_day(last + HOUR, 0, 0) == NEVER
    assert calendar.opening(last) == calendar.closing(last + HOUR) == NEVER
    assert shown(calendar.after(0, HOUR), BERLIN) == "1970-01-01 10:00"
    assert shown(calendar.after(-1, HOUR), BERLIN) == "1970-01-01 10:00"


# -- in journeys


def shop(due: dict[str, Any], **stage: Any) -> dict[str, Any]:
    """The shop, with an office in Berlin, a promise with this due time and a stage on hold."""
    changed = copy.deepcopy(SHOP)
    hours = {"mon-fri": ["09:00-18:00"]}
    changed["calendars"] = {"office": {"zone": BERLIN, "hours": hours, "holidays": {"country": "DE"}}}
    changed["journeys"]["order"]["promises"]["callback"] = {
        "made_by": PLACED,
        "due": due,
        "met_by": ANSWERED,
        "owed_by": "service",
    }
    changed["journeys"]["order"]["stages"]["on_hold"].update(stage)
    return changed


FOUR_HOURS = shop({"within": "4h", "calendar": "office"}, expected="4h", calendar="office")


def test_a_promise_in_business_time_breaks_on_monday_and_is_at_risk_when_its_open_time_runs_out() -> None:
    story = Story(FOUR_HOURS)
    story.happens("2026-03-06 15:00", PLACED)  # 16:00 in Berlin
    assert story.until("2026-03-09 08:59").last("callback").status == "made"
    assert story.until("2026-03-09 09:00").last("callback").status == "at_risk"  # three of four hours
    assert story.until("2026-03-09 10:00").last("callback").status == "at_risk"
    broken = story.until("2026-03-09 10:00:00.000001").last("callback")
    assert (broken.status, broken.detail.calendar) == ("broken", "office")
    assert (broken.detail.at_risk_at, broken.detail.due_at) == (
        at("2026-03-09 09:00"),
        at("2026-03-09 10:00"),
    )


def test_a_promise_in_business_time_is_kept_until_its_due_time() -> None:
    story = Story(FOUR_HOURS)
    story.happens("2026-03-06 15:00", PLACED)
    story.happens("2026-03-09 10:00", ANSWERED)
    assert story.until("2026-03-10 00:00").told("callback") == ["kept"]


def test_a_promise_by_the_end_of_the_next_business_day_is_due_when_it_closes() -> None:
    story = Story(shop({"end_of": "next_business_day", "calendar": "office"}))
    story.happens("2026-04-02 10:00", PLACED)  # Maundy Thursday
    due = story.batch().last("callback").detail
    # half of Thursday's open time is left, and all of Tuesday's
    assert due.due_at == at("2026-04-07 16:00")
    assert due.at_risk_at == at("2026-04-07 12:15")


def test_what_is_due_before_it_opens_again_is_at_risk_from_the_making() -> None:
    story = Story(shop({"end_of": "next_business_day", "calendar": "office", "at": "08:00"}))
    story.happens("2026-03-06 19:00", PLACED)
    due = story.batch().last("callback").detail
    assert (due.due_at, due.at_risk_at) == (at("2026-03-09 07:00"), at("2026-03-06 19:00"))


def test_a_stall_in_business_time_begins_when_the_open_time_is_used_up() -> None:
    story = Story(FOUR_HOURS)
    story.happens("2026-03-06 15:00", QUEUED)
    assert story.until("2026-03-09 10:00").all("on_hold") == []
    stall = story.until("2026-03-09 10:00:00.000001").last("on_hold")
    assert (stall.status, stall.detail.calendar) == ("opened", "office")
    assert (stall.detail.since, stall.opened_at) == (at("2026-03-09 10:00"), at("2026-03-09 10:00"))
    assert (stall.detail.entered_at, stall.detail.limit_seconds) == (at("2026-03-06 15:00"), 4 * 3600)
    story.happens("2026-03-09 12:00", ANSWERED)
    assert story.batch().last("on_hold").status == "resolved"


def test_a_stay_over_a_closed_weekend_is_no_stall() -> None:
    story = Story(FOUR_HOURS)
    story.happens("2026-03-06 15:00", QUEUED)
    story.happens("2026-03-09 10:00", ANSWERED)
    assert story.until("2026-04-01 00:00").all("on_hold") == []


def test_what_would_fall_due_beyond_the_calendars_years_is_not_promised_and_never_stalls() -> None:
    story = Story(FOUR_HOURS)
    story.happens(f"{LAST_YEAR}-12-31 16:00", PLACED)
    story.happens(f"{LAST_YEAR}-12-31 16:00", QUEUED)
    story.until(f"{LAST_YEAR + 5}-01-01 00:00")
    assert story.all("callback") == story.all("on_hold") == []


def test_another_calendar_revises_what_was_concluded() -> None:
    story = Story(FOUR_HOURS)
    story.happens("2026-03-06 15:00", PLACED)
    story.happens("2026-03-06 15:00", QUEUED)
    story.until("2026-03-09 11:00")
    later = copy.deepcopy(FOUR_HOURS)
    later["calendars"]["office"]["holidays"]["dates"] = {"2026-03-09": "closed"}
    story.open(later)
    story.quiet()
    revised = story.last("callback")
    assert (revised.status, revised.revision, revised.detail.due_at) == ("made", 1, at("2026-03-10 10:00"))
    assert story.last("on_hold").status == "withdrawn"


def test_what_still_holds_on_another_calendar_says_since_when_and_by_which() -> None:
    story = Story(FOUR_HOURS)
    story.happens("2026-03-06 15:00", PLACED)
    story.happens("2026-03-06 15:00", QUEUED)
    story.until("2026-03-12 00:00")
    later = copy.deepcopy(FOUR_HOURS)
    later["calendars"]["office"]["holidays"]["dates"] = {"2026-03-09": "closed"}
    story.open(later)
    stall = story.quiet().last("on_hold")
    assert (stall.status, stall.revision, stall.detail.since) == ("opened", 1, at("2026-03-10 10:00"))
    renamed = msgspec.json.decode(msgspec.json.encode(later).replace(b'"office"', b'"bureau"'))
    story.open(renamed)
    story.quiet()
    assert [story.last(rule).detail.calendar for rule in ("callback", "on_hold")] == ["bureau", "bureau"]


def test_what_another_calendar_never_lets_come_is_withdrawn() -> None:
    story = Story(FOUR_HOURS)
    story.happens(f"{LAST_YEAR}-12-31 09:00", PLACED)
    story.happens(f"{LAST_YEAR}-12-31 09:00", QUEUED)
    story.until(f"{LAST_YEAR + 1}-01-02 00:00")
    assert [story.last(rule).status for rule in ("callback", "on_hold")] == ["broken", "opened"]
    closed = copy.deepcopy(FOUR_HOURS)
    closed["calendars"]["office"]["holidays"]["dates"] = {"12-31": "closed"}
    story.open(closed)
    story.quiet()
    assert [story.last(rule).status for rule in ("callback", "on_hold")] == ["withdrawn", "withdrawn"]


@pytest.mark.parametrize(
    ("told", "due"),
    [
        # by that day: until its midnight in Berlin, whatever the hour that was told
        ("2026-03-10 00:30", "2026-03-10 23:00"),
        ("2026-03-10 22:59", "2026-03-10 23:00"),
        # 23:00 UTC is the next day in Berlin
        ("2026-03-10 23:00", "2026-03-11 23:00"),
    ],
)
def test_by_that_day_is_until_the_end_of_the_day_that_was_told(told: str, due: str) -> None:
    journey_map = copy.deepcopy(SHOP)
    journey_map["calendars"] = {"daily": {"zone": BERLIN, "hours": {"daily": ["00:00-24:00"]}}}
    journey_map["journeys"]["order"]["promises"]["delivery"]["due"] = {
        "end_of": "day",
        "of": "data.due",
        "calendar": "daily",
    }
    story = Story(journey_map)
    story.happens("2026-03-01 09:00", PLACED, due=told)
    assert story.batch().last("delivery").detail.due_at == at(due)
    story.happens("2026-03-01 09:00", PLACED, order="8")
    story.batch()
    assert len(story.all("delivery")) == 1, "who names no day promises none"
