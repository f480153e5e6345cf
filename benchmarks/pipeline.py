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
import time
from collections import Counter, defaultdict
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.bound import TOPIC
from benchmarks.machine import machine
from pipeline.embedded.tree import Tree
from pipeline.engine.clients import admin_options
from pipeline.engine.topics import ensure_topics
from pipeline.operations.caught_up import Watcher
from pipeline.operations.pipelines import create, pipeline_tree, services
from pipeline.operations.sources import SourceWriter
from pipeline.operations.streaming import stream
from pipeline.settings import Settings
from pipeline.simulate.simulation import workload
from pipeline.warehouse.client import Warehouse

_MAP = Path(__file__).resolve().parents[1] / "examples" / "company" / "map.yaml"
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
_PROCESSES = {
    "broker": "kafka.Kafka",
    "warehouse": "pipeline.embedded.clickhouse",
    "workers": "pipeline worker",
}


@dataclass(frozen=True)
class Job:
    """What was measured; `shares` are py-spy's samples by stage, `cpu` seconds by process kind."""

    seconds: float
    shares: Counter[str]
    cpu: dict[str, float]


def main() -> None:
    arguments = _arguments()
    print(f"machine: {machine()}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            home=Path(folder),
            kafka="127.0.0.1:29092",
            clickhouse="127.0.0.1:29900",
            metrics_port=0,
            namespace="bench",
            clock="replay",
            journey_map=_MAP,
        )
        with _services(settings):
            with SourceWriter(settings.kafka_client, settings.topology) as writer:
                count = stream(workload(20_000, arguments.touchpoints), writer)
            bound = _bound(settings, arguments.workers)
            job = _job(settings, arguments.workers, profile=arguments.profile)
            _require_all(settings, count)
    _report(count, bound, job, arguments.workers)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--touchpoints", type=int, default=400_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--profile", action="store_true", help="sample the workers with py-spy")
    return parser.parse_args()


def _services(settings: Settings) -> Tree:
    def prepare() -> None:
        create(settings)
        ensure_topics(admin_options(settings.kafka, settings.kafka_options), [TOPIC])

    logs = settings.home / "logs"
    return Tree(
        services(settings, share=False), prepare, [], logs=logs, drain_seconds=20, tell=lambda _: None
    )


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


def _job(settings: Settings, workers: int, *, profile: bool) -> Job:
    tree = pipeline_tree(settings, workers, lambda _: None, share=True)
    with tree, closing(Watcher(settings.kafka_client, settings.topology)) as watcher:
        while not any(lag.position for lag in watcher.lags()):
            tree.check()
            time.sleep(0.02)
        began, before, spies = time.monotonic(), _cpu(), _spies(settings) if profile else []
        watcher.wait(1800, lambda _: tree.check(), every=0.2)
        seconds, after = time.monotonic() - began, _cpu()
    return Job(seconds, _shares(spies), {name: after[name] - before.get(name, 0.0) for name in after})


def _children() -> list[tuple[psutil.Process, str]]:
    """Processes below this one, with the kind that they are."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            command = " ".join(process.cmdline())
            kinds = [
                kind for kind, mark in _PROCESSES.items() if mark in command and "leash.py" not in command
            ]
            found += [(process, kind) for kind in kinds]
    return found


def _cpu() -> dict[str, float]:
    used: defaultdict[str, float] = defaultdict(float)
    for process, kind in _children():
        times = process.cpu_times()
        used[kind] += times.user + times.system
    return dict(used)


def _spies(settings: Settings) -> list[tuple[subprocess.Popen[bytes], Path]]:
    spies = []
    for process, kind in _children():
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


def _require_all(settings: Settings, count: int) -> None:
    with closing(Warehouse.of(settings)) as warehouse:
        ((stored, summed),) = warehouse.query(
            "SELECT (SELECT count() FROM touchpoints FINAL), (SELECT sum(touchpoints) FROM touchpoints_hourly FINAL)"
        )
    if stored != count or summed != count:
        raise SystemExit(
            f"{count} touchpoints went in, {stored} are in ClickHouse, {summed} in its aggregate"
        )


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
    if total := job.shares.total():
        _report_shares(job.shares, total)


def _report_shares(shares: Counter[str], total: int) -> None:
    print(f"where the workers' Python time goes (py-spy, {total} samples of the GIL's holder):")
    for stage, samples in shares.most_common():
        print(f"  {stage:<20}{samples / total:>5.0%}")


if __name__ == "__main__":
    main()
