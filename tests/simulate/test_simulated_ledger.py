"""What the company does to its promises and stages, to be seen in the truth; and that it goes wrong without its rule."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from brute_force import Touch, decode
from changed_map import without
from memory_run import rows_of

from pipeline.core.instants import micros, moment
from pipeline.simulate.company import CARRIERS, FIRST_RESPONSE_WITHIN, HELP_DESK
from pipeline.simulate.episode import Outcomes
from pipeline.simulate.faults import NO_FAULTS, SimulatedRecord
from pipeline.simulate.simulation import Simulation
from pipeline.simulate.tangles import NO_TANGLES
from pipeline.simulate.truth import DeadLetterTruth, PromiseTruth, StallTruth, Truth, fingerprint
from schemas.journey_map import JourneyMap
from schemas.learned import Forecast, LearnedLimit

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def promises(truth: Iterable[Truth], rule: str) -> list[PromiseTruth]:
    return [line for line in truth if isinstance(line, PromiseTruth) and line.rule == rule]


def stalls(truth: Iterable[Truth], stage: str) -> list[StallTruth]:
    return [line for line in truth if isinstance(line, StallTruth) and line.stage == stage]


@pytest.fixture(scope="module")
def said(records: list[SimulatedRecord], truth: list[Truth]) -> dict[str, list[Touch]]:
    """Each ticket's touchpoints, in order of their time."""
    refused = {line.fingerprint for line in truth if isinstance(line, DeadLetterTruth)}
    tickets: dict[str, dict[str, Touch]] = defaultdict(dict)
    for record in records:
        if record.domain == "service" and record.value and fingerprint(record.value) not in refused:
            touch = decode(record)
            tickets[touch.value("identities.ticket_id")][touch.id] = touch
    return {key: sorted(each.values(), key=lambda touch: touch.time) for key, each in tickets.items()}


def times(touches: list[Touch], kind: str) -> list[datetime]:
    return [touch.time for touch in touches if touch.type == f"service.{kind}"]


def test_tickets_are_answered_in_time_late_and_never_and_some_are_withdrawn(truth: list[Truth]) -> None:
    fates = {line.status for line in promises(truth, "first_response")}
    assert fates >= {"kept", "met_late", "broken", "cancelled"}


def test_questions_wait_for_the_customer_over_nights_and_week_ends(
    truth: list[Truth], said: dict[str, list[Touch]]
) -> None:
    paused = [line for line in promises(truth, "first_response") if line.clock.paused_seconds]
    spans = [
        (asked, heard)
        for line in paused
        for asked, heard in zip(
            times(said[line.journey_key], "question.asked"),
            times(said[line.journey_key], "question.answered"),
            strict=False,
        )
    ]
    assert sum(heard - asked < 4 * HOUR and asked.date() == heard.date() for asked, heard in spans) > 5
    assert sum(asked.date() < heard.date() for asked, heard in spans) > 5
    assert sum(asked.isocalendar()[:2] < heard.isocalendar()[:2] for asked, heard in spans) > 5
    # kept only because the clock stood still, and late all the same
    assert {line.status for line in paused} >= {"kept", "met_late"}
    assert any(line.due_at > _first_due(line) + DAY for line in paused if line.status == "kept")


def _first_due(line: PromiseTruth) -> datetime:
    """When the first response would be due if nothing had been said."""
    return moment(HELP_DESK.after(micros(line.made_at), FIRST_RESPONSE_WITHIN))


def test_a_question_after_the_breach_mends_nothing(truth: list[Truth], said: dict[str, list[Touch]]) -> None:
    late = [
        line
        for line in promises(truth, "first_response")
        if line.status in ("met_late", "broken")
        and any(line.due_at < at for at in times(said[line.journey_key], "question.asked"))
    ]
    assert len(late) > 5
    assert {line.due_at for line in late if not line.clock.resets} <= {_first_due(line) for line in late}
    assert all(line.clock.paused_at is None for line in late)


def test_another_team_begins_the_clock_anew_unless_it_is_too_late(
    truth: list[Truth], said: dict[str, list[Touch]]
) -> None:
    begun = [line for line in promises(truth, "first_response") if line.clock.resets]
    assert {"kept", "met_late"} <= {line.status for line in begun}
    assert all(line.clock.started_at > line.made_at for line in begun if line.clock.started_at)
    handed_on = {key for key, touches in said.items() if times(touches, "ticket.transferred")}
    in_vain = [
        line
        for line in promises(truth, "first_response")
        if line.status == "met_late" and line.journey_key in handed_on and not line.clock.resets
    ]
    assert in_vain


def test_dates_are_brought_forward_and_put_off_in_time_and_too_late(truth: list[Truth]) -> None:
    for rule in ("delivery", "split_parcel"):
        told = [line.dates for line in promises(truth, rule) if line.dates]
        assert any(dates.latest_due_at < dates.first_due_at for dates in told)
        assert any(dates.latest_due_at > dates.first_due_at for dates in told)
        assert any(dates.latest_due_at == dates.first_due_at for dates in told), "all of them too late"
        assert any(dates.times > 1 for dates in told)


def test_three_judges_come_to_different_verdicts(truth: list[Truth]) -> None:
    latest = {line.journey_key: line for line in promises(truth, "delivery")}
    first = promises(truth, "express_delivery")
    assert {line.status for line in first if latest[line.journey_key].status != line.status} >= {
        "kept",
        "met_late",
    }
    by_parcel = {line.per: line for line in promises(truth, "split_parcel")}
    best = [line for line in promises(truth, "parcel_arrival") if line.journey_key in by_parcel]
    assert any(line.status == "met_late" and by_parcel[line.journey_key].status == "kept" for line in best)


def test_of_an_order_in_several_parcels_each_has_its_own_fate(truth: list[Truth]) -> None:
    orders: dict[str, list[PromiseTruth]] = defaultdict(list)
    for line in promises(truth, "split_parcel"):
        orders[line.journey_key].append(line)
    assert {len(lines) for lines in orders.values()} >= {2, 3}
    assert any({line.status for line in lines} >= {"kept", "met_late"} for lines in orders.values())
    parts = [line.parts for line in promises(truth, "all_parcels") if line.status == "broken"]
    assert any(each and 0 < each.brought < each.needed for each in parts), "one came, another did not"


def test_warnings_pass_and_are_skipped_where_the_clock_started_earlier(truth: list[Truth]) -> None:
    earlier = [
        line
        for line in promises(truth, "urgent_resolution")
        if line.clock.started_at and line.clock.started_at < line.made_at
    ]
    assert any(line.alarms.skipped and line.alarms.warned for line in earlier)
    assert all(line.alarms.skipped == 0 for line in promises(truth, "first_response"))
    assert {line.alarms.warned for line in promises(truth, "first_response")} == {0, 1, 2}


def test_what_is_late_is_escalated_step_by_step(truth: list[Truth]) -> None:
    steps = {(line.alarms.steps, line.alarms.to) for line in promises(truth, "first_response")}
    assert steps == {(0, ""), (1, "service-lead"), (2, "head-of-service")}


def test_stages_stand_still_are_escalated_and_given_up(truth: list[Truth], company_map: JourneyMap) -> None:
    waiting = stalls(truth, "waiting_for_agent")
    assert {line.status for line in waiting} >= {"escalated", "resolved", "abandoned"}
    assert any(line.clock.paused_seconds for line in waiting)
    abandoned = [
        line for name in ("waiting_for_agent", "setup", "awaiting_payment") for line in stalls(truth, name)
    ]
    assert {line.left_at is None for line in abandoned if line.status == "abandoned"} == {True, False}


def test_a_limit_is_learned_of_each_carrier_and_of_all_and_fires_only_where_it_is_the_shorter_one(
    truth: list[Truth],
) -> None:
    lines = [*stalls(truth, "in_transit"), *stalls(FEW.truth(), "in_transit")]
    learned = [line for line in lines if line.learned]
    # of few customers only that of all is known at first
    assert {line.learned.segment for line in learned if line.learned} == {None, *CARRIERS}
    assert all(line.since - line.entered_at < 6 * DAY for line in learned)
    assert {line.since - line.entered_at for line in lines if not line.learned} == {6 * DAY}
    assert {line.status for line in learned} == {"opened", "resolved"}
    assert any(line.left_at and line.left_at - line.entered_at < 6 * DAY for line in learned)
    # another day has learned something else
    assert len({line.since - line.entered_at for line in learned}) > 10


def test_a_dispatch_is_at_risk_by_what_became_of_earlier_ones_and_sooner_than_by_a_share_of_the_way(
    simulation: Simulation, truth: list[Truth]
) -> None:
    lines = promises(truth, "dispatch")
    told = [line for line in lines if line.forecast]
    assert all(line.made_at - simulation.start < 5 * DAY for line in lines if line not in told)
    assert any(line.forecast.at_risk_at < line.made_at + 24 * HOUR for line in told if line.forecast)
    open_now = {line.status: line for line in told if line.status in ("made", "at_risk")}
    assert set(open_now) == {"made", "at_risk"}
    assert any(line.status == "at_risk" and simulation.end - line.made_at < 36 * HOUR for line in told)
    # cards and transfers have each a forecast of their own
    known = {(line.made_at.date(), line.forecast.ended) for line in told if line.forecast}
    assert len(known) > len({date for date, _ in known})


def test_a_voucher_is_forecast_by_its_campaign_whenever_it_is_due_and_though_it_is_declined(
    truth: list[Truth],
) -> None:
    told = [line for line in promises(truth, "voucher") if line.forecast]
    assert {line.status for line in told} >= {"made", "kept", "met_late", "broken", "cancelled"}
    shares = [
        (line.forecast.at_risk_at - line.made_at) / (line.due_at - line.made_at)
        for line in told
        if line.forecast
    ]
    assert min(shares) < 0.5
    assert max(shares) > 0.75


FEW = Simulation(seed=6, customers=250, faults=NO_FAULTS, tangles=NO_TANGLES)
TROUBLED = Simulation(
    seed=6,
    customers=150,
    faults=NO_FAULTS,
    tangles=NO_TANGLES,
    outcomes=Outcomes(late=0.2, never=0.1, stuck=0.2, dropped=0.1),
)


@pytest.mark.parametrize(
    ("name", "changes", "row"),
    [
        ("first_response", {"paused_by": [], "resumed_by": []}, ("clocks", "paused")),
        ("first_response", {"reset_by": []}, ("clocks", "begun anew")),
        ("first_response", {"warn_at": []}, ("warnings", "passed")),
        ("first_response", {"escalate": []}, ("escalation", "to service-lead")),
        ("urgent_resolution", {"starts": None}, ("clocks", "started earlier")),
        ("urgent_resolution", {"starts": None}, ("warnings", "skipped")),
        ("delivery", {"revised_by": []}, ("dates", "put off")),
        ("delivery", {"judged_by": "best"}, ("promises", "kept")),
        ("express_delivery", {"judged_by": "latest"}, ("promises", "kept")),
        ("split_parcel", {"per": None}, ("promises", "kept")),
        ("all_parcels", {"parts": None}, ("parts", "brought")),
        ("waiting_for_agent", {"paused_by": [], "resumed_by": []}, ("clocks", "paused")),
        ("waiting_for_agent", {"calendar": None}, ("stalls", "resolved")),
        ("waiting_for_agent", {"escalate": []}, ("escalation", "to service-lead")),
        ("setup", {"abandoned_after": None}, ("stalls", "abandoned")),
    ],
)
def test_without_one_of_its_rules_the_table_is_not_exact(
    name: str, changes: dict[str, Any], row: tuple[str, str], company_map: JourneyMap
) -> None:
    rows = rows_of(TROUBLED, without(company_map, name, **changes))
    assert [each.missed > 0 for each in rows if each[:2] == row] == [True]


@pytest.mark.parametrize(
    ("changes", "label"),
    [
        ({"learned": None}, "learned"),
        ({"learned": LearnedLimit(quantile=0.5, times=3, least=20)}, "learned"),
        ({"learned": LearnedLimit(quantile=0.5, times=3, least=30, segment="data.carrier")}, "learned"),
        ({"expected": None}, "declared"),
    ],
)
def test_without_its_limit_or_the_way_it_is_learned_a_stage_stalls_otherwise(
    changes: dict[str, Any], label: str, company_map: JourneyMap
) -> None:
    assert [row for row in rows_of(FEW, company_map) if row.category == "limits" and not row.is_exact] == []
    rows = rows_of(FEW, without(company_map, "in_transit", **changes))
    assert [row.missed > 0 for row in rows if row[:2] == ("limits", label)] == [True]


@pytest.mark.parametrize(
    "at_risk",
    [
        0.75,
        Forecast(probability=0.6, least=20, segment="data.method"),
        Forecast(probability=0.5, least=40, segment="data.method"),
        Forecast(probability=0.5, least=20),
    ],
)
def test_without_its_forecast_or_with_another_one_a_promise_is_at_risk_otherwise(
    at_risk: float | Forecast, company_map: JourneyMap
) -> None:
    assert [
        row for row in rows_of(FEW, company_map) if row.category == "forecasts" and not row.is_exact
    ] == []
    rows = rows_of(FEW, without(company_map, "dispatch", at_risk=at_risk))
    assert [row.missed > 0 for row in rows if row.category == "forecasts"] == [True]


def test_while_nothing_is_known_a_share_of_the_way_decides(company_map: JourneyMap) -> None:
    early = Simulation(seed=6, customers=250, days=1.9, faults=NO_FAULTS, tangles=NO_TANGLES)
    assert {line.forecast for line in promises(early.truth(), "dispatch")} == {None}
    otherwise = Forecast(probability=0.5, least=20, segment="data.method", otherwise=0.4)
    rows = rows_of(early, without(company_map, "dispatch", at_risk=otherwise))
    assert [row.extra > 0 for row in rows if row[:2] == ("promises", "at_risk")] == [True]
