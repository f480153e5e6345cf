"""A million persons at rest: how long their state takes to come back, and what an idle one holds of a worker's memory.

    python -m benchmarks.state [--persons 1000000] [--workers 2] [--memory 256]

The touchpoints of simulated customers go through ingest, identity and the journey stage, in memory. What the journey stage
then keeps of them is repeated, under new ids, for as many persons as are wanted, and fills its changelog on a real broker.
Then processes open their share of the partitions, as a worker does: *cold*, without a disk; these are killed. *Killed*, with
the disk that they left, of which some had not been written; these are closed. *Warm*, with that. A person's resident bytes
are what the processes have grown by since before the first opening, when everything is open and at rest.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import psutil
from confluent_kafka import Producer

from agents import garbage
from agents.app import engine_config
from benchmarks.machine import machine
from pipeline.core.budget import Budget
from pipeline.core.deadlines import deadline_order
from pipeline.core.evaluation import JourneyConfig
from pipeline.core.journey_stage import JourneyStage
from pipeline.core.plan import Plan, compile_plan
from pipeline.core.run import JOURNEYS, MemoryPipeline, RunConfig
from pipeline.embedded.kafka import EmbeddedKafka
from pipeline.embedded.ports import is_free
from pipeline.engine.changelog import POSITION_KEY, Position, encode_position
from pipeline.engine.hooks import Hooks
from pipeline.engine.logs import Logs
from pipeline.engine.opening import Opener
from pipeline.engine.topics import ensure_topics
from pipeline.engine.unit import StageSpec, Unit
from pipeline.engine.warm_state import WarmStates
from pipeline.maps import load_map
from pipeline.ports import Store
from pipeline.settings import Settings
from pipeline.simulate.simulation import workload

_MAP = Path(__file__).resolve().parents[1] / "examples" / "company" / "map.yaml"
_CUSTOMERS, _TOUCHPOINTS = 20_000, 20_000
_PERSON_AT = {b"p": 1, b"s": 1, b"b": 1, b"f": 1, b"v": 5}
"""Where the sixteen bytes of a person stand in a key, by what it begins with; a stay's begins with its day as well."""
"""How keys of one person begin, see `pipeline.core.persons`."""
_SETTLING_SECONDS = 3.0


class Timeless(Hooks):
    """Adds up how many offsets of the changelog were read."""

    def __init__(self) -> None:
        self.first: dict[int, int] = {}
        self.read: dict[int, int] = {}

    def on_recovery(self, stage: str, topic: str, partition: int, offset: int, end: int) -> None:  # noqa: ARG002
        self.read[partition] = offset - self.first.setdefault(partition, offset)


def the_plan() -> Plan:
    return compile_plan(load_map(_MAP))


@cache
def kept_of_some() -> tuple[dict[bytes, dict[bytes, bytes]], dict[bytes, bytes]]:
    """What a partition of the journey stage keeps of each of some persons, and what of all together."""
    config = RunConfig(identity_key="a benchmark's key", now=time.time_ns() // 1000)
    pipeline = MemoryPipeline(the_plan(), config)
    for record in workload(_CUSTOMERS, _TOUCHPOINTS):
        if record.tick is None:
            pipeline.feed(record.domain, record.value, record.key, record.headers)
    pipeline.drain()
    persons: defaultdict[bytes, dict[bytes, bytes]] = defaultdict(dict)
    shared = {}
    for key, value in pipeline.store(JOURNEYS, 0).items():
        if (at := _PERSON_AT.get(key[:1])) is not None:
            persons[key[at : at + 16]][key] = value
        else:
            shared[key] = value
    return dict(persons), shared


def fill(settings: Settings, partition: int, persons: int) -> int:
    """A changelog of so many persons; returns its bytes."""
    topology = settings.topology
    changelog = Changelog(settings, topology.changelog("journey", topology.journeys), partition)
    some, shared = kept_of_some()
    for key, value in shared.items():
        changelog.add(key, value)
    draw = random.Random(partition)
    for person, kept in islice(cycle(some.items()), persons):
        lead = draw.randrange(2**32 // topology.partitions) * topology.partitions + partition
        other = (lead << 96 | draw.getrandbits(96)).to_bytes(16, "big")
        old, new = str(uuid.UUID(bytes=person)).encode(), str(uuid.UUID(bytes=other)).encode()
        for key, value in kept.items():
            at = _PERSON_AT[key[:1]]
            changelog.add(key[:at] + other + key[at + 16 :], value.replace(old, new))
    topic_id = Logs(settings.kafka_client).topic_id(topology.journeys)
    changelog.add(POSITION_KEY, encode_position(Position(0, topic_id)))
    changelog.close()
    return changelog.bytes


class Changelog:
    """Writes a partition of it."""

    def __init__(self, settings: Settings, topic: str, partition: int) -> None:
        options = {"linger.ms": 50, "compression.type": "lz4", "enable.idempotence": True}
        self._producer = Producer({**settings.kafka_client, **options})
        self._topic, self._partition = topic, partition
        self.bytes = 0

    def add(self, key: bytes, value: bytes) -> None:
        self.bytes += len(key) + len(value)
        while True:
            try:
                self._producer.produce(self._topic, value, key, self._partition)
                return
            except BufferError:
                self._producer.poll(0.1)

    def close(self) -> None:
        if self._producer.flush(60):
            raise SystemExit("the broker did not take everything")


def journey_config(settings: Settings) -> JourneyConfig:
    topology = settings.topology
    return JourneyConfig(
        topology.identity,
        topology.stays,
        topology.enriched,
        topology.findings,
        topology.state,
        topology.partitions,
        settings.trail_entries,
        settings.duplicate_ids,
        Budget(settings.cache_memory_mb * 1024 * 1024),
    )


def open_partitions(settings: Settings, index: int, partitions: list[int], *, killed: bool) -> None:
    """One worker's openings, side by side; its disk is in its home."""
    topology, plan = settings.topology, the_plan()
    config, hooks = engine_config(settings, settings.home / str(index)), Timeless()
    opener = Opener(
        config,
        Logs(settings.kafka_client),
        hooks,
        WarmStates(config.data / "state", config.state_memory),
    )

    def factory(partition: int, store: Store) -> JourneyStage:
        return JourneyStage(partition, store, journey_config(settings), plan)

    spec = StageSpec(
        "journey",
        topology.journeys,
        topology.changelog("journey", topology.journeys),
        factory,
        deadline_order,
    )

    def opened(partition: int) -> Unit:
        return opener.open(spec, partition, None, lambda: False)

    garbage.relax()
    process = psutil.Process()
    before, began = process.memory_info().rss, time.monotonic()
    with ThreadPoolExecutor(len(partitions)) as pool:
        units = list(pool.map(opened, partitions))
        seconds = time.monotonic() - began
        time.sleep(_SETTLING_SECONDS)
        after = process.memory_info().rss
        print(
            json.dumps(
                {
                    "seconds": seconds,
                    "grown": after - before,
                    "before": before,
                    "read": sum(hooks.read.values()),
                    "cpu": sum(process.cpu_times()[:2]),
                }
            ),
            flush=True,
        )
        if killed:
            os._exit(0)
        for unit in units:
            unit.close()


def children(settings: Settings, workers: int, *arguments: str) -> list[dict[str, Any]]:
    """One child process for each worker, at once."""
    environment = {**os.environ, **settings.environment()}
    running = []
    for index in range(workers):
        share = [str(each) for each in range(index, settings.partitions, workers)]
        command = [
            sys.executable,
            "-m",
            "benchmarks.state",
            *arguments,
            "--index",
            str(index),
            "--share",
            *share,
        ]
        running.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True))
    told = [process.communicate()[0] for process in running]
    if any(process.returncode for process in running):
        raise SystemExit("a worker failed, see above")
    return [json.loads(text) for text in told]


def report(what: str, found: list[dict[str, Any]], persons: int) -> None:
    seconds, read = max(each["seconds"] for each in found), sum(each["read"] for each in found)
    grown, cpu = sum(each["grown"] for each in found), sum(each["cpu"] for each in found)
    print(
        f"{what:<7}{seconds:>6.1f} s  {read:>9,} offsets read  {cpu:>4.0f} s of CPU  "
        f"{grown / persons:>5.0f} bytes resident a person: {grown / len(found) / 1e6:,.0f} MB a worker, "
        f"beside {found[0]['before'] / 1e6:,.0f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--persons", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--memory", type=int, default=Settings().state_memory_mb, help="MB of each worker")
    parser.add_argument("--do", choices=["all", "fill", "open", "die"], default="all", help=argparse.SUPPRESS)
    parser.add_argument("--index", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--share", type=int, nargs="*", default=[], help=argparse.SUPPRESS)
    given = parser.parse_args()
    settings = Settings()
    if given.do == "fill":
        made = sum(fill(settings, each, given.persons // settings.partitions) for each in given.share)
        print(json.dumps({"bytes": made}))
    elif given.do == "open":
        open_partitions(settings, given.index, given.share, killed=False)
    elif given.do == "die":
        open_partitions(settings, given.index, given.share, killed=True)
    else:
        measure(given.persons, given.workers, given.memory)


def measure(persons: int, workers: int, memory: int) -> None:
    print(f"machine: {machine()}", flush=True)
    port = next(port for port in range(29_192, 29_392, 2) if is_free(port) and is_free(port + 1))
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            home=Path(folder, "workers"),
            kafka=f"127.0.0.1:{port}",
            namespace="bench",
            journey_map=_MAP,
            state_memory_mb=memory,
        )
        broker = EmbeddedKafka(Path(folder, "kafka"), port, port + 1)
        broker.start()
        try:
            ensure_topics(settings.kafka_admin, settings.topology.specs())
            filled = children(settings, workers, "--do", "fill", "--persons", str(persons))
            each = sum(part["bytes"] for part in filled) / persons
            shape = f"{each:.0f} bytes of state each, {settings.partitions} partitions, {workers} workers"
            print(f"{persons:,} persons, {shape}, {memory} MB of state memory each", flush=True)
            for what, do in (("cold", "die"), ("killed", "open"), ("warm", "open")):
                report(what, children(settings, workers, "--do", do), persons)
            disk = sum(path.stat().st_size for path in settings.home.rglob("*") if path.is_file())
            print(f"on disk {disk / persons:.0f} bytes a person")
        finally:
            broker.stop()


if __name__ == "__main__":
    main()
