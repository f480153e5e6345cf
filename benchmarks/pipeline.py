"""The whole job in events/s: Kafka → ingest → identity → journey → ClickHouse; `make bench`.

Workload: simulated touchpoints of 20,000 customers, all of them on the source topics before the clock starts. The clock
starts when the workers have committed their first batch and stops when everything is in ClickHouse, aggregates included.
Broker, warehouse and workers share this machine. Beside it stands the bound of the same run: the same records, by as many
processes, only decoded and produced once. `--profile` says where the workers' time goes; py-spy then works on the
same cores, so that such a run's rate is no figure.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path

from benchmarks.bound import TOPIC
from benchmarks.machine import machine
from benchmarks.whole_job import Job, children, its_services, require_all, settings_in, whole_job
from pipeline.operations.sources import SourceWriter
from pipeline.operations.streaming import stream
from pipeline.settings import Settings
from pipeline.simulate.simulation import workload
from pipeline.warehouse.client import Warehouse

_PROFILE_SECONDS = 10
_STAGES = {
    "ingest": ("pipeline/core/ingest", "pipeline/core/touchpoints", "pipeline/core/validation"),
    "identity": ("pipeline/core/identity",),
    "journey": ("pipeline/core/",),
    "warehouse": ("pipeline/warehouse/sink", "pipeline/warehouse/rows", "pipeline/warehouse/client"),
    "aggregates": ("pipeline/warehouse/buckets",),
    "state, transaction": ("pipeline/engine/unit", "pipeline/engine/changelog", "pipeline/engine/store"),
    "fetch": ("aiokafka/", "pipeline/engine/transport"),
    "dispatch": ("faust/", "mode/", "pipeline/engine/"),
}


def main() -> None:
    arguments = _arguments()
    print(f"machine: {machine()}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_in(Path(folder))
        with its_services(settings, [TOPIC]):
            with SourceWriter(settings.kafka_client, settings.topology) as writer:
                count = stream(workload(20_000, arguments.touchpoints), writer)
            bound = _bound(settings, arguments.workers)
            spies: list[tuple[subprocess.Popen[bytes], Path]] = []
            job = whole_job(
                settings,
                arguments.workers,
                began=lambda: spies.extend(_spies(settings) if arguments.profile else ()),
            )
            with closing(Warehouse.of(settings)) as warehouse:
                require_all(warehouse, count)
            shares = _shares(spies)
    _report(count, bound, job, arguments.workers)
    if job.warning:
        print(job.warning)
    if total := shares.total():
        _report_shares(shares, total)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--touchpoints", type=int, default=400_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--profile", action="store_true", help="sample the workers with py-spy")
    return parser.parse_args()


def _bound(settings: Settings, processes: int) -> float:
    """Events/s of the same records, only decoded and produced."""
    command = [sys.executable, "-m", "benchmarks.bound"]
    environment = {**os.environ, **settings.environment()}
    running = [
        subprocess.Popen(
            [*command, str(index), str(processes)], env=environment, stdout=subprocess.PIPE, text=True
        )
        for index in range(processes)
    ]
    told = [process.communicate()[0].split() for process in running]
    return sum(int(moved) for moved, _ in told) / max(float(seconds) for _, seconds in told)


def _spies(settings: Settings) -> list[tuple[subprocess.Popen[bytes], Path]]:
    spies = []
    for process, kind in children():
        if kind == "workers":
            file = settings.home / f"profile-{process.pid}.txt"
            options = ["--nonblocking", "--gil", "-r", "100", "-d", str(_PROFILE_SECONDS), "-f", "raw"]
            command = [str(Path(sys.executable).with_name("py-spy")), "record", *options]
            command += ["-o", str(file), "-p", str(process.pid)]
            quiet = subprocess.DEVNULL
            spies.append((subprocess.Popen(command, stdout=quiet, stderr=quiet), file))
    return spies


def _shares(spies: list[tuple[subprocess.Popen[bytes], Path]]) -> Counter[str]:
    shares: Counter[str] = Counter()
    for spy, file in spies:
        spy.wait()
        for line in file.read_text().splitlines() if file.exists() else ():
            stack, _, samples = line.rpartition(" ")
            shares[_stage(stack.split(";"))] += int(samples)
    return shares


def _stage(frames: list[str]) -> str:
    """The stage that the outermost frame of one names: what it calls is its cost."""
    for stage, places in _STAGES.items():
        if any(place in frame for frame in frames for place in places):
            return stage
    return "other"


def _report(count: int, bound: float, job: Job, workers: int) -> None:
    rate = count / job.seconds
    print(
        f"{count:,} touchpoints of 20,000 customers, {workers} workers, broker and warehouse on the same machine"
    )
    print(f"the whole job   {rate:>10,.0f} events/s   {job.seconds:.1f} s until ClickHouse held everything")
    print(
        f"the bound       {bound:>10,.0f} events/s   decode and produce only; the job is {rate / bound:.0%} of it"
    )
    print(
        "CPU microseconds per event:",
        "  ".join(f"{k} {v / count * 1e6:.1f}" for k, v in sorted(job.cpu.items())),
    )


def _report_shares(shares: Counter[str], total: int) -> None:
    print(f"where the workers' Python time goes (py-spy, {total} samples of the GIL's holder):")
    for stage, samples in shares.most_common():
        print(f"  {stage:<20}{samples / total:>5.0%}")


if __name__ == "__main__":
    main()
