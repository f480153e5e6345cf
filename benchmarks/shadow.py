"""What a shadow run keeps in memory: bytes of a touchpoint, under both maps together, and µs of CPU.

    python -m benchmarks.shadow [--customers 2000] [--days 30] [--cache-mb 4096]

The simulated company, written to a file by a process of its own, then run under its map and under one of tighter limits.
Bytes are the growth of this process's peak, divided by the touchpoints.
"""

from __future__ import annotations

import argparse
import re
import resource
import tempfile
import time
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

import msgspec

from benchmarks.machine import machine
from pipeline.core.instants import DAY, micros
from pipeline.core.plan import compile_plan
from pipeline.core.run import RunConfig
from pipeline.core.validation import read_event
from pipeline.maps import load_map
from pipeline.shadow.past import PastTouchpoint
from pipeline.shadow.run import NamedPlan, ShadowRun
from pipeline.simulate.faults import NO_FAULTS
from pipeline.simulate.simulation import Simulation

LIVE = Path("examples/company/map.yaml")


def write(simulation: Simulation, to: Path) -> None:
    with to.open("wb") as lines:
        for record in simulation.records():
            if record.tick is None:
                lines.write(record.value + b"\n")


def past(lines: Path) -> Iterator[PastTouchpoint]:
    with lines.open("rb") as coming:
        for line in coming:
            yield PastTouchpoint(micros(read_event(line).time), line.rstrip())


def tighter(live: Path, to: Path) -> Path:
    """The live map with half of the time for everything."""
    halves = {"d": (12, "h"), "h": (30, "m")}

    def halve(found: re.Match[str]) -> str:
        times, unit = halves[found[3]]
        return f"{found[1]}: {int(found[2]) * times}{unit}"

    to.write_text(re.sub(r"(expected|within): (\d+)([dh])", halve, live.read_text("utf-8")), "utf-8")
    return to


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--customers", type=int, default=2_000)
    parser.add_argument("--days", type=float, default=30)
    parser.add_argument("--cache-mb", type=int, default=4096, help="for unpacked persons, of each map")
    given = parser.parse_args()
    print(machine())
    simulation = Simulation(customers=given.customers, days=given.days, faults=NO_FAULTS)
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder, "touchpoints.jsonl")
        writer = get_context("spawn").Process(target=write, args=(simulation, lines))
        writer.start()
        writer.join()
        live, new = (
            NamedPlan(path.name, compile_plan(load_map(path)))
            for path in (LIVE, tighter(LIVE, Path(folder, "tighter.yaml")))
        )
        config = RunConfig(
            "a benchmark's key", micros(simulation.end) + DAY, cache_bytes=given.cache_mb << 20
        )
        run = ShadowRun(live, new, config, since=None, examples=5)
        before, began = peak(), time.process_time()
        for each in past(lines):
            run.take(each)
        taken = peak()
        report = run.conclude(micros(simulation.end), "a file", 0, [])
    seconds = time.process_time() - began
    count = run.touchpoints
    print(
        f"{count:,} touchpoints of {report.live.persons:,} persons, {len(report.customers):,} of whom would change: "
        f"{(taken - before) / count:,.0f} bytes a touchpoint once read, {(peak() - before) / count:,.0f} at the end; "
        f"{seconds / count * 1e6:.0f} µs of CPU each; report of {len(msgspec.json.encode(report)) / 1024:,.0f} KiB"
    )


if __name__ == "__main__":
    main()
