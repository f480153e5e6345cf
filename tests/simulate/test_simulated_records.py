"""The records of a simulation: repeatable, in order, honest in their ticks, and of every kind."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from brute_force import decode

from pipeline.core.instants import micros
from pipeline.simulate.company import SOURCES, UNMAPPED_TYPES
from pipeline.simulate.faults import NO_FAULTS, Faults, SimulatedRecord
from pipeline.simulate.simulation import Simulation, workload
from pipeline.simulate.truth import DeadLetterTruth, TouchpointTruth, Truth, fingerprint
from schemas.journey_map import JourneyMap


def good(records: list[SimulatedRecord], truth: list[Truth]) -> list[SimulatedRecord]:
    refused = {line.fingerprint for line in truth if isinstance(line, DeadLetterTruth)}
    return [record for record in records if record.tick is None and fingerprint(record.value) not in refused]


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert list(Simulation(seed=3, customers=40).records()) == list(
        Simulation(seed=3, customers=40).records()
    )


def test_the_same_seed_gives_the_same_bytes_in_another_process() -> None:
    script = (
        "from hashlib import sha256; from pipeline.simulate.simulation import Simulation;"
        "print(sha256(repr(list(Simulation(seed=3, customers=20).records())).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", script], check=True, capture_output=True, env={"PYTHONHASHSEED": hash_seed}
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(digests) == 1


def test_another_seed_gives_other_customers_and_other_touchpoints() -> None:
    ids, others = (
        {
            decode(record).id
            for record in Simulation(seed, customers=40, faults=NO_FAULTS).records()
            if record.value
        }
        for seed in (3, 4)
    )
    assert ids
    assert not ids & others


def test_records_and_truth_may_be_read_side_by_side() -> None:
    simulation = Simulation(seed=3, customers=40)
    together = list(zip(simulation.records(), simulation.truth(), strict=False))
    assert [line for _, line in together] == list(simulation.truth())[: len(together)]
    assert [record for record, _ in together] == list(simulation.records())[: len(together)]


def test_records_come_in_order_of_arrival(records: list[SimulatedRecord]) -> None:
    assert all(earlier.arrival <= later.arrival for earlier, later in pairwise(records))


def test_no_touchpoint_is_outside_the_simulated_days(
    simulation: Simulation, records: list[SimulatedRecord], truth: list[Truth]
) -> None:
    times = [decode(record).time for record in good(records, truth)]
    assert simulation.start <= min(times)
    assert max(times) <= simulation.end


def test_after_a_tick_only_late_touchpoints_are_older_than_it(
    records: list[SimulatedRecord], truth: list[Truth]
) -> None:
    late = {(t.source, t.id) for t in truth if isinstance(t, TouchpointTruth) and t.arrival == "late"}
    refused = {line.fingerprint for line in truth if isinstance(line, DeadLetterTruth)}
    promised = 0
    for record in records:
        if record.tick is not None:
            assert record.tick >= promised
            promised = record.tick
        elif fingerprint(record.value) not in refused:
            touch = decode(record)
            assert micros(touch.time) >= promised or (touch.source, touch.id) in late


def test_the_last_record_is_a_tick_to_the_end(simulation: Simulation, records: list[SimulatedRecord]) -> None:
    assert records[-1].tick == micros(simulation.end)


def test_every_domain_and_every_type_of_the_map_occurs_and_beside_them_only_undeclared_ones(
    records: list[SimulatedRecord], truth: list[Truth], company_map: JourneyMap
) -> None:
    seen = Counter(decode(record).type for record in good(records, truth))
    assert set(seen) == {*company_map.touchpoints, *UNMAPPED_TYPES}
    assert {type_.partition(".")[0] for type_ in seen} == set(SOURCES)
    assert all(
        type_.partition(".")[0] == r.domain for r in good(records, truth) for type_ in [decode(r).type]
    )


def test_the_first_identifier_of_a_touchpoint_is_the_strongest_of_the_map(
    records: list[SimulatedRecord], truth: list[Truth], company_map: JourneyMap
) -> None:
    def rank(kind: str) -> tuple[bool, int]:
        known = company_map.identifiers[kind]
        return known.kind == "reference", -known.strength

    for record in good(records, truth):
        kinds = list(decode(record).value("identities"))
        assert kinds == sorted(kinds, key=rank)


def test_touchpoints_come_in_both_modes_of_cloudevents(
    records: list[SimulatedRecord], truth: list[Truth]
) -> None:
    binary = Counter("ce_id" in dict(record.headers) for record in good(records, truth))
    assert binary[True] > 100
    assert binary[False] > binary[True]


def test_customers_come_by_day_rather_than_by_night(
    records: list[SimulatedRecord], truth: list[Truth]
) -> None:
    hours = Counter(
        decode(record).time.hour
        for record in good(records, truth)
        if record.value.find(b"session.started") > 0
    )
    assert sum(hours[hour] for hour in range(9, 21)) > 5 * sum(hours[hour] for hour in range(6))


def test_a_simulation_without_faults_sends_each_touchpoint_once_and_in_order_of_its_time() -> None:
    simulation = Simulation(seed=5, customers=60, faults=NO_FAULTS)
    records = [record for record in simulation.records() if record.tick is None]
    ids = Counter((touch.source, touch.id) for touch in map(decode, records))
    assert set(ids.values()) == {1}
    lags = [record.arrival - micros(decode(record).time) for record in records]
    assert min(lags) > 0
    assert max(lags) <= 2_000_000


def test_faults_come_as_often_as_they_are_asked_for() -> None:
    simulation = Simulation(
        seed=5, customers=200, faults=Faults(duplicates=0.2, late=0.1, disordered=0.3, bad=0.05)
    )
    touchpoints = [line for line in simulation.truth() if isinstance(line, TouchpointTruth)]
    refused = [line for line in simulation.truth() if isinstance(line, DeadLetterTruth)]
    shares = Counter(line.arrival for line in touchpoints)
    total = len(touchpoints)
    assert sum(line.copies for line in touchpoints) / total == pytest.approx(0.25, abs=0.03)
    assert shares["late"] / total == pytest.approx(0.1, abs=0.02)
    assert shares["disordered"] / total == pytest.approx(0.3, abs=0.03)
    assert len(refused) / total == pytest.approx(0.05, abs=0.02)


def test_a_workload_has_exactly_as_many_good_touchpoints_as_asked_for_and_ends_with_a_tick() -> None:
    *touchpoints, tick = workload(customers=50, touchpoints=3000)
    assert len({(touch.source, touch.id) for touch in map(decode, touchpoints)}) == 3000
    assert tick.tick == touchpoints[-1].arrival
    assert all(earlier.arrival <= later.arrival for earlier, later in pairwise(touchpoints))


def test_a_start_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="start has to name its offset"):
        Simulation(start=datetime(2026, 3, 2))  # noqa: DTZ001 - the point


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"customers": 0}, {"customers": 2**24}, {"days": 0}])
def test_numbers_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="seed has to be at least 0"):
        Simulation(**wrong)  # type: ignore[arg-type]


def test_a_simulation_may_start_at_any_hour() -> None:
    simulation = Simulation(
        seed=2, customers=80, days=2, start=datetime(2026, 5, 9, 17, 30, tzinfo=UTC), faults=NO_FAULTS
    )
    times = [decode(record).time for record in simulation.records() if record.tick is None]
    assert simulation.start <= min(times) < simulation.start + timedelta(hours=12)
