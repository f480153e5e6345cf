"""What becomes of a promised figure, sentence by sentence of docs/semantics.md."""

from __future__ import annotations

from typing import Any

import pytest
from journey_world import Story, at
from value_world import (
    ANSWERED,
    CONSUMPTION,
    ENDED,
    REFUSED,
    RETURNED,
    SEEN,
    STARTED,
    TRANSFERRED,
    TRANSFERS,
    TRIP,
    WAITED,
    fuel,
    standing,
    told,
)

AD = ("2026-03-01 09:00", SEEN, {"claimed": 6.0})
BACK = ("2026-03-09 09:00", RETURNED)
TEN_SECONDS = standing(promised={"value": "10 s"}, measure=WAITED)
ONE_TRANSFER = standing(promised={"value": 1}, measure=TRANSFERS)


def trip(when: str, consumption: Any, **data: Any) -> tuple[str, str, dict[str, Any]]:
    return when, TRIP, {"consumption": consumption, **data}


def taking(take: str, kind: str, figure: float, **more: Any) -> dict[str, Any]:
    """A figure without a unit, promised by an advertisement and measured until the car is returned."""
    measure = {"field": "data.consumption", "of": TRIP, "take": take}
    return fuel(**{"kind": kind, "promised": {"value": figure}, "measure": measure, **more})


def month(*figures: float) -> list[tuple[str, str, dict[str, Any]]]:
    """One trip each day of March, from the second on."""
    return [trip(f"2026-03-{day:02} 09:00", figure) for day, figure in enumerate(figures, 2)]


def verdict(story: Story) -> tuple[str, float | None, float | None]:
    found = story.last("figure")
    return found.status, found.detail.observed, found.detail.gap


# -- who promises what


def test_an_advertised_consumption_of_6_and_an_observed_one_of_7_8_is_a_gap_of_30_percent() -> None:
    story = told(fuel(), AD, trip("2026-03-05 09:00", 7.8), BACK)
    broken = story.last("figure")
    assert verdict(story) == ("broken", 7.8, 0.3)
    assert (broken.detail.promised_from, broken.detail.promised_to, broken.detail.unit) == (6, 6, "l/100km")
    assert (broken.detail.made_at, broken.detail.made_by) == (at("2026-03-01 09:00"), SEEN)
    assert (broken.detail.basis, broken.detail.kind) == ("touchpoint", "at_most")
    assert (broken.detail.measured, broken.detail.observations) == ("last", 1)
    assert (broken.owner, broken.detail.owed_by) == ("engines", "engines")
    assert broken.detail.observed_at == at("2026-03-05 09:00")
    assert broken.detail.closed_at == at("2026-03-09 09:00")
    assert broken.evidence == [f"shop#{kind}-1" for kind in (SEEN, TRIP, RETURNED)]


def test_a_promise_is_published_as_it_is_made_and_says_what_has_been_observed_so_far() -> None:
    story = told(fuel(), AD)
    assert verdict(story) == ("made", None, None)
    story.happens("2026-03-05 09:00", TRIP, consumption=7.8)
    assert verdict(story.batch()) == ("made", 7.8, None)


def test_each_making_touchpoint_makes_a_promise_of_its_own() -> None:
    story = told(fuel(), AD, ("2026-03-02 09:00", SEEN, {"claimed": 8}), trip("2026-03-05 09:00", 7.8), BACK)
    assert [found.status for found in story.all("figure")] == ["broken", "kept"]


@pytest.mark.parametrize("claimed", ["6.0", None, True, float("1e101")])
def test_a_making_without_a_figure_promises_nothing(claimed: Any) -> None:
    assert told(fuel(), (AD[0], SEEN, {"claimed": claimed}), *month(7.8), BACK).findings == []


def test_a_range_may_come_from_the_map_and_from_the_making() -> None:
    between = {"from": {"field": "data.claimed"}, "to": 8, "unit": "l/100km"}
    story = told(fuel(kind="range", promised=between), AD, *month(5.4), BACK)
    assert verdict(story) == ("broken", 5.4, 0.1)
    detail = story.last("figure").detail
    assert (detail.promised_from, detail.promised_to, detail.basis) == (6, 8, "touchpoint")


def test_a_range_that_ends_before_it_begins_promises_nothing() -> None:
    between = {"from": {"field": "data.claimed"}, "to": 5, "unit": "l/100km"}
    assert told(fuel(kind="range", promised=between), AD, *month(5.5), BACK).findings == []


def test_a_standing_promise_is_made_by_what_is_measured_first() -> None:
    story = told(ONE_TRANSFER, ("2026-03-01 09:00", STARTED), ("2026-03-01 09:05", TRANSFERRED))
    made = story.last("figure")
    assert (made.status, made.detail.made_at) == ("made", at("2026-03-01 09:05"))
    assert (made.detail.made_by, made.detail.basis) == (TRANSFERRED, "map")


def test_a_standing_promise_is_made_again_only_when_none_is_open() -> None:
    closed = standing(promised={"value": 1}, measure=TRANSFERS, closed_by=ANSWERED)
    days = [
        ("2026-03-01 09:00", TRANSFERRED),
        ("2026-03-01 10:00", ANSWERED),
        ("2026-03-02 09:00", TRANSFERRED),
    ]
    story = told(closed, *days, ("2026-03-02 09:01", TRANSFERRED))
    assert [(found.status, found.detail.observed) for found in story.all("figure")] == [
        ("kept", 1),
        ("broken", 2),
    ]


def test_every_duration_is_a_standing_promise_of_its_own() -> None:
    calls = [("2026-03-01 09:00:00", STARTED), ("2026-03-01 09:00:08", ANSWERED)]
    calls += [("2026-03-01 10:00:00", STARTED), ("2026-03-01 10:00:12", ANSWERED)]
    story = told(TEN_SECONDS, *calls)
    found = [(each.status, each.detail.observed, each.detail.gap) for each in story.all("figure")]
    assert found == [("kept", 8, -0.2), ("broken", 12, 0.2)]


# -- what is measured


def test_what_comes_before_the_making_is_not_measured() -> None:
    assert verdict(told(fuel(), trip("2026-03-01 08:59", 9.9), AD, BACK)) == ("lapsed", None, None)


def test_a_duration_may_begin_with_the_making_and_is_measured_once() -> None:
    called = fuel(promised={"value": "10 s"}, made_by=STARTED, measure=WAITED, closed_by=None)
    calls = [
        ("2026-03-01 09:00:00", STARTED),
        ("2026-03-01 09:00:02", STARTED),
        ("2026-03-01 09:00:06", ANSWERED),
    ]
    story = told(called, *calls, ("2026-03-01 09:00:30", ANSWERED))
    assert [(found.status, found.detail.observed) for found in story.all("figure")] == [
        ("kept", 6),
        ("kept", 4),
    ]


def test_a_figure_that_is_no_number_is_no_observation() -> None:
    story = told(fuel(), AD, trip("2026-03-02 09:00", "9.9"), trip("2026-03-02 10:00", True), BACK)
    assert (story.last("figure").status, story.last("figure").detail.observations) == ("lapsed", 0)


@pytest.mark.parametrize(
    ("take", "observed", "seen"),
    [("first", 5, 2), ("last", 6, 5), ("highest", 9, 3), ("lowest", 2, 4), ("mean", 5.5, 5), ("sum", 22, 5)],
)
def test_of_several_figures_the_map_says_which_counts(take: str, observed: float, seen: int) -> None:
    story = told(taking(take, "at_least", 100), AD, *month(5, 9, 2, 6), BACK)
    detail = story.last("figure").detail
    assert (detail.observed, detail.observed_at) == (observed, at(f"2026-03-{seen:02} 09:00"))


def test_a_sum_takes_no_figure_below_zero() -> None:
    assert verdict(told(taking("sum", "at_most", 10), AD, *month(12, -5), BACK)) == ("broken", 12, 0.2)


def test_a_figure_is_converted_into_the_unit_of_the_promise() -> None:
    litres = fuel(measure={**CONSUMPTION, "unit": "l/km"})
    assert verdict(told(litres, AD, *month(0.078), BACK)) == ("broken", 7.8, 0.3)


def test_a_figure_that_equals_the_limit_once_it_is_converted_is_kept() -> None:
    degrees = {"field": "data.consumption", "of": TRIP, "unit": "degF", "take": "last"}
    cold = fuel(promised={"value": "8.3 °C"}, measure=degrees)
    assert verdict(told(cold, AD, *month(46.94), BACK))[:2] == ("kept", 8.3)


def test_figures_that_differ_by_less_than_a_billionth_are_equal() -> None:
    for more, status in ((0, "kept"), (1e-9, "broken")):
        story = told(taking("sum", "at_most", 0.3), AD, *month(0.1, 0.2, more), BACK)
        assert story.last("figure").status == status


def test_a_duration_is_told_in_the_unit_of_the_promise() -> None:
    minutes = standing(promised={"value": 10, "unit": "min"}, measure=WAITED)
    story = told(minutes, ("2026-03-01 09:00", STARTED), ("2026-03-01 09:15", ANSWERED))
    assert verdict(story) == ("broken", 15, 0.5)
    assert story.last("figure").detail.unit == "min"


def test_a_duration_of_the_map_reads_as_everywhere_in_it() -> None:
    minutes = standing(promised={"value": "1m 30s"}, measure=WAITED)
    story = told(minutes, ("2026-03-01 09:00", STARTED), ("2026-03-01 09:00:45", ANSWERED))
    assert verdict(story) == ("kept", 45, -0.5)


def test_a_duration_may_begin_with_what_ends_another() -> None:
    weekly = standing(promised={"value": "7d"}, measure={"from": TRIP, "to": TRIP})
    story = told(weekly, *[(f"2026-03-{day:02} 09:00", TRIP) for day in (1, 6, 20)])
    assert [found.status for found in story.all("figure")] == ["kept", "broken", "made"]


def test_per_tells_apart_what_a_touchpoint_is_about() -> None:
    calls = standing(promised={"value": "10 s"}, measure=WAITED, per="data.call")
    story = told(
        calls,
        ("2026-03-01 09:00:00", STARTED, {"call": 1}),
        ("2026-03-01 09:00:05", STARTED, {"call": 2}),
        ("2026-03-01 09:00:11", ANSWERED, {"call": 2}),
        ("2026-03-01 09:00:12", ANSWERED, {"call": 1}),
    )
    found = [(each.detail.per, each.status, each.detail.observed) for each in story.all("figure")]
    assert found == [("1", "broken", 12), ("2", "kept", 6)]


def test_a_touchpoint_without_a_value_of_per_concerns_every_promise() -> None:
    calls = standing(promised={"value": "10 s"}, measure=WAITED, per="data.call")
    waiting = [("2026-03-01 09:00:00", STARTED, {"call": call}) for call in (1, 2)]
    story = told(calls, *waiting, ("2026-03-01 09:00:03", ANSWERED))
    assert [found.detail.observed for found in story.all("figure")] == [3, 3]


def test_attributes_are_those_of_the_making() -> None:
    named = fuel(attributes={"campaign": "data.campaign", "product": "data.model"})
    story = told(named, (AD[0], SEEN, {"claimed": 6, "campaign": "spring"}), *month(5))
    assert story.last("figure").detail.attributes == {"campaign": "spring"}


# -- when it is complete


def test_an_observation_at_the_end_of_the_window_counts_and_one_after_it_does_not() -> None:
    week = fuel(window="7d", closed_by=None)
    inside, outside = trip("2026-03-08 09:00", 5), trip("2026-03-08 09:00:00.000001", 9)
    story = told(week, AD, inside, outside, until="2026-03-08 09:00:00.000001")
    assert verdict(story) == ("kept", 5, pytest.approx(-1 / 6))
    assert story.last("figure").detail.closes_at == at("2026-03-08 09:00")


def test_a_window_is_over_when_the_watermark_has_passed_it() -> None:
    week = fuel(window="7d", closed_by=None)
    story = told(week, AD, *month(5), until="2026-03-08 09:00")
    assert story.last("figure").status == "made"
    assert story.until("2026-03-08 09:00:00.000001").last("figure").status == "kept"


def test_what_arrives_after_the_window_but_happened_in_it_revises_the_verdict() -> None:
    week = fuel(window="7d", closed_by=None)
    story = told(week, AD, *month(5), until="2026-03-20 00:00")
    story.happens("2026-03-07 09:00", TRIP, consumption=9)
    assert verdict(story.batch()) == ("broken", 9, 0.5)
    assert story.told("figure") == ["kept", "broken"]


def test_without_window_and_closing_touchpoint_a_measurement_ends_with_its_journey() -> None:
    open_ended = fuel(closed_by=None)
    assert told(open_ended, AD, *month(5)).last("figure").status == "made"
    closed = told(open_ended, AD, *month(5), ("2026-03-20 09:00", ENDED)).last("figure")
    assert (closed.status, closed.detail.closed_at) == ("kept", at("2026-03-20 09:00"))


def test_the_end_of_a_journey_is_that_of_all_its_measurements() -> None:
    cars = fuel(closed_by=None, per="data.model", measure={**CONSUMPTION, "of": [TRIP, ENDED]})
    makings = [(AD[0], SEEN, {"claimed": 6, "model": model}) for model in ("a", "b")]
    story = told(cars, *makings, *month(5), ("2026-03-20 09:00", ENDED, {"model": "a"}))
    assert [found.status for found in story.all("figure")] == ["kept", "kept"]


@pytest.mark.parametrize("ends", [{"window": "30d"}, {"closed_by": RETURNED}])
def test_with_a_window_or_a_closing_touchpoint_the_journeys_end_ends_nothing(ends: dict[str, str]) -> None:
    story = told(fuel(**{"closed_by": None, **ends}), AD, *month(5), ("2026-03-20 09:00", ENDED))
    assert story.last("figure").status == "made"


def test_a_touchpoint_that_is_measured_and_closes_is_measured_first() -> None:
    closing = fuel(measure={**CONSUMPTION, "of": [TRIP, RETURNED]})
    assert verdict(told(closing, AD, *month(5), (*BACK, {"consumption": 9}))) == ("broken", 9, 0.5)


def test_what_is_observed_after_the_close_changes_nothing() -> None:
    story = told(fuel(), AD, *month(5), BACK, trip("2026-03-10 09:00", 9))
    assert verdict(story)[:2] == ("kept", 5)


def test_the_first_figure_completes_a_promise_that_asks_for_no_more() -> None:
    story = told(taking("first", "at_most", 6, closed_by=None), AD, *month(5, 9))
    assert verdict(story)[:2] == ("kept", 5)


# -- what is certain when


@pytest.mark.parametrize(
    ("take", "kind", "figures", "statuses"),
    [
        ("sum", "at_most", [4, 6, 1], ["made", "made", "broken"]),
        ("highest", "at_most", [4, 11, 1], ["made", "broken", "broken"]),
        ("lowest", "at_most", [11, 10, 12], ["made", "kept", "kept"]),
        ("mean", "at_most", [11, 99, 1], ["made", "made", "made"]),
        ("last", "at_most", [11, 99, 1], ["made", "made", "made"]),
        ("sum", "at_least", [4, 6, 1], ["made", "kept", "kept"]),
        ("highest", "at_least", [4, 10, 1], ["made", "kept", "kept"]),
        ("lowest", "at_least", [11, 9, 12], ["made", "broken", "broken"]),
        ("sum", "equals", [4, 6, 1], ["made", "made", "broken"]),
        ("highest", "equals", [4, 10, 1], ["made", "made", "made"]),
        ("lowest", "equals", [11, 10, 9], ["made", "made", "broken"]),
        ("mean", "equals", [10, 10, 10], ["made", "made", "made"]),
    ],
)
def test_a_verdict_falls_as_soon_as_nothing_can_change_it(
    take: str, kind: str, figures: list[float], statuses: list[str]
) -> None:
    story = told(taking(take, kind, 10), AD)
    found = []
    for when, touchpoint, data in month(*figures):
        story.happens(when, touchpoint, **data)
        found.append(story.batch().last("figure").status)
    assert found == statuses


def test_at_most_one_transfer_is_broken_by_the_second_and_not_at_the_end() -> None:
    story = told(ONE_TRANSFER, ("2026-03-01 09:00", TRANSFERRED), ("2026-03-01 09:05", TRANSFERRED))
    assert verdict(story) == ("broken", 2, 1)
    assert story.last("figure").detail.observed_at == at("2026-03-01 09:05")


def test_what_comes_after_the_verdict_sets_its_magnitude() -> None:
    story = told(ONE_TRANSFER, *[(f"2026-03-01 09:0{minute}", TRANSFERRED) for minute in range(4)])
    assert verdict(story) == ("broken", 4, 3)
    story.happens("2026-03-01 10:00", ENDED)
    story.happens("2026-03-01 10:01", TRANSFERRED)
    assert [found.detail.observed for found in story.batch().all("figure")] == [4, 1]


def test_a_duration_breaks_while_it_still_runs() -> None:
    story = told(TEN_SECONDS, ("2026-03-01 09:00", STARTED), until="2026-03-01 09:00:10")
    assert story.last("figure").status == "made"
    assert verdict(story.until("2026-03-01 09:00:10.000001")) == ("broken", None, None)
    story.happens("2026-03-01 09:00:40", ANSWERED)
    assert verdict(story.batch()) == ("broken", 40, 3)
    assert story.last("figure").detail.started_at == at("2026-03-01 09:00")


def test_a_duration_is_exact_to_the_microsecond() -> None:
    for answered, status in (("09:00:10", "kept"), ("09:00:10.000001", "broken")):
        story = told(TEN_SECONDS, ("2026-03-01 09:00", STARTED), (f"2026-03-01 {answered}", ANSWERED))
        assert story.last("figure").status == status


def test_a_duration_that_has_to_be_long_enough_is_kept_while_it_still_runs() -> None:
    lasting = standing(kind="at_least", promised={"value": "10 s"}, exceeds_by="50%", measure=WAITED)
    story = told(lasting, ("2026-03-01 09:00", STARTED), until="2026-03-01 09:00:09.999999")
    assert story.last("figure").status == "made"
    assert story.until("2026-03-01 09:00:10").last("figure").status == "kept"
    assert story.until("2026-03-01 09:00:15").last("figure").status == "exceeded"


# -- how it is judged


@pytest.mark.parametrize(
    ("kind", "figure", "status", "gap"),
    [
        ("at_most", 10.0, "kept", 0),
        ("at_most", 10.5, "kept", 0.05),
        ("at_most", 10.51, "broken", 0.051),
        ("at_most", 8.01, "kept", -0.199),
        ("at_most", 8.0, "exceeded", -0.2),
        ("at_least", 10.0, "kept", 0),
        ("at_least", 9.5, "kept", 0.05),
        ("at_least", 9.49, "broken", 0.051),
        ("at_least", 11.99, "kept", -0.199),
        ("at_least", 12.0, "exceeded", -0.2),
        ("equals", 10.5, "kept", 0.05),
        ("equals", 9.5, "kept", 0.05),
        ("equals", 9.49, "broken", 0.051),
        ("equals", 10.51, "broken", 0.051),
    ],
)
def test_tolerance_and_excess_are_shares_of_what_was_promised(
    kind: str, figure: float, status: str, gap: float
) -> None:
    more = {} if kind == "equals" else {"exceeds_by": "20%"}
    story = told(taking("last", kind, 10, tolerance="5%", **more), AD, *month(figure), BACK)
    assert verdict(story) == (status, figure, pytest.approx(gap))


@pytest.mark.parametrize(
    ("figure", "status", "gap"),
    [
        (10, "kept", 0),
        (20, "kept", 0),
        (9.5, "kept", 0.05),
        (21, "kept", 0.05),
        (9, "broken", 0.1),
        (22, "broken", 0.1),
    ],
)
def test_a_range_is_missed_by_the_distance_from_its_nearer_limit(
    figure: float, status: str, gap: float
) -> None:
    between = {"from": 10, "to": 20}
    story = told(taking("last", "range", 0, promised=between, tolerance="5%"), AD, *month(figure), BACK)
    assert verdict(story) == (status, figure, pytest.approx(gap))


def test_of_a_negative_figure_the_share_is_of_its_size() -> None:
    frozen = taking("last", "at_most", -18, tolerance="10%")
    assert verdict(told(frozen, AD, *month(-16.2), BACK)) == ("kept", -16.2, 0.1)
    assert verdict(told(frozen, AD, *month(-15.3), BACK)) == ("broken", -15.3, 0.15)


def test_of_nothing_promised_there_is_no_share_and_nothing_better() -> None:
    none = standing(promised={"value": 0}, measure=TRANSFERS, exceeds_by="20%", made_by=SEEN)
    assert verdict(told(none, AD, ("2026-03-02 09:00", TRANSFERRED))) == ("broken", 1, None)
    assert verdict(told(none, AD, ("2026-03-02 09:00", ENDED))) == ("kept", 0, None)


def test_without_exceeds_by_nothing_is_exceeded() -> None:
    assert verdict(told(taking("last", "at_most", 10), AD, *month(1), BACK)) == ("kept", 1, -0.9)


def test_of_a_count_or_a_sum_nothing_is_zero() -> None:
    most = fuel(promised={"value": 3}, measure=TRANSFERS)
    least = fuel(kind="at_least", promised={"value": 3}, measure=TRANSFERS)
    assert verdict(told(most, AD, BACK)) == ("kept", 0, -1)
    assert verdict(told(least, AD, BACK)) == ("broken", 0, 1)
    assert verdict(told(taking("sum", "at_least", 5), AD, BACK)) == ("broken", 0, 1)


@pytest.mark.parametrize("take", ["first", "last", "highest", "lowest", "mean"])
def test_of_any_other_figure_nothing_can_be_said_and_the_promise_lapses(take: str) -> None:
    lapsed = told(taking(take, "at_least", 5), AD, BACK).last("figure")
    assert (lapsed.status, lapsed.detail.observed, lapsed.detail.gap) == ("lapsed", None, None)
    assert lapsed.detail.closed_at == at("2026-03-09 09:00")


def test_a_duration_that_still_runs_at_the_close_lapses_if_it_was_not_too_long_yet() -> None:
    closed = standing(promised={"value": "10 s"}, measure=WAITED, closed_by=RETURNED)
    for second, status in (("10", "lapsed"), ("11", "broken")):
        story = told(closed, ("2026-03-01 09:00", STARTED), (f"2026-03-01 09:00:{second}", RETURNED))
        assert story.last("figure").status == status


def test_a_duration_that_outlasts_its_window_was_as_long_as_that_at_least() -> None:
    for window, status in (("10s", "lapsed"), ("11s", "broken")):
        ends = standing(promised={"value": "10 s"}, measure=WAITED, window=window)
        story = told(ends, ("2026-03-01 09:00", STARTED), ("2026-03-01 09:01", ANSWERED))
        assert story.until("2026-03-01 10:00").last("figure").status == status


# -- what cancels it


def test_a_cancellation_before_the_verdict_cancels() -> None:
    story = told(fuel(), AD, *month(9), ("2026-03-03 09:00", REFUSED), BACK)
    cancelled = story.last("figure")
    assert (cancelled.status, cancelled.detail.cancelled_at) == ("cancelled", at("2026-03-03 09:00"))
    assert (cancelled.detail.observed, cancelled.detail.gap) == (9, None)
    assert cancelled.evidence[-1] == f"shop#{REFUSED}-1"


@pytest.mark.parametrize(("kind", "status"), [("at_most", "broken"), ("at_least", "kept")])
def test_a_cancellation_after_the_verdict_changes_nothing(kind: str, status: str) -> None:
    story = told(taking("highest", kind, 5), AD, *month(9), ("2026-03-03 09:00", REFUSED), BACK)
    assert story.last("figure").status == status


def test_a_duration_that_was_too_long_already_is_not_cancelled() -> None:
    calls = standing(promised={"value": "10 s"}, measure=WAITED, cancelled_by=REFUSED)
    for second, status in (("10", "cancelled"), ("11", "broken")):
        story = told(calls, ("2026-03-01 09:00", STARTED), (f"2026-03-01 09:00:{second}", REFUSED))
        assert story.until("2026-03-01 10:00").last("figure").status == status


def test_a_cancellation_before_the_making_cancels_nothing() -> None:
    story = told(fuel(), ("2026-03-01 08:00", REFUSED), AD, *month(5), BACK)
    assert story.last("figure").status == "kept"


# -- what the customer is used to


def usual(**habit: int) -> dict[str, Any]:
    measure = {"field": "data.consumption", "of": TRIP, "unit": "kWh"}
    return standing(promised={"habit": habit}, measure=measure, tolerance="10%")


def test_a_habit_is_the_median_of_the_last_figures_and_promises_nothing_while_there_are_too_few() -> None:
    story = told(usual(last=3, least=2), *month(10, 20, 16, 18, 30))
    found = [(each.detail.promised_from, each.detail.observed, each.status) for each in story.all("figure")]
    assert found == [(15, 16, "kept"), (16, 18, "broken"), (18, 30, "broken")]
    assert {each.detail.basis for each in story.all("figure")} == {"habit"}
    assert {each.detail.unit for each in story.all("figure")} == {"kWh"}


def test_a_habit_of_durations_is_what_the_customer_usually_waits() -> None:
    rhythm = standing(promised={"habit": {"last": 5}}, measure={"from": TRIP, "to": TRIP}, tolerance="50%")
    days = [(f"2026-03-{day:02} 09:00", TRIP) for day in (1, 3, 5)]
    story = told(rhythm, *days, until="2026-03-08 09:00")
    assert [found.status for found in story.all("figure")] == ["kept", "made"]
    late = story.until("2026-03-08 09:00:00.000001").all("figure")[-1]
    assert (late.status, late.detail.promised_to, late.detail.unit) == ("broken", 2 * 86400, "s")


def test_a_habit_of_counts_is_of_those_that_are_complete() -> None:
    weekly = standing(promised={"habit": {"last": 5}}, measure=TRANSFERS, closed_by=ANSWERED)
    calls = [("2026-03-01 09:00", TRANSFERRED), ("2026-03-01 09:01", ANSWERED)]
    calls += [("2026-03-02 09:00", TRANSFERRED), ("2026-03-02 09:01", TRANSFERRED)]
    assert verdict(told(weekly, *calls)) == ("broken", 2, 1)


def test_a_promise_that_was_cancelled_teaches_no_habit() -> None:
    weekly = standing(
        promised={"habit": {"last": 5}}, measure=TRANSFERS, closed_by=ANSWERED, cancelled_by=REFUSED
    )
    calls = [
        ("2026-03-01 09:00", TRANSFERRED),
        ("2026-03-01 09:01", REFUSED),
        ("2026-03-02 09:00", TRANSFERRED),
    ]
    assert told(weekly, *calls).findings == []


# -- what is revised


def test_a_late_figure_takes_its_place_by_its_own_time() -> None:
    story = told(taking("first", "at_most", 6, closed_by=None), AD, trip("2026-03-05 09:00", 5))
    story.happens("2026-03-03 09:00", TRIP, consumption=9)
    assert verdict(story.batch()) == ("broken", 9, 0.5)
    assert story.told("figure") == ["kept", "broken"]


def test_a_promise_whose_making_is_another_one_is_withdrawn() -> None:
    story = told(ONE_TRANSFER, ("2026-03-02 09:00", TRANSFERRED))
    story.happens("2026-03-01 09:00", TRANSFERRED)
    story.batch()
    found = {each.detail.made_at: each.status for each in story.all("figure")}
    assert found == {at("2026-03-01 09:00"): "broken", at("2026-03-02 09:00"): "withdrawn"}


def test_a_figure_that_comes_twice_counts_once() -> None:
    story = told(ONE_TRANSFER)
    for _ in range(2):
        story.happens("2026-03-01 09:00", TRANSFERRED, name="t1")
    assert verdict(story.batch()) == ("made", 1, None)


def test_a_changed_map_judges_anew() -> None:
    story = told(fuel(), AD, *month(7.8), BACK)
    story.open(fuel(tolerance="30%"))
    assert verdict(story.batch().quiet()) == ("kept", 7.8, 0.3)
    assert story.last("figure").detail.tolerance == 0.3


def test_a_promise_that_becomes_a_deadline_is_withdrawn_under_its_old_name() -> None:
    story = told(fuel(), AD, *month(7.8), BACK)
    changed = fuel()
    changed["journeys"]["car"]["promises"]["figure"] = {
        "made_by": SEEN,
        "due": {"within": "1d"},
        "met_by": TRIP,
        "owed_by": "engines",
    }
    story.open(changed)
    story.batch().quiet()
    assert sorted((each.type, each.status) for each in story.all("figure")) == [
        ("promise", "kept"),
        ("value_promise", "withdrawn"),
    ]
