"""What the fault scenarios send: simulated touchpoints with duplicates, late and bad records, the same for a seed.

Never two contents under one (source, id), nor two customers on one order: how these end depends on what comes first
(docs/semantics.md), so that two runs need not be equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pipeline.core.instants import micros
from pipeline.operations.sources import SourceWriter
from pipeline.operations.streaming import stream
from pipeline.settings import Settings
from pipeline.simulate.faults import Faults, SimulatedRecord
from pipeline.simulate.simulation import Simulation
from pipeline.simulate.tangles import NO_TANGLES, Tangles

MAP = Path(__file__).parents[2] / "examples" / "company" / "map.yaml"
_FAULTS = Faults(duplicates=0.02, disordered=0.05, late=0.01, ahead=0.01, bad=0.005, binary=0.1)


@dataclass(frozen=True, eq=False)
class Workload:
    """Records in order of arrival, ticks included; the last one is a tick to `end` (µs)."""

    records: tuple[SimulatedRecord, ...]
    customers: int
    end: int

    @property
    def sent(self) -> int:
        """Records, ticks not counted."""
        return sum(record.tick is None for record in self.records)

    def parts(self, number: int) -> Iterator[tuple[SimulatedRecord, ...]]:
        """So many parts of about the same size, in order."""
        size = -(-len(self.records) // number)
        for begin in range(0, len(self.records), size):
            yield self.records[begin : begin + size]

    def per_tick(self, sources: int) -> int:
        """Records that the ticks become: one for every source partition."""
        return sum(record.tick is not None for record in self.records) * sources


@lru_cache(maxsize=2)
def simulated(customers: int, days: float, seed: int = 7, tangles: Tangles = NO_TANGLES) -> Workload:
    """Nobody's identity is tangled unless asked for: the figures of `docs/reliability.md` are those of this workload."""
    simulation = Simulation(seed=seed, customers=customers, days=days, faults=_FAULTS, tangles=tangles)
    return Workload(tuple(simulation.records()), customers, micros(simulation.end))


def small() -> Workload:
    """For `make test`: about 10,000 touchpoints."""
    return simulated(500, 8)


def large() -> Workload:
    """For `make faults`: about 200,000 touchpoints of 10,000 customers."""
    return simulated(10_000, 9)


def send(settings: Settings, records: tuple[SimulatedRecord, ...]) -> None:
    """All of them to the source topics; returns when the broker has them."""
    with SourceWriter(settings.kafka_client, settings.topology) as writer:
        stream(records, writer)
