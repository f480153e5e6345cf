"""What the core costs, stage by stage: the whole pipeline in memory, in µs of CPU for each touchpoint.

    python -m benchmarks.core_stages [--touchpoints 100000] [--customers 20000] [--feed 8000]

Stages run one after another in one process, without broker, store or warehouse, and with the workers'
garbage collection. Records are fed in parts, so that a stage's batches are about as large as in a replay; the
first part is not counted, for what is built once is built then.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

from agents import garbage
from benchmarks.machine import machine
from pipeline.core.plan import Plan, compile_plan
from pipeline.core.run import IDENTITY, JOURNEYS, MemoryPipeline, Queue, RunConfig
from pipeline.maps import load_map
from pipeline.simulate.faults import SimulatedRecord
from pipeline.simulate.simulation import workload
from schemas.base import DOMAINS

_MAP = Path(__file__).resolve().parents[1] / "examples" / "company" / "map.yaml"
_PARTITIONS = 4
_BETWEEN = {IDENTITY, JOURNEYS, *(f"touchpoints.{domain}" for domain in DOMAINS)}
_STAGES = {IDENTITY: "identity", JOURNEYS: "journey"}


class TimedPipeline(MemoryPipeline):
    """Adds up the CPU time of each stage, in `seconds` by the stage's input; forgets what is published."""

    def __init__(self, plan: Plan, config: RunConfig) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        super().__init__(plan, config)

    def step(self, queue: Queue, count: int) -> None:
        began = time.process_time()
        super().step(queue, count)
        self.seconds[queue[0]] += time.process_time() - began

    def send(self, topic: str, *record: Any, **more: Any) -> None:
        if topic in _BETWEEN:
            super().send(topic, *record, **more)


def measure(touchpoints: int, customers: int, feed: int) -> dict[str, float]:
    """µs of CPU a touchpoint, by stage."""
    config = RunConfig(identity_key="a benchmark's key", now=time.time_ns() // 1000, partitions=_PARTITIONS)
    pipeline = TimedPipeline(compile_plan(load_map(_MAP)), config)
    records = [record for record in workload(customers, touchpoints) if record.tick is None]
    garbage.relax()
    coming = iter(records)
    _feed(pipeline, islice(coming, feed))
    pipeline.seconds.clear()
    while part := list(islice(coming, feed)):
        _feed(pipeline, part)
    found: defaultdict[str, float] = defaultdict(float)
    for topic, seconds in pipeline.seconds.items():
        found[_STAGES.get(topic, "ingest")] += seconds / (len(records) - feed) * 1e6
    return dict(found)


def _feed(pipeline: TimedPipeline, records: Iterable[SimulatedRecord]) -> None:
    for record in records:
        pipeline.feed(record.domain, record.value, record.key, record.headers)
    pipeline.work()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--touchpoints", type=int, default=100_000)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--feed", type=int, default=8_000, help="touchpoints fed at a time")
    given = parser.parse_args()
    print(machine())
    found = measure(given.touchpoints, given.customers, given.feed)
    shown = ", ".join(f"{stage} {micros:.1f}" for stage, micros in found.items())
    print(f"µs of CPU a touchpoint: {shown}; all {sum(found.values()):.1f}")


if __name__ == "__main__":
    main()
