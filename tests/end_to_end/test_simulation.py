"""The simulated company with every fault, streamed through a real pipeline: what was injected is found, no more."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from pipelines import NewSettings, running

from pipeline.operations.found import found_in
from pipeline.operations.streaming import stream
from pipeline.simulate.compare import CATEGORIES, CHAINED, IN_PIECES, compare
from pipeline.simulate.faults import Faults
from pipeline.simulate.simulation import Simulation
from pipeline.warehouse.client import Warehouse

pytestmark = [pytest.mark.services, pytest.mark.slow]

MAP = Path(__file__).parents[2] / "examples" / "company" / "map.yaml"
MANY = Faults(duplicates=0.05, disordered=0.1, late=0.02, ahead=0.02, bad=0.02, binary=0.2)


def test_everything_that_was_injected_is_found_and_nothing_else(new_settings: NewSettings) -> None:
    simulation = Simulation(seed=3, customers=400, days=14, faults=MANY)
    settings = new_settings(journey_map=MAP, partitions=4)
    with running(settings, workers=2) as pipeline:
        with pipeline.writer() as writer:
            stream(simulation.records(), writer)
        pipeline.wait()
        with closing(Warehouse.of(settings)) as warehouse:
            found = found_in(warehouse, pipeline.letters())
            rows = compare(simulation.truth(), found)
    assert [row for row in rows if not row.is_exact] == []
    assert {row.category for row in rows} == set(CATEGORIES)
    assert {row.label for row in rows if not row.injected} == {CHAINED, IN_PIECES}
