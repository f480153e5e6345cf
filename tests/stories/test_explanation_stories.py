"""Why a finding says what it says: the clock's segments come to what the core concluded."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from clock_world import (
    ASKED,
    DELIVERED,
    MOVED,
    OFFICE,
    OPENED,
    ORDERED,
    REPLIED,
    RESCHEDULED,
    SENT,
    SOLVED,
    answer,
    delivery,
    handling,
)
from journey_world import Story, us

from pipeline.cli.explain_text import lines_of, lines_of_figure
from pipeline.operations.explanation import Explanation, explain
from pipeline.warehouse.explained import Figure, Published, Revision, Said

HOUR = 3_600_000_000
Told = list[tuple[str, str]]


def explained(journey_map: dict[str, Any], happened: Told, until: str, **data: Any) -> Explanation:
    """The explanation of what the first touchpoint opened, when time has come to `until`."""
    story = Story(journey_map)
    entries = [
        story.touchpoint(
            f"2026-03-{when}", kind, f"e{number}", "7", "", "", data if number == 0 else {}
        ).entry
        for number, (when, kind) in enumerate(happened)
    ]
    [rules] = story.plan.journeys
    found = explain(rules, (*rules.promises, *rules.stages)[0], entries, entries[0], us(f"2026-03-{until}"))
    assert found is not None
    return found


def segments(explanation: Explanation) -> list[tuple[str, str, str, float]]:
    return [(each.kind, _at(each.start), _at(each.end), each.spent / HOUR) for each in explanation.segments]


def _at(instant: int) -> str:
    return datetime.fromtimestamp(instant / 1e6, UTC).strftime("%d %H:%M")


PAUSED = [("02 09:00", OPENED), ("02 10:00", ASKED), ("02 13:00", REPLIED)]


def test_the_segments_of_a_clock_add_up_to_what_it_has_spent() -> None:
    found = explained(answer(), [*PAUSED, ("02 20:30", SOLVED)], "03 00:00")
    assert segments(found) == [
        ("ran", "02 09:00", "02 10:00", 1.0),
        ("paused", "02 10:00", "02 13:00", 0.0),
        ("ran", "02 13:00", "02 20:30", 7.5),
    ]
    assert (found.status, _at(found.due)) == ("broken", "02 20:00")


def test_what_is_open_is_laid_out_up_to_where_time_has_come() -> None:
    found = explained(answer(), PAUSED, "02 14:00")
    assert segments(found)[-1] == ("ran", "02 13:00", "02 14:00", 1.0)
    assert (found.status, found.settled_by) == ("made", None)


def test_a_clock_that_stands_still_ends_with_its_pause() -> None:
    assert segments(explained(answer(), PAUSED[:2], "04 00:00"))[-1] == (
        "paused",
        "02 10:00",
        "04 00:00",
        0.0,
    )


def test_what_ran_before_a_reset_is_not_laid_out() -> None:
    found = explained(answer(), [*PAUSED, ("02 15:00", MOVED), ("02 16:00", SOLVED)], "03 00:00")
    assert segments(found) == [("ran", "02 15:00", "02 16:00", 1.0)]


def test_closed_hours_are_no_time_that_has_run() -> None:
    journey_map = answer(due={"within": "8h", "calendar": "office"})
    found = explained(journey_map, [("02 15:00", OPENED), ("03 09:00", SOLVED)], "03 10:00")
    assert segments(found) == [
        ("ran", "02 15:00", "02 16:00", 1.0),
        ("closed", "02 16:00", "03 08:00", 0.0),
        ("ran", "03 08:00", "03 09:00", 1.0),
    ]


def test_very_many_days_are_told_as_one() -> None:
    journey_map = answer(due={"within": "8h", "calendar": "office"})
    found = explained(journey_map, [("02 15:00", OPENED), ("31 09:00", SOLVED)], "31 10:00")
    # 20 days of seven hours but the holiday, an hour of the first and one of the last
    assert segments(found) == [("ran", "02 15:00", "31 09:00", 1 + 19 * 7 + 2)]


def test_a_touchpoint_that_changes_nothing_says_so() -> None:
    happened = [("02 09:00", OPENED), ("02 10:00", REPLIED), ("02 17:30", ASKED), ("02 18:00", SOLVED)]
    found = explained(answer(), happened, "03 00:00")
    assert [(act.what, act.counts) for act in found.acts] == [
        ("made", True),
        ("resumed", False),
        ("paused", False),
        ("met", True),
    ]
    assert segments(found) == [("ran", "02 09:00", "02 18:00", 9.0)]


def test_a_pause_that_was_on_when_the_clock_started_is_laid_out() -> None:
    story = Story(answer())
    entries = [
        story.touchpoint(f"2026-03-02 {when}", kind, kind, "7", "", "", {}).entry
        for when, kind in (("08:00", ASKED), ("09:00", OPENED), ("11:00", REPLIED), ("12:00", SOLVED))
    ]
    [rules] = story.plan.journeys
    found = explain(rules, rules.promises[0], entries, entries[1], us("2026-03-03 00:00"))
    assert found is not None
    assert segments(found) == [("paused", "02 09:00", "02 11:00", 0.0), ("ran", "02 11:00", "02 12:00", 1.0)]


def test_an_instant_that_was_told_has_no_clock_and_shows_who_told_it() -> None:
    story = Story(delivery())
    entries = [
        story.touchpoint(when, kind, kind, "7", "", "", {"due": due} if due else {}).entry
        for when, kind, due in (
            ("2026-03-01 09:00", ORDERED, "2026-03-05 12:00"),
            ("2026-03-02 09:00", RESCHEDULED, "2026-03-07 12:00"),
            ("2026-03-06 09:00", DELIVERED, None),
        )
    ]
    [rules] = story.plan.journeys
    found = explain(rules, rules.promises[0], entries, entries[0], us("2026-03-09 00:00"))
    assert found is not None
    assert [act.what for act in found.acts] == ["made", "revised", "met"]
    assert (found.segments, _at(found.due), found.status) == ([], "07 12:00", "kept")


def test_of_several_promises_only_what_concerns_this_one_is_told() -> None:
    story = Story(delivery(made_by=SENT, per="data.parcel"))
    entries = [
        story.touchpoint("2026-03-01 09:00", kind, name, "7", "", "", data).entry
        for kind, name, data in (
            (SENT, "a", {"due": "2026-03-05 12:00", "parcel": "A"}),
            (SENT, "b", {"due": "2026-03-05 12:00", "parcel": "B"}),
            (DELIVERED, "c", {"parcel": "B"}),
            (DELIVERED, "d", {"parcel": "A"}),
        )
    ]
    [rules] = story.plan.journeys
    found = explain(rules, rules.promises[0], entries, entries[0], us("2026-03-09 00:00"))
    assert found is not None
    assert [act.entry.id for act in found.acts] == ["a", "d"]


def test_a_visit_is_explained_like_a_promise() -> None:
    found = explained(handling(), [*PAUSED, ("02 19:00", SOLVED)], "03 00:00")
    assert (found.status, _at(found.due)) == ("resolved", "02 16:00")
    assert sum(spent for _, _, _, spent in segments(found)) == 7.0


@pytest.mark.parametrize("happened", [[("02 09:00", OPENED)], [("02 09:00", OPENED), ("03 10:00", SOLVED)]])
def test_a_stall_that_was_given_up_is_explained_by_when_whether_or_not_it_was_left(happened: Told) -> None:
    found = explained(handling(abandoned_after="10h"), happened, "04 00:00")
    said = Said(
        "stall", "handling", "abandoned", UUID(int=7), "j", "case", "7", datetime(2026, 3, 4, tzinfo=UTC), []
    )
    text = [str(line) for line in lines_of(Published("f" * 32, said, []), found)]
    reached = text.index("  the limit was reached at 2026-03-02 13:00")
    assert text[reached + 1] == "  given up at 2026-03-02 23:00"
    assert text[reached + 2].endswith(": abandoned")


def test_a_stall_that_was_not_given_up_says_nothing_of_it() -> None:
    found = explained(
        handling(abandoned_after="10h"), [("02 09:00", OPENED), ("02 22:00", SOLVED)], "04 00:00"
    )
    assert (found.status, found.given_up_at) == ("resolved", None)


def test_what_a_promise_of_a_figure_makes_of_a_touchpoint_is_nothing_of_the_visits() -> None:
    journey_map = handling()
    [journey] = journey_map["journeys"].values()
    journey["promises"] = {
        "questions": {
            "kind": "at_most",
            "promised": {"value": 1},
            "made_by": OPENED,
            "measure": {"count": ASKED},
            "closed_by": SOLVED,
            "owed_by": "desk",
        }
    }
    happened = [("02 09:00", OPENED), ("02 10:00", ASKED), ("03 09:00", SOLVED)]
    alone, beside = (explained(each, happened, "04 00:00") for each in (handling(), journey_map))
    assert [act.what for act in beside.acts] == [act.what for act in alone.acts]
    assert segments(beside) == segments(alone)


def test_touchpoints_that_open_nothing_explain_nothing() -> None:
    story = Story(answer())
    entry = story.touchpoint("2026-03-02 09:00", SOLVED, "e", "7", "", "", {}).entry
    [rules] = story.plan.journeys
    assert explain(rules, rules.promises[0], [entry], entry, us("2026-03-03 00:00")) is None


@pytest.mark.parametrize("published_as", ["broken", "kept"])
def test_it_is_told_in_words(published_as: str) -> None:
    journey_map = answer(due={"within": "8h", "calendar": "office"})
    journey_map["calendars"] = {"office": OFFICE}
    happened = [("02 08:00", OPENED), ("02 09:00", ASKED), ("02 13:00", REPLIED), ("03 13:30", SOLVED)]
    said = Said(
        "promise", "answer", published_as, UUID(int=7), "j", "case", "7", datetime(2026, 3, 4, tzinfo=UTC), []
    )
    revisions = [
        Revision(0, "made", datetime(2026, 3, 2, 8, tzinfo=UTC)),
        Revision(1, published_as, datetime(2026, 3, 3, 13, 0, 1, tzinfo=UTC)),
    ]
    found = explained(journey_map, happened, "04 00:00")
    text = "\n".join(str(line) for line in lines_of(Published("f" * 32, said, revisions), found))
    assert text.startswith(f"""\
promise answer of case 7: {published_as}
  finding {"f" * 32}, person 00000000-0000-0000-0000-000000000007

The rule
  due when 8 h of open time on the calendar office have run since it started; owed by desk
  at risk from 75% of the way on

What happened
  2026-03-02 08:00  made         service.ticket.opened  shop#e0
  2026-03-02 09:00  paused       service.question.asked  shop#e1
  2026-03-02 13:00  resumed      service.question.answered  shop#e2
  2026-03-03 13:30  met          service.ticket.solved  shop#e3

What the clock did
  2026-03-02 08:00 to 2026-03-02 09:00  ran for 1 h
  2026-03-02 09:00 to 2026-03-02 13:00  stood still for 4 h
  2026-03-02 13:00 to 2026-03-02 16:00  ran for 3 h
  2026-03-02 16:00 to 2026-03-03 08:00  closed for 16 h
  2026-03-03 08:00 to 2026-03-03 11:00  ran for 3 h
  2026-03-03 11:00 to 2026-03-03 12:00  closed for 1 h
  2026-03-03 12:00 to 2026-03-03 13:30  ran for 1 h 30 min

The conclusion
  by 2026-03-03 13:30 it had run for 1 h + 3 h + 3 h + 1 h 30 min = 8 h 30 min, more than the 8 h that it has
  due at 2026-03-03 13:00
  settled at 2026-03-03 13:30, 30 min late: broken

What was said when
  revision 0: made, when time had come to 2026-03-02 08:00
  revision 1: {published_as}, when time had come to 2026-03-03 13:00:01""")
    assert ("a touchpoint or the map has changed since" in text) == (published_as == "kept")


def figure_said(**detail: Any) -> Published:
    said = Said(
        "value_promise",
        "consumption",
        "broken",
        UUID(int=7),
        "j",
        "car",
        "7",
        datetime(2026, 3, 4, tzinfo=UTC),
        ["shop#ad", "shop#trip"],
        Figure(made_by="marketing.ad.seen", owed_by="engines", **detail),
    )
    return Published("f" * 32, said, [Revision(0, "broken", datetime(2026, 3, 2, 8, tzinfo=UTC))])


def test_a_promise_of_a_figure_is_told_with_its_sum() -> None:
    story = Story(answer())
    entries = [
        story.touchpoint("2026-03-02 09:00", OPENED, name, "7", "", "", {}).entry
        for name in ("ad", "trip", "other")
    ]
    published = figure_said(
        kind="at_most",
        basis="touchpoint",
        measured="mean",
        observations=3,
        promised_from=6.0,
        promised_to=6.0,
        tolerance=0.05,
        unit="l/100km",
        observed=7.8,
        gap=0.3,
        closes_at=datetime(2026, 4, 1, tzinfo=UTC),
    )
    text = [str(line) for line in lines_of_figure(published, entries)]
    assert text[4:] == [
        "  at most 6 l/100km, by the word of the touchpoint that made it; owed by engines",
        "  5% of it may be missed",
        "  measured until 2026-04-01 00:00",
        "",
        "What happened",
        "  2026-03-02 09:00  service.ticket.opened  shop#ad",
        "  2026-03-02 09:00  service.ticket.opened  shop#trip",
        "",
        "The conclusion",
        "  mean of 3 observed: 7.8 l/100km: broken",
        "  gap (7.8 - 6) / 6 = +0.3, positive is worse",
        "",
        "What was said when",
        "  revision 0: broken, when time had come to 2026-03-02 08:00",
    ]


@pytest.mark.parametrize(
    ("detail", "said"),
    [
        (
            {"kind": "range", "promised_from": 2.0, "promised_to": 4.0, "gap": 0.25, "observed": 5.0},
            "from 2 to 4",
        ),
        ({"kind": "at_most"}, "at most what was usual, which is not known yet"),
        ({"kind": "at_least", "promised_to": 8.0, "observed": 6.0, "gap": 0.25}, "gap (8 - 6) / 8 = +0.25"),
    ],
)
def test_each_kind_of_figure_has_its_words(detail: dict[str, Any], said: str) -> None:
    assert said in "\n".join(str(line) for line in lines_of_figure(figure_said(**detail), []))
