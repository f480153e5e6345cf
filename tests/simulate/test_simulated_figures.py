"""Promised figures of the company, to be seen in the truth; and that they go wrong without what their rules say."""

from __future__ import annotations

from collections import defaultdict
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from changed_map import without
from laws import some
from memory_run import inexact, rows_of

from pipeline.simulate.faults import NO_FAULTS
from pipeline.simulate.simulation import Simulation
from pipeline.simulate.tangles import NO_TANGLES
from pipeline.simulate.truth import PromiseTruth, Truth, ValueTruth
from schemas.calendars import CalendarByField, DueEndOf
from schemas.figures import Conversion, Habit, PromisedHabit, PromisedValue
from schemas.journey_map import JourneyMap

FATES = {
    "consumption": {"made", "kept", "exceeded", "broken", "lapsed", "cancelled"},
    "temperature": {"made", "kept", "broken", "lapsed"},
    "fee": {"made", "kept", "broken"},
    "usual_charge": {"kept", "exceeded", "broken"},
    "answer": {"kept", "broken", "lapsed"},
    "transfers": {"made", "kept", "broken"},
    "satisfaction": {"made", "kept", "exceeded", "broken", "lapsed"},
}
LISBON = "depot_lisbon"
BY_DEPOT = CalendarByField(
    field="data.depot", values={"berlin": "depot_berlin", "lisbon": LISBON}, otherwise="depot_berlin"
)
KIT_DUE = DueEndOf(end_of="2 business days", calendar=BY_DEPOT)
ZONES = (ZoneInfo("Europe/Berlin"), ZoneInfo("Europe/Lisbon"))
SOME = Simulation(seed=6, customers=400, faults=NO_FAULTS, tangles=NO_TANGLES)


@pytest.fixture(scope="module")
def figures(truth: list[Truth]) -> dict[str, list[ValueTruth]]:
    """By rule."""
    found: dict[str, list[ValueTruth]] = defaultdict(list)
    for line in truth:
        if isinstance(line, ValueTruth):
            found[line.rule].append(line)
    return found


def test_all_kinds_of_figures_are_promised_and_every_fate_that_they_can_have_occurs(
    figures: dict[str, list[ValueTruth]], company_map: JourneyMap
) -> None:
    rules = {name: rule for each in company_map.journeys.values() for name, rule in each.values.items()}
    assert {rule.kind for rule in rules.values()} == {"at_most", "at_least", "equals", "range"}
    assert set(rules) == set(FATES)
    for name, fates in FATES.items():
        assert {line.status for line in figures[name]} >= fates, name


def test_what_is_broken_says_by_how_much_once_it_was_observed(figures: dict[str, list[ValueTruth]]) -> None:
    broken = [line for lines in figures.values() for line in lines if line.status == "broken"]
    assert all(line.gap and line.gap > 0 for line in broken if line.observed is not None)
    never_answered = [line for line in broken if line.observed is None]
    assert {line.rule for line in never_answered} == {"answer"}
    assert all(line.gap is None for line in never_answered)
    below = [line for line in figures["temperature"] if line.observed and line.observed < 55]
    above = [line for line in figures["temperature"] if line.observed and line.observed > 65]
    assert below
    assert above


def test_a_habit_is_promised_once_enough_is_known_and_is_each_customers_own(
    figures: dict[str, list[ValueTruth]],
) -> None:
    by_contract: dict[str, list[ValueTruth]] = defaultdict(list)
    for line in figures["usual_charge"]:
        by_contract[line.journey_key].append(line)
    assert any(len({line.promised_to for line in lines}) > 1 for lines in by_contract.values())
    assert len({line.promised_to for line in figures["usual_charge"]}) > len(by_contract) / 2


def test_a_kit_is_brought_some_pieces_at_a_time_by_the_end_of_a_day_of_its_depot(truth: list[Truth]) -> None:
    kits = [line for line in truth if isinstance(line, PromiseTruth) and line.rule == "kit"]
    assert {line.status for line in kits} >= {"made", "kept", "met_late", "broken"}
    parts = [line.parts for line in kits if line.parts]
    assert any(each.needed > 2 and each.brought == each.needed for each in parts), "more than one at a time"
    assert any(0 < each.brought < each.needed for each in parts)
    by_the_wall = {line.due_at.astimezone(zone).strftime("%H:%M") for line in kits for zone in ZONES}
    assert by_the_wall >= {"14:00", "17:00", "12:00"}


@pytest.mark.parametrize(
    ("changes", "row"),
    some(
        [
            ({"part": None}, ("parts", "brought")),
            ({"parts": None}, ("parts", "missing")),
            ({"due": DueEndOf(end_of="2 business days", calendar="depot_berlin")}, ("promises", "kept")),
            ({"due": KIT_DUE.model_copy(update={"end_of": "3 business days"})}, ("promises", "kept")),
            ({"due": KIT_DUE.model_copy(update={"at": "10:00"})}, ("promises", "kept")),
            (
                {
                    "due": DueEndOf(
                        end_of="2 business days", calendar=BY_DEPOT.model_copy(update={"otherwise": LISBON})
                    )
                },
                ("promises", "kept"),
            ),
        ]
    ),
)
def test_without_what_its_rule_says_a_kit_comes_at_another_time(
    changes: dict[str, Any], row: tuple[str, str], company_map: JourneyMap
) -> None:
    rows = rows_of(SOME, without(company_map, "kit", **changes))
    assert [each.missed > 0 for each in rows if each[:2] == row] == [True]


@pytest.mark.parametrize(
    ("name", "changes", "status"),
    some(
        [
            ("consumption", {"tolerance": 0}, "kept"),
            ("consumption", {"exceeds_by": None}, "exceeded"),
            ("consumption", {"cancelled_by": []}, "cancelled"),
            ("consumption", {"window": None}, "broken"),
            ("consumption", {"resolved": Conversion(factor=1)}, "kept"),
            ("temperature", {"resolved": Conversion(factor=5 / 9)}, "kept"),
            ("temperature", {"resolved": Conversion(factor=1, offset=0)}, "kept"),
            ("fee", {"kind": "at_least"}, "broken"),
            ("fee", {"window": None}, "kept"),
            ("usual_charge", {"promised": PromisedHabit(habit=Habit(last=1, least=1))}, "kept"),
            ("usual_charge", {"promised": PromisedHabit(habit=Habit(last=4, least=3))}, "kept"),
            ("usual_charge", {"promised": PromisedValue(value=20.0, unit="EUR")}, "kept"),
            ("answer", {"promised": PromisedValue(value="1m")}, "broken"),
            ("answer", {"closed_by": []}, "lapsed"),
            ("transfers", {"promised": PromisedValue(value=2.0)}, "broken"),
            ("satisfaction", {"kind": "at_most"}, "broken"),
            ("satisfaction", {"window": None}, "lapsed"),
        ]
    ),
)
def test_without_what_its_rule_says_a_figure_ends_otherwise(
    name: str, changes: dict[str, Any], status: str, company_map: JourneyMap
) -> None:
    rows = rows_of(SOME, without(company_map, name, **changes))
    assert [row.missed > 0 for row in rows if row[:2] == ("figures", status)] == [True]


def test_with_all_that_its_rules_say_every_figure_ends_as_it_should(company_map: JourneyMap) -> None:
    assert inexact(rows_of(SOME, company_map)) == []
