"""What a changed map changes, and that it is exactly that."""

from __future__ import annotations

import random
from typing import Any

import pytest
from shadow_world import (
    DELIVERED,
    MAP,
    PLACED,
    SENT,
    changed,
    counted,
    event,
    order,
    shadow,
    told,
)

from pipeline.cli.shadow_text import show_report
from pipeline.core.instants import moment

# o-1 within two days, o-2 within three, o-3 on the fifth day, o-4 never sent, o-5 placed at the end
PAST = [
    event("03-01 09:00", PLACED, "1", order_id="o-1", customer_id="anna"),
    event("03-01 10:00", PLACED, "2", order_id="o-2", customer_id="bert"),
    event("03-01 11:00", PLACED, "3", order_id="o-3", customer_id="cleo"),
    event("03-01 12:00", PLACED, "4", order_id="o-4", customer_id="dora"),
    event("03-01 15:00", SENT, "5", order_id="o-1"),
    event("03-01 16:00", SENT, "6", order_id="o-2"),
    event("03-01 17:00", SENT, "7", order_id="o-3"),
    event("03-02 09:00", DELIVERED, "8", order_id="o-1"),
    event("03-04 09:00", DELIVERED, "9", order_id="o-2"),
    event("03-06 11:00", DELIVERED, "10", order_id="o-3"),
    event("03-08 09:00", PLACED, "11", order_id="o-5", customer_id="anna"),
]


def test_a_map_that_differs_only_in_titles_differs_in_nothing() -> None:
    def retitle(journey_map: dict[str, Any]) -> None:
        journey_map["title"] = "Another name"
        journey_map["touchpoints"][PLACED]["title"] = "A purchase"
        order(journey_map)["title"] = "A purchase"
        order(journey_map)["promises"]["delivery"]["title"] = "Three days"

    report = shadow(changed(retitle), PAST)
    assert (report.changes, report.customers) == ([], [])
    assert (report.persons.joined, report.persons.split, report.persons.renamed) == (0, 0, 0)
    assert counted(report, "delivery") == {"broken": (2, 2), "kept": (2, 2), "made": (1, 1)}
    assert (report.touchpoints, report.live.persons, report.new.persons) == (11, 4, 4)


def test_a_changed_due_time_changes_exactly_the_verdicts_between_the_old_and_the_new_one() -> None:
    def sooner(journey_map: dict[str, Any]) -> None:
        order(journey_map)["promises"]["delivery"]["due"] = {"within": "48h"}

    report = shadow(changed(sooner), PAST)
    assert told(report.changes) == [
        ("promise", "delivery", "kept", "broken", {"at_risk_at": 1, "due_at": 1, "gap_hours": 1}, ["o-2"]),
        (
            "promise",
            "delivery",
            "broken",
            "broken",
            {"at_risk_at": 2, "due_at": 2, "gap_hours": 1},
            ["o-3", "o-4"],
        ),
        ("promise", "delivery", "kept", "kept", {"at_risk_at": 1, "due_at": 1, "gap_hours": 1}, ["o-1"]),
        ("promise", "delivery", "made", "made", {"at_risk_at": 1, "due_at": 1}, ["o-5"]),
    ]
    assert sorted((each.verdicts, each.facts) for each in report.customers) == [
        (0, 1),
        (0, 1),
        (0, 2),
        (1, 0),
    ]
    assert counted(report, "delivery") == {"broken": (2, 3), "kept": (2, 1), "made": (1, 1)}
    assert counted(report, "dispatch") == {"broken": (1, 1), "kept": (3, 3), "made": (1, 1)}


def test_an_example_says_of_whom_when_and_what_differs() -> None:
    def sooner(journey_map: dict[str, Any]) -> None:
        order(journey_map)["promises"]["delivery"]["due"] = {"within": "48h"}

    (verdict,) = [each for each in shadow(changed(sooner), PAST).changes if each.live != each.new]
    (example,) = verdict.examples
    assert (example.journey_type, example.journey_key, example.opened_at) == (
        "order",
        "o-2",
        "2026-03-01T10:00:00Z",
    )
    assert example.live["status"] == "kept"
    assert example.live["due_at"] == "2026-03-04T10:00:00Z"
    assert example.new["status"] == "broken"
    assert example.new["due_at"] == "2026-03-03T10:00:00Z"
    assert "owed_by" not in example.new
    assert (verdict.count, verdict.customers) == (1, 1)


def test_a_new_promise_is_in_the_new_map_alone() -> None:
    def promise_more(journey_map: dict[str, Any]) -> None:
        order(journey_map)["promises"]["fast"] = {
            "made_by": PLACED,
            "due": {"within": "24h"},
            "met_by": DELIVERED,
            "owed_by": "carrier",
        }

    report = shadow(changed(promise_more), PAST)
    assert [(rule.rule, rule.only_in) for rule in report.rules if rule.only_in != "both"] == [("fast", "new")]
    assert counted(report, "fast") == {"broken": (0, 3), "kept": (0, 1), "made": (0, 1)}
    assert sorted(told(report.changes)) == [
        ("promise", "fast", None, "broken", {}, ["o-2", "o-3", "o-4"]),
        ("promise", "fast", None, "kept", {}, ["o-1"]),
        ("promise", "fast", None, "made", {}, ["o-5"]),
    ]
    broken = report.changes[0].examples[0]
    assert broken.live == {}
    assert broken.new["due_at"] == "2026-03-02T10:00:00Z"
    assert "cancelled_at" not in broken.new, "what is not there is not told"
    assert len(report.customers) == 4
    assert [each.verdicts for each in report.customers] == [2, 1, 1, 1]


def test_a_promised_figure_is_compared_with_its_verdict_and_its_facts() -> None:
    def within(duration: str) -> dict[str, Any]:
        def promise(journey_map: dict[str, Any]) -> None:
            order(journey_map)["promises"]["transport"] = {
                "kind": "at_most",
                "promised": {"value": duration},
                "measure": {"from": SENT, "to": DELIVERED},
                "owed_by": "carrier",
            }

        return changed(promise)

    added = shadow(within("24h"), PAST)
    assert [(rule.type, rule.rule) for rule in added.rules if rule.only_in == "new"] == [
        ("value_promise", "transport")
    ]
    assert sorted(told(added.changes)) == [
        ("value_promise", "transport", None, "broken", {}, ["o-2", "o-3"]),
        ("value_promise", "transport", None, "kept", {}, ["o-1"]),
    ]
    assert added.changes[0].examples[0].new["observed"] == 65 * 3600


def test_a_removed_stage_takes_its_stalls_along_and_nothing_else() -> None:
    def remove(journey_map: dict[str, Any]) -> None:
        del order(journey_map)["stages"]["waiting"]

    report = shadow(changed(remove), PAST)
    assert [(rule.rule, rule.only_in) for rule in report.rules if rule.only_in != "both"] == [
        ("waiting", "live")
    ]
    assert told(report.changes) == [("stall", "waiting", "opened", None, {}, ["o-4"])]
    assert counted(report, "in_transit") == {"resolved": (2, 2)}


def test_a_shorter_limit_opens_stalls_and_says_that_those_there_were_began_earlier() -> None:
    def shorten(journey_map: dict[str, Any]) -> None:
        order(journey_map)["stages"]["in_transit"]["expected"] = "12h"

    report = shadow(changed(shorten), PAST)
    assert told(report.changes) == [
        ("stall", "in_transit", None, "resolved", {}, ["o-1"]),
        (
            "stall",
            "in_transit",
            "resolved",
            "resolved",
            {"limit_seconds": 2, "opened_at": 2, "since": 2},
            ["o-2", "o-3"],
        ),
    ]


def test_a_clock_that_pauses_moves_a_due_time_and_its_own_facts_are_told_by_path() -> None:
    def pause(journey_map: dict[str, Any]) -> None:
        asked, answered = "service.question.asked", "service.question.answered"
        journey_map["touchpoints"] |= {asked: {"owner": "service"}, answered: {"owner": "service"}}
        order(journey_map)["promises"]["delivery"] |= {
            "paused_by": asked,
            "resumed_by": answered,
            "warn_at": ["50%"],
        }

    past = [
        *PAST,
        event("03-02 11:00", "service.question.asked", "20", order_id="o-3"),
        event("03-04 13:00", "service.question.answered", "21", order_id="o-3"),
    ]
    report = shadow(changed(pause), past)
    (verdict,) = [each for each in report.changes if each.live != each.new]
    assert (verdict.live, verdict.new, verdict.count) == ("broken", "kept", 1)
    (example,) = verdict.examples
    assert (example.live["due_at"], example.new["due_at"]) == ("2026-03-04T11:00:00Z", "2026-03-06T13:00:00Z")
    assert example.new["clock.paused_seconds"] == 50 * 3600
    assert "clock" not in example.new
    show_report(report)


def test_another_end_completes_other_journeys() -> None:
    def end_at_dispatch(journey_map: dict[str, Any]) -> None:
        order(journey_map)["end"] = [SENT]

    report = shadow(changed(end_at_dispatch), PAST[:6])
    assert told(report.changes) == [
        ("journey", "order", "open", "completed", {"ended_at": 2}, ["o-1", "o-2"])
    ]


def test_another_owner_is_a_difference_without_another_verdict() -> None:
    def hand_over(journey_map: dict[str, Any]) -> None:
        order(journey_map)["promises"]["dispatch"]["owed_by"] = "shop"

    report = shadow(changed(hand_over), PAST)
    assert {(each.rule, each.live == each.new, *each.facts) for each in report.changes} == {
        ("dispatch", True, "owed_by", "owner")
    }


def test_time_advances_to_the_newest_touchpoint_or_as_far_as_one_says() -> None:
    def sooner(journey_map: dict[str, Any]) -> None:
        order(journey_map)["promises"]["dispatch"]["due"] = {"within": "12h"}

    open_still = shadow(changed(sooner), PAST)
    assert open_still.as_of.isoformat() == "2026-03-08T09:00:00+00:00"
    assert counted(open_still, "dispatch")["made"] == (1, 1)
    between = shadow(changed(sooner), PAST, as_of="03-08 22:00")
    assert counted(between, "dispatch") == {"broken": (1, 2), "kept": (3, 3), "made": (1, 0)}


def test_counts_cover_all_and_examples_are_the_first_by_time() -> None:
    def sooner(journey_map: dict[str, Any]) -> None:
        order(journey_map)["promises"]["delivery"]["due"] = {"within": "1h"}

    past = [
        event(f"03-01 {number // 60:02}:{number % 60:02}", PLACED, str(number), order_id=f"o-{number:03}")
        for number in range(300)
    ]
    random.Random(3).shuffle(past)
    (change,) = [
        each
        for each in shadow(changed(sooner), past, as_of="03-02 12:00", examples=2).changes
        if each.live != each.new
    ]
    assert (change.live, change.new, change.count, change.customers) == ("made", "broken", 300, 300)
    assert [example.journey_key for example in change.examples] == ["o-000", "o-001"]


@pytest.mark.parametrize("batch_records", [1, 3, 2000])
def test_the_order_of_the_touchpoints_and_the_batches_change_nothing(batch_records: int) -> None:
    def both(journey_map: dict[str, Any]) -> None:
        order(journey_map)["promises"]["delivery"]["due"] = {"within": "48h"}
        order(journey_map)["stages"]["in_transit"]["expected"] = "12h"

    expected = shadow(changed(both), PAST)
    shuffled = list(PAST)
    random.Random(batch_records).shuffle(shuffled)
    found = shadow(changed(both), shuffled, batch_records=batch_records)
    assert found.to_json() == expected.to_json()


@pytest.mark.parametrize("batch_records", [1, 2000])
def test_what_was_concluded_and_withdrawn_again_is_not_there(batch_records: int) -> None:
    def sooner(journey_map: dict[str, Any]) -> None:
        order(journey_map)["promises"]["delivery"]["due"] = {"within": "48h"}

    # two contents under one id: one of them stays, whichever comes first
    twice = [
        event("03-01 09:00", PLACED, "1", order_id="o-1", customer_id="anna"),
        event("03-01 09:00", PLACED, "1", order_id="o-2", customer_id="anna"),
        event("03-01 09:00", DELIVERED, "2", order_id="o-3", customer_id="anna"),
    ]
    there, back = (
        shadow(changed(sooner), coming, batch_records=batch_records) for coming in (twice, twice[::-1])
    )
    assert there.to_json() == back.to_json()
    assert there.live.touchpoints == 2
    assert sum(live for live, _ in counted(there, "order").values()) == 2
    assert counted(there, "delivery") == {"made": (1, 1)}


def test_what_a_map_refuses_is_counted_and_does_not_end_the_run() -> None:
    def need_a_date(journey_map: dict[str, Any]) -> None:
        order(journey_map)["promises"]["delivery"]["due"] = {"field": "data.due"}

    past = [
        event("03-01 09:00", PLACED, str(number), {"due": "soon"}, order_id=f"o-{number}")
        for number in range(9)
    ]
    report = shadow(changed(need_a_date), past, dead_letter_window=4, batch_records=1)
    assert (report.live.refused, report.new.refused) == ({}, {"invalid_value": 9})
    assert (report.live.touchpoints, report.new.touchpoints) == (9, 0)
    assert counted(report, "dispatch") == {"made": (9, 0)}


def test_a_report_names_both_maps_and_what_was_read() -> None:
    report = shadow(MAP, PAST)
    assert (report.live.map, report.new.map, report.source) == ("live.yaml", "new.yaml", "a list")
    assert (report.since, report.touchpoints, report.earlier, report.left_out) == (None, 11, 0, 0)
    assert report.as_of == moment(PAST[-1].time)
