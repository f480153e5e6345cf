"""The whole job under a clock: what the benchmarks of the pipeline share.

In: settings of a pipeline whose sources hold everything already. Out: seconds, CPU and peak memory of it, and what its
workers have left on disk. The clock starts when the workers have committed their first batch and stops when everything is
in ClickHouse, aggregates included. Broker, warehouse and workers are processes below this one, on one machine.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from pipeline.embedded.ports import is_free
from pipeline.embedded.tree import Tree
from pipeline.engine.clients import admin_options
from pipeline.engine.database import Database, StateMemory
from pipeline.engine.rocks_store import read_kept
from pipeline.engine.topic_spec import TopicSpec
from pipeline.engine.topics import ensure_topics
from pipeline.operations.caught_up import Watcher
from pipeline.operations.pipelines import create, pipeline_tree, services
from pipeline.settings import Settings
from pipeline.warehouse.client import Warehouse

COMPANY = Path(__file__).resolve().parents[1] / "examples" / "company" / "map.yaml"
_PATIENCE_SECONDS = 3600
_PROCESSES = {
    "broker": "kafka.Kafka",
    "warehouse": "pipeline.embedded.clickhouse",
    "workers": "pipeline worker",
}


@dataclass(frozen=True)
class Job:
    """`cpu` in seconds and `peaks` in bytes, by kind of process: broker, warehouse, workers.

    A peak is the most that a process has ever held, resident, since it began; those of one kind are added up. `restarts`:
    how many processes ended meanwhile and were started again, as on a machine that is much too busy. What these had used
    is not known, so that the figures are none.
    """

    seconds: float
    cpu: dict[str, float]
    peaks: dict[str, int]
    restarts: int

    @property
    def warning(self) -> str:
        """What has to be said beside the figures; empty if nothing."""
        if not self.restarts:
            return ""
        return (
            f"{self.restarts} processes ended and were started again: these are no figures, measure once more"
        )


@dataclass(frozen=True)
class StateOnDisk:
    """What the workers have left of one partition's state: how far it has come in its changelog, the bytes of its keys and
    values, and those of its folder.
    """

    offset: int
    size: int
    disk: int


def settings_in(folder: Path, **given: Any) -> Settings:
    """Settings of a pipeline of its own, with services of its own on ports that are free."""
    kafka = next(port for port in range(29_092, 29_892, 2) if is_free(port) and is_free(port + 1))
    clickhouse = next(port for port in range(29_900, 30_900) if is_free(port))
    return Settings(
        home=folder,
        kafka=f"127.0.0.1:{kafka}",
        clickhouse=f"127.0.0.1:{clickhouse}",
        metrics_port=0,
        namespace="bench",
        clock="replay",
        journey_map=COMPANY,
        **given,
    )


def its_services(settings: Settings, further: Sequence[TopicSpec] = ()) -> Tree:
    """Broker and warehouse, with the pipeline's topics and tables and `further` topics. A context manager."""

    def prepare() -> None:
        create(settings)
        ensure_topics(admin_options(settings.kafka, settings.kafka_options), further)

    logs = settings.home / "logs"
    return Tree(
        services(settings, share=False), prepare, [], logs=logs, drain_seconds=20, tell=lambda _: None
    )


def whole_job(settings: Settings, workers: int, began: Callable[[], None] = lambda: None) -> Job:
    """Have so many workers do everything; they are drained at the end. `began` is called when the clock starts.

    Raises NotCaughtUpError after an hour.
    """
    tree = pipeline_tree(settings, workers, lambda _: None, share=True)
    with tree, closing(Watcher(settings.kafka_client, settings.topology)) as watcher:
        while not any(lag.position for lag in watcher.lags()):
            tree.check()
            time.sleep(0.02)
        started, before, running = time.monotonic(), _cpu(), _ids()
        began()
        watcher.wait(_PATIENCE_SECONDS, lambda _: tree.check(), every=0.2)
        seconds, after = time.monotonic() - started, _cpu()
        cpu = {name: after[name] - before[name] for name in after}
        return Job(seconds, cpu, _peaks(), len(running - _ids()))


def children() -> list[tuple[psutil.Process, str]]:
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


def require_all(warehouse: Warehouse, count: int) -> None:
    """Ends the benchmark unless so many touchpoints, and no other, are in ClickHouse and its aggregate."""
    ((stored, summed),) = warehouse.query(
        "SELECT (SELECT count() FROM touchpoints FINAL), (SELECT sum(touchpoints) FROM touchpoints_hourly FINAL)"
    )
    if stored != count or summed != count:
        raise SystemExit(
            f"{count} touchpoints went in, {stored} are in ClickHouse, {summed} in its aggregate"
        )


def states_on_disk(settings: Settings) -> dict[str, StateOnDisk]:
    """By `stage-topic-partition`. Of a partition that has moved the folder that has come furthest counts.

    The workers have to have ended.
    """
    found: dict[str, StateOnDisk] = {}
    for folder in (settings.home / "workers" / settings.topology.app).glob("*/state/*"):
        state = _state_in(folder)
        if folder.name not in found or state.offset > found[folder.name].offset:
            found[folder.name] = state
    return found


def _state_in(folder: Path) -> StateOnDisk:
    disk = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    database = Database(folder, StateMemory(8 * 1024 * 1024))
    try:
        kept = read_kept(database)
    finally:
        database.close()
    return StateOnDisk(kept.offset, kept.size, disk) if kept else StateOnDisk(-1, 0, disk)


def _cpu() -> defaultdict[str, float]:
    used: defaultdict[str, float] = defaultdict(float)
    for process, kind in children():
        times = process.cpu_times()
        used[kind] += times.user + times.system
    return used


def _ids() -> set[int]:
    return {process.pid for process, _ in children()}


def _peaks() -> dict[str, int]:
    peaks: Counter[str] = Counter()
    for process, kind in children():
        with suppress(OSError):  # it has ended
            peaks[kind] += _peak(process.pid)
    return dict(peaks)


def _peak(pid: int) -> int:
    """Bytes; psutil does not have it on Linux."""
    for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
