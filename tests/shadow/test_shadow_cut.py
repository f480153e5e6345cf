"""A shadow run from an instant on: journeys that go on from there, whole, and no others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from shadow_world import DELIVERED, MAP, PLACED, SENT, changed, counted, event, order, plan_of, shadow, told

from pipeline.shadow.selection import shared_fields

# o-1 is over before the cut at 03-03, o-2 goes on from it, o-3 begins after it; o-4 is silent since
PAST = [
    event("03-01 09:00", PLACED, "1", order_id="o-1", customer_id="anna"),
    event("03-01 10:00", PLACED, "2", order_id="o-2", customer_id="bert"),
    event("03-01 11:00", PLACED, "3", order_id="o-4", customer_id="dora"),
    event("03-01 12:00", SENT, "4", order_id="o-2"),
    event("03-02 09:00", DELIVERED, "5", order_id="o-1"),
    event("03-03 15:00", DELIVERED, "6", order_id="o-2"),
    event("03-04 09:00", PLACED, "7", order_id="o-3", customer_id="anna"),
]


def sooner(journey_map: dict[str, Any]) -> None:
    order(journey_map)["promises"]["delivery"]["due"] = {"within": "48h"}


@pytest.mark.parametrize("journey", ["order", "parcel"])
def test_a_journey_that_goes_on_is_judged_with_all_its_touchpoints(journey: str) -> None:
    def rename(journey_map: dict[str, Any]) -> None:
        sooner(journey_map)
        journey_map["journeys"] = {journey: order(journey_map)}

    report = shadow(changed(rename), PAST, since="03-03 00:00")
    assert (report.touchpoints, report.earlier) == (2, 2)
    if journey == "order":
        assert counted(report, "delivery") == {"broken": (0, 1), "kept": (1, 0), "made": (1, 1)}
        (verdict,) = [each for each in report.changes if each.live != each.new]
        assert [example.journey_key for example in verdict.examples] == ["o-2"]
    else:
        assert counted(report, "parcel") == {"completed": (0, 1), "open": (0, 1)}


def test_without_a_cut_all_are_judged() -> None:
    report = shadow(changed(sooner), PAST)
    assert (report.touchpoints, report.earlier, report.left_out) == (7, 0, 0)
    assert sum(live for live, _ in counted(report, "delivery").values()) == 4


def test_a_journey_of_which_only_a_part_is_there_is_left_out() -> None:
    """An earlier touchpoint of one that goes on may belong to another that does not."""

    def follow_customers(journey_map: dict[str, Any]) -> None:
        journey_map["journeys"]["customer"] = {"key": "identities.customer_id"}

    past = [
        event("03-01 09:00", PLACED, "1", order_id="o-1", customer_id="anna"),
        event("03-01 10:00", PLACED, "2", order_id="o-2", customer_id="anna"),
        event("03-03 09:00", DELIVERED, "3", order_id="o-2"),
    ]
    whole = shadow(changed(follow_customers), past)
    assert counted(whole, "customer") == {"open": (0, 1)}
    report = shadow(changed(follow_customers), past, since="03-02 00:00")
    assert (report.touchpoints, report.earlier) == (1, 1)
    assert counted(report, "customer") == {}
    assert counted(report, "order") == {"completed": (1, 1)}
    assert report.left_out == 1


def test_an_earlier_touchpoint_counts_if_either_map_needs_it() -> None:
    def follow_customers(journey_map: dict[str, Any]) -> None:
        journey_map["journeys"]["customer"] = {"key": "identities.customer_id"}

    past = [
        event("03-01 09:00", PLACED, "1", order_id="o-1", customer_id="anna"),
        event("03-03 09:00", PLACED, "2", order_id="o-2", customer_id="anna"),
    ]
    report = shadow(changed(follow_customers), past, since="03-02 00:00")
    assert (report.touchpoints, report.earlier) == (1, 1)
    assert counted(report, "order") == {"open": (1, 1)}
    assert told(report.changes) == [("journey", "customer", None, "open", {}, ["anna"])]
    assert report.left_out == 8  # the journey of o-1, its two promises and its stall, under both maps


def of_kind(**more: Any) -> Callable[[dict[str, Any]], None]:
    def change(journey_map: dict[str, Any]) -> None:
        journey_map["identifiers"]["order_id"].update(more)

    return change


def keyed_by(field: str) -> Callable[[dict[str, Any]], None]:
    def change(journey_map: dict[str, Any]) -> None:
        order(journey_map)["key"] = field

    return change


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        (of_kind(), ["identities.order_id"]),
        (keyed_by("subject"), ["identities.order_id", "subject"]),
        (keyed_by("data.order"), None),
        (of_kind(case_sensitive=False), None),
        (of_kind(normalise="email"), None),
        (keyed_by("identities.email"), ["identities.order_id", "identities.email"]),
    ],
)
def test_earlier_touchpoints_are_looked_up_only_by_values_that_are_written_alike(
    change: Callable[[dict[str, Any]], None], fields: list[str] | None
) -> None:
    live, new = plan_of(MAP), plan_of(changed(change))
    assert shared_fields(live, new) == fields
    back = shared_fields(new, live)
    assert back is None if fields is None else sorted(back or []) == sorted(fields)
