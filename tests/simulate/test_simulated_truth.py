"""The truth of a simulation: what an evaluation of its records by the book comes to, and nothing else."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from brute_force import evaluate
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import examples

from pipeline.simulate.compare import CHAINED, IN_PIECES, Row, compare
from pipeline.simulate.episode import Outcomes
from pipeline.simulate.faults import Faults, SimulatedRecord
from pipeline.simulate.simulation import Simulation
from pipeline.simulate.tangles import Tangles
from pipeline.simulate.truth import (
    DeadLetterTruth,
    PromiseFate,
    PromiseTruth,
    Run,
    StallFate,
    StallTruth,
    TouchpointTruth,
    Truth,
    ValueFate,
    ValueTruth,
    read_truth,
    write_truth,
)
from schemas.dead_letter import ErrorCode
from schemas.journey_map import JourneyMap


def by_the_book(simulation: Simulation, company_map: JourneyMap) -> list[Row]:
    truth = list(simulation.truth())
    refused = [line for line in truth if isinstance(line, DeadLetterTruth)]
    return compare(truth, evaluate(simulation.records(), refused, company_map, simulation.end))


def inexact(rows: list[Row]) -> list[Row]:
    return [row for row in rows if not row.is_exact]


def test_an_evaluation_by_the_book_finds_the_truth_and_nothing_else(
    simulation: Simulation, records: list[SimulatedRecord], truth: list[Truth], company_map: JourneyMap
) -> None:
    refused = [line for line in truth if isinstance(line, DeadLetterTruth)]
    rows = compare(truth, evaluate(records, refused, company_map, simulation.end))
    assert inexact(rows) == []
    assert {row.label for row in rows if not row.injected} == {CHAINED, IN_PIECES}


@settings(max_examples=examples(30), deadline=None)
@given(
    seed=st.integers(0, 10_000),
    hours=st.integers(6, 24 * 20),
    start=st.datetimes(datetime(2024, 1, 1), datetime(2026, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_the_truth_is_by_the_book_for_any_seed_start_and_length(
    company_map: JourneyMap, seed: int, hours: int, start: datetime
) -> None:
    troubled = Outcomes(late=0.2, never=0.1, stuck=0.2, dropped=0.2)
    tangled = Tangles(0.25, shared_by_few=0.1, shared_by_many=0.1, family_emails=0.1, wrong_links=0.15)
    faults = Faults(duplicates=0.1, disordered=0.2, late=0.1)
    simulation = Simulation(seed, 40, hours / 24, start, faults, troubled, tangled)
    assert inexact(by_the_book(simulation, company_map)) == []


def test_every_promise_and_every_limited_stage_of_the_map_is_put_to_the_test(
    truth: list[Truth], company_map: JourneyMap
) -> None:
    promises = [line for line in truth if isinstance(line, PromiseTruth | ValueTruth)]
    kept = {line.rule for line in promises if line.status == "kept"}
    failed = {line.rule for line in promises if line.status in ("broken", "met_late")}
    stuck = {line.stage for line in truth if isinstance(line, StallTruth)}
    journeys = company_map.journeys.values()
    assert kept == failed == {name for journey in journeys for name in journey.promises}
    assert stuck == {name for journey in journeys for name, stage in journey.stages.items() if stage.expected}


def test_every_outcome_of_promises_and_stalls_occurs(truth: list[Truth]) -> None:
    promises = Counter(line.status for line in truth if isinstance(line, PromiseTruth))
    figures = Counter(line.status for line in truth if isinstance(line, ValueTruth))
    stalls = Counter(line.status for line in truth if isinstance(line, StallTruth))
    assert set(promises) == set(get_args(PromiseFate))
    assert set(figures) == set(get_args(ValueFate))
    assert set(stalls) == set(get_args(StallFate))
    assert promises["kept"] > promises.total() / 2


def test_every_mistake_that_a_source_can_make_occurs(truth: list[Truth]) -> None:
    codes = {line.code for line in truth if isinstance(line, DeadLetterTruth)}
    assert codes == set(ErrorCode) - {ErrorCode.UNEXPECTED}


def test_touchpoints_come_duplicated_disordered_late_and_undeclared(truth: list[Truth]) -> None:
    touchpoints = [line for line in truth if isinstance(line, TouchpointTruth)]
    assert {line.arrival for line in touchpoints} == {"prompt", "disordered", "late"}
    assert any(line.copies for line in touchpoints)
    assert any(not line.mapped for line in touchpoints)


def test_most_touchpoints_find_their_customer_though_many_do_not_name_one(truth: list[Truth]) -> None:
    persons: dict[str, int] = defaultdict(int)
    for line in truth:
        if isinstance(line, TouchpointTruth):
            persons[line.person.partition(":")[0]] += 1
    assert persons["customer_id"] > 0.8 * sum(persons.values())
    assert persons["session_id"] > 0, "visitors who stay anonymous"
    assert persons["email"] > 0, "leads"


def test_no_limit_falls_within_a_minute_of_the_end(simulation: Simulation, truth: list[Truth]) -> None:
    for line in truth:
        if isinstance(line, PromiseTruth):
            assert abs(line.due_at - simulation.end) >= timedelta(minutes=1)
        # what is learned is known when all has been told, and falls when it falls
        if isinstance(line, StallTruth) and line.learned is None:
            assert abs(line.since - simulation.end) >= timedelta(minutes=1)


def test_the_truth_survives_its_file(tmp_path: Path) -> None:
    simulation = Simulation(seed=4, customers=30)
    file = tmp_path / "truth.jsonl"
    write_truth(file, simulation.truth())
    assert list(read_truth(file)) == list(simulation.truth())
    assert next(read_truth(file)) == Run(4, 30, simulation.start, simulation.end)


def test_a_line_that_is_no_truth_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "truth.jsonl"
    file.write_bytes(b'{"kind":"rumour"}\n')
    with pytest.raises(msgspec.ValidationError, match="rumour"):
        list(read_truth(file))
