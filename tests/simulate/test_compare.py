"""Injected, found, missed, extra."""

from __future__ import annotations

from datetime import UTC, datetime

from pipeline.simulate.compare import (
    Found,
    FoundDeadLetter,
    FoundPromise,
    FoundStall,
    FoundTouchpoint,
    Row,
    compare,
)
from pipeline.simulate.truth import (
    DeadLetterTruth,
    PromiseTruth,
    StallTruth,
    TouchpointTruth,
    Truth,
    fingerprint,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ONE = datetime(2026, 3, 2, 13, tzinfo=UTC)
TWO = datetime(2026, 3, 2, 14, tzinfo=UTC)


def touchpoint(
    id_: str, person: str, arrival: str = "prompt", copies: int = 0, mapped: bool = True
) -> TouchpointTruth:
    return TouchpointTruth("/shop", id_, "sales.order.placed", person, mapped, arrival, copies)  # type: ignore[arg-type]


def test_what_was_found_as_injected_is_neither_missed_nor_extra() -> None:
    truth: list[Truth] = [
        touchpoint("1", "customer_id:a"),
        PromiseTruth("delivery", "order", "O-1", "met_late", NOON, ONE, TWO),
        StallTruth("picking", "order", "O-1", "resolved", NOON, ONE, TWO),
        DeadLetterTruth("wrong_type", "sales", fingerprint(b"{}")),
    ]
    found = Found(
        touchpoints=[FoundTouchpoint("/shop", "1", "some-uuid", True)],
        promises=[FoundPromise("delivery", "O-1", "broken", NOON, ONE, TWO)],
        stalls=[FoundStall("picking", "O-1", "resolved", NOON, ONE, TWO)],
        dead_letters=[FoundDeadLetter("wrong_type", fingerprint(b"{}"))],
    )
    assert compare(truth, found) == [
        Row("touchpoints", "", 1, 1, 0, 0),
        Row("persons", "", 1, 1, 0, 0),
        Row("promises", "met_late", 1, 1, 0, 0),
        Row("stalls", "resolved", 1, 1, 0, 0),
        Row("dead letters", "wrong_type", 1, 1, 0, 0),
    ]


def test_a_promise_found_with_another_status_is_missed_once_and_extra_once() -> None:
    truth = [PromiseTruth("delivery", "order", "O-1", "kept", NOON, TWO, ONE)]
    found = Found(promises=[FoundPromise("delivery", "O-1", "broken", NOON, TWO, ONE)])
    assert compare(truth, found) == [
        Row("promises", "kept", 1, 0, 1, 0),
        Row("promises", "met_late", 0, 0, 0, 1),
    ]


def test_a_stall_that_began_at_another_instant_is_not_the_same() -> None:
    truth = [StallTruth("picking", "order", "O-1", "opened", NOON, ONE, None)]
    found = Found(stalls=[FoundStall("picking", "O-1", "opened", NOON, TWO, None)])
    assert compare(truth, found) == [Row("stalls", "opened", 1, 0, 1, 1)]


def test_a_person_is_found_when_exactly_its_touchpoints_are_together() -> None:
    truth = [
        touchpoint("1", "customer_id:a"),
        touchpoint("2", "customer_id:a"),
        touchpoint("3", "customer_id:b"),
    ]
    torn = [
        FoundTouchpoint("/shop", id_, person, True) for id_, person in (("1", "x"), ("2", "y"), ("3", "y"))
    ]
    assert Row("persons", "", 2, 0, 2, 2) in compare(truth, Found(touchpoints=torn))


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
    assert compare([letter, letter], found) == [Row("dead letters", "wrong_type", 2, 1, 1, 0)]
