"""The company's map, and one simulation with the default seed that the tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.maps import load_map
from pipeline.simulate.faults import SimulatedRecord
from pipeline.simulate.simulation import Simulation
from pipeline.simulate.truth import Truth
from schemas.journey_map import JourneyMap


@pytest.fixture(scope="session")
def company_map() -> JourneyMap:
    return load_map(Path(__file__).parents[2] / "examples" / "company" / "map.yaml")


@pytest.fixture(scope="session")
def simulation() -> Simulation:
    return Simulation(customers=1000)


@pytest.fixture(scope="session")
def records(simulation: Simulation) -> list[SimulatedRecord]:
    return list(simulation.records())


@pytest.fixture(scope="session")
def truth(simulation: Simulation) -> list[Truth]:
    return list(simulation.truth())
