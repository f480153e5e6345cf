"""Injected, found, missed, extra."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from pipeline.simulate.compare import CHAINED, IN_PIECES, Row, compare, injected
from pipeline.simulate.found import (
    Found,
    FoundDeadLetter,
    FoundPromise,
    FoundStall,
    FoundTouchpoint,
    FoundValue,
)
from pipeline.simulate.ledger import Alarms, ClockRun, DatesTold, Forecast, LimitLearned, PartsBrought
from pipeline.simulate.truth import (
    DeadLetterTruth,
    IdentifierTruth,
    PromiseTruth,
    RefusedLinkTruth,
    StallTruth,
    TouchpointTruth,
    Truth,
    ValueTruth,
    fingerprint,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ONE = datetime(2026, 3, 2, 13, tzinfo=UTC)
TWO = datetime(2026, 3, 2, 14, tzinfo=UTC)


def inexact(truth: Iterable[Truth], found: Found) -> list[Row]:
    return [row for row in compare(truth, found) if not row.is_exact]


def touchpoint(
    id_: str, person: str, arrival: str = "prompt", copies: int = 0, mapped: bool = True
) -> TouchpointTruth:
    return TouchpointTruth("/shop", id_, "sales.order.placed", person, mapped, arrival, copies)  # type: ignore[arg-type]


def test_what_was_found_as_injected_is_neither_missed_nor_extra() -> None:
    truth: list[Truth] = [
        touchpoint("1", "customer_id:a"),
        PromiseTruth("delivery", "order", "O-1", "met_late", NOON, ONE, TWO, "customer_id:a"),
        StallTruth("picking", "order", "O-1", "resolved", NOON, ONE, TWO, "customer_id:a"),
        IdentifierTruth("customer_id:a", "customer_id:a", None),
        IdentifierTruth("cookie:k", "customer_id:a", "late link"),
        RefusedLinkTruth("unique", "customer_id:b", "cookie:k"),
        DeadLetterTruth("wrong_type", "sales", fingerprint(b"{}")),
    ]
    found = Found(
        touchpoints=[FoundTouchpoint("/shop", "1", "some-uuid", True)],
        promises=[FoundPromise("delivery", "O-1", "broken", NOON, ONE, TWO, "some-uuid")],
        stalls=[FoundStall("picking", "O-1", "resolved", NOON, ONE, TWO, "some-uuid")],
        dead_letters=[FoundDeadLetter("wrong_type", fingerprint(b"{}"))],
        refused_links={"unique": 1},
    )
    rows = compare(truth, found)
    assert rows == [
        Row("touchpoints", "", 1, 1, 0, 0),
        Row("persons", "", 1, 1, 0, 0),
        Row("persons", CHAINED, 0, 0, 0, 0),
        Row("persons", IN_PIECES, 0, 0, 0, 0),
        Row("tangled", "late link", 1, 1, 0, 0),
        Row("links refused", "unique", 1, 1, 0, 0),
        Row("promises", "met_late", 1, 1, 0, 0),
        Row("stalls", "resolved", 1, 1, 0, 0),
        Row("limits", "declared", 1, 1, 0, 0),
        Row("dead letters", "wrong_type", 1, 1, 0, 0),
    ]
    assert injected(truth) == [row[:3] for row in rows if row.injected]


def test_a_promise_found_with_another_status_is_missed_once_and_extra_once() -> None:
    truth = [PromiseTruth("delivery", "order", "O-1", "kept", NOON, TWO, ONE, "customer_id:a")]
    found = Found(promises=[FoundPromise("delivery", "O-1", "broken", NOON, TWO, ONE, "x")])
    assert inexact(truth, found) == [
        Row("promises", "kept", 1, 0, 1, 0),
        Row("promises", "met_late", 0, 0, 0, 1),
    ]


def test_a_stall_that_began_at_another_instant_is_not_the_same() -> None:
    truth = [StallTruth("picking", "order", "O-1", "opened", NOON, ONE, None, "customer_id:a")]
    found = Found(stalls=[FoundStall("picking", "O-1", "opened", NOON, TWO, None, "x")])
    assert inexact(truth, found) == [Row("stalls", "opened", 1, 0, 1, 1)]


EARLY = NOON.replace(hour=6)
CLOCK = ClockRun(EARLY, ONE, 1800.0, None, 2)
DATES = DatesTold(2, ONE, TWO, ONE)
ALARMS = Alarms(2, 1, 1, "lead")
PARTS = PartsBrought(3, 2)
LEARNED = LimitLearned(40, "bike")
FORECAST = Forecast(ONE, 0.25, 40)
MORE = (CLOCK, DATES, ALARMS, PARTS, FORECAST)
TOLD = PromiseTruth("delivery", "order", "O-1", "broken", NOON, TWO, None, "x", None, "A", *MORE)
FOUND = FoundPromise("delivery", "O-1", "broken", NOON, TWO, None, "x", None, "A", *MORE)
FIGURE = ValueTruth("answer", "machine", "L-1", "broken", NOON, 10.0, 10.0, 14.0, 0.4, "x", "Q-1")
FOUND_FIGURE = FoundValue("answer", "L-1", "broken", NOON, 10.0, 10.0, 14.0, 0.4, "x", "Q-1")
STUCK = StallTruth(
    "picking",
    "order",
    "O-1",
    "escalated",
    NOON,
    ONE,
    None,
    "x",
    ClockRun(paused_seconds=60.0),
    ALARMS,
    LEARNED,
)
FOUND_STUCK = FoundStall(
    "picking", "O-1", "escalated", NOON, ONE, None, "x", ClockRun(paused_seconds=60.0), ALARMS, LEARNED
)


def test_what_happened_to_a_promise_and_a_stage_has_rows_of_its_own() -> None:
    found = Found(promises=[FOUND], values=[FOUND_FIGURE], stalls=[FOUND_STUCK])
    rows = compare([TOLD, FIGURE, STUCK], found)
    assert [row for row in rows if row.category != "persons"] == [
        Row("promises", "broken", 1, 1, 0, 0),
        Row("dates", "put off", 1, 1, 0, 0),
        Row("parts", "brought", 2, 2, 0, 0),
        Row("parts", "missing", 1, 1, 0, 0),
        Row("forecasts", "", 1, 1, 0, 0),
        Row("figures", "broken", 1, 1, 0, 0),
        Row("stalls", "escalated", 1, 1, 0, 0),
        Row("limits", "learned", 1, 1, 0, 0),
        Row("clocks", "paused", 2, 2, 0, 0),
        Row("clocks", "standing still", 1, 1, 0, 0),
        Row("clocks", "begun anew", 1, 1, 0, 0),
        Row("clocks", "started earlier", 1, 1, 0, 0),
        Row("warnings", "passed", 4, 4, 0, 0),
        Row("warnings", "skipped", 2, 2, 0, 0),
        Row("escalation", "to lead", 2, 2, 0, 0),
    ]


@pytest.mark.parametrize(
    ("latest", "label"), [(NOON, "brought forward"), (TWO, "put off"), (ONE, "told too late")]
)
def test_dates_that_were_told_anew_are_counted_by_their_direction(latest: datetime, label: str) -> None:
    """Whoever was told another date and is held to the first one heard of it when that had passed."""
    told = msgspec.structs.replace(TOLD, dates=DatesTold(1, ONE, latest, min(latest, ONE)))
    assert {row.label for row in compare([told], Found()) if row.category == "dates"} == {label}


@pytest.mark.parametrize(
    ("changes", "categories"),
    [
        ({"per": "B"}, {"promises", "dates", "parts", "forecasts", "clocks", "warnings", "escalation"}),
        ({"forecast": None}, {"forecasts"}),
        ({"forecast": msgspec.structs.replace(FORECAST, at_risk_at=TWO)}, {"forecasts"}),
        ({"forecast": msgspec.structs.replace(FORECAST, probability=0.26)}, {"forecasts"}),
        ({"forecast": msgspec.structs.replace(FORECAST, ended=41)}, {"forecasts"}),
        ({"gap_hours": 0.5}, {"promises"}),
        ({"dates": DatesTold(1, ONE, TWO, ONE)}, {"dates"}),
        ({"dates": DatesTold(2, ONE, TWO, NOON)}, {"dates"}),
        ({"dates": None}, {"dates"}),
        ({"parts": PartsBrought(3, 1)}, {"parts"}),
        ({"parts": PartsBrought(4, 2)}, {"parts"}),
        ({"clock": msgspec.structs.replace(CLOCK, started_at=NOON)}, {"clocks"}),
        ({"clock": msgspec.structs.replace(CLOCK, paused_at=None)}, {"clocks"}),
        ({"clock": msgspec.structs.replace(CLOCK, paused_seconds=1800.000001)}, {"clocks"}),
        ({"clock": msgspec.structs.replace(CLOCK, spent_seconds=1.0)}, {"clocks"}),
        ({"clock": msgspec.structs.replace(CLOCK, resets=1)}, {"clocks"}),
        ({"alarms": msgspec.structs.replace(ALARMS, warned=1)}, {"warnings"}),
        ({"alarms": msgspec.structs.replace(ALARMS, skipped=0)}, {"warnings"}),
        ({"alarms": msgspec.structs.replace(ALARMS, steps=2)}, {"escalation"}),
        ({"alarms": msgspec.structs.replace(ALARMS, to="head")}, {"escalation"}),
    ],
)
def test_whatever_else_is_said_of_a_promise_makes_its_row_inexact_and_no_other(
    changes: dict[str, Any], categories: set[str]
) -> None:
    found = Found(promises=[FOUND._replace(**changes)])
    assert {row.category for row in inexact([TOLD], found)} == categories


@pytest.mark.parametrize(
    ("changes", "category"),
    [
        ({"status": "abandoned"}, "stalls"),
        ({"clock": ClockRun(paused_seconds=61.0)}, "clocks"),
        ({"alarms": Alarms(2, 1, 0, "")}, "escalation"),
        ({"learned": None}, "limits"),
        ({"learned": LimitLearned(41, "bike")}, "limits"),
        ({"learned": LimitLearned(40)}, "limits"),
    ],
)
def test_whatever_else_is_said_of_a_stall_makes_its_row_inexact_and_no_other(
    changes: dict[str, Any], category: str
) -> None:
    found = Found(stalls=[FOUND_STUCK._replace(**changes)])
    assert {row.category for row in inexact([STUCK], found)} == {category}


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "kept"},
        {"made_at": ONE},
        {"promised_from": 9.0},
        {"promised_to": 11.0},
        {"observed": 14.000001},
        {"observed": None},
        {"gap": 0.400001},
        {"gap": None},
        {"per": None},
    ],
)
def test_a_figure_that_was_found_otherwise_is_not_the_same(changes: dict[str, Any]) -> None:
    assert inexact([FIGURE], Found(values=[FOUND_FIGURE._replace(**changes)]))


def test_the_last_digits_of_a_figure_say_nothing() -> None:
    found = FOUND_FIGURE._replace(observed=14.000000000001, gap=0.4000000000001)
    assert inexact([FIGURE], Found(values=[found])) == []


def test_a_figure_between_two_of_nine_digits_is_rounded_as_in_its_finding_of_twelve() -> None:
    told = msgspec.structs.replace(FIGURE, gap=0.48502458649977653)
    assert inexact([told], Found(values=[FOUND_FIGURE._replace(gap=0.4850245865)])) == []


def test_a_finding_at_another_person_is_not_the_same() -> None:
    truth: list[Truth] = [
        touchpoint("1", "customer_id:a"),
        touchpoint("2", "cookie:k"),
        PromiseTruth("delivery", "order", "O-1", "made", NOON, TWO, None, "customer_id:a"),
        StallTruth("picking", "order", "O-1", "opened", NOON, ONE, None, "customer_id:a"),
    ]
    found = Found(
        touchpoints=[FoundTouchpoint("/shop", "1", "x", True), FoundTouchpoint("/shop", "2", "y", True)],
        promises=[FoundPromise("delivery", "O-1", "made", NOON, TWO, None, "y")],
        stalls=[FoundStall("picking", "O-1", "opened", NOON, ONE, None, "y")],
    )
    assert inexact(truth, found) == [
        Row("promises", "made", 1, 0, 1, 1),
        Row("stalls", "opened", 1, 0, 1, 1),
    ]


def test_a_person_is_found_when_exactly_its_touchpoints_are_together() -> None:
    truth = [
        touchpoint("1", "customer_id:a"),
        touchpoint("2", "customer_id:a"),
        touchpoint("3", "customer_id:b"),
    ]
    torn = [
        FoundTouchpoint("/shop", id_, person, True) for id_, person in (("1", "x"), ("2", "y"), ("3", "y"))
    ]
    rows = compare(truth, Found(touchpoints=torn))
    assert Row("persons", "", 2, 0, 2, 2) in rows
    assert Row("persons", CHAINED, 0, 0, 0, 1) in rows, "y is a and b"
    assert Row("persons", IN_PIECES, 0, 0, 0, 1) in rows, "a is x and y"


def test_a_tangled_person_is_found_when_exactly_its_touchpoints_are_together() -> None:
    truth: list[Truth] = [
        touchpoint("1", "customer_id:a"),
        touchpoint("2", "customer_id:b"),
        IdentifierTruth("cookie:k", "customer_id:a", "shared by few"),
        IdentifierTruth("customer_id:b", "customer_id:b", "shared by few"),
    ]
    apart = [FoundTouchpoint("/shop", "1", "x", True), FoundTouchpoint("/shop", "2", "y", True)]
    chained = [touchpoint._replace(person_id="x") for touchpoint in apart]
    assert Row("tangled", "shared by few", 2, 2, 0, 0) in compare(truth, Found(apart))
    assert Row("tangled", "shared by few", 2, 0, 2, 0) in compare(truth, Found(chained))


def test_links_that_were_refused_are_counted_by_their_rule() -> None:
    truth = [RefusedLinkTruth("unique", "customer_id:b", "cookie:k")]
    found = Found(refused_links={"unique": 2, "shared": 1})
    assert inexact(truth, found) == [
        Row("links refused", "shared", 0, 0, 0, 1),
        Row("links refused", "unique", 1, 1, 0, 1),
    ]


def test_a_touchpoint_that_was_applied_twice_is_extra() -> None:
    found = Found(touchpoints=[FoundTouchpoint("/shop", "1", "x", True)] * 2)
    assert Row("touchpoints", "", 1, 1, 0, 1) in compare([touchpoint("1", "customer_id:a")], found)


def test_late_touchpoints_are_found_where_they_were_applied() -> None:
    truth = [touchpoint("1", "customer_id:a", "late"), touchpoint("2", "customer_id:a", "late")]
    found = Found(touchpoints=[FoundTouchpoint("/shop", "1", "x", True)])
    assert Row("disorder", "late", 2, 1, 1, 0) in compare(truth, found)


def test_duplicates_and_undeclared_types_are_counted() -> None:
    truth = [touchpoint("1", "customer_id:a", copies=2), touchpoint("2", "customer_id:a", mapped=False)]
    found = Found(
        [FoundTouchpoint("/shop", "1", "x", True), FoundTouchpoint("/shop", "2", "x", False)], duplicates=3
    )
    rows = compare(truth, found)
    assert Row("duplicates", "", 2, 2, 0, 1) in rows
    assert Row("unmapped", "", 1, 1, 0, 0) in rows


def test_the_same_bad_bytes_twice_are_two_dead_letters() -> None:
    letter = DeadLetterTruth("wrong_type", "sales", fingerprint(b"{}"))
    found = Found(dead_letters=[FoundDeadLetter("wrong_type", fingerprint(b"{}"))])
    assert inexact([letter, letter], found) == [Row("dead letters", "wrong_type", 2, 1, 1, 0)]
