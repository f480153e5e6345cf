"""What the warehouse costs: the sinks' thread and the embedded ClickHouse, in µs of CPU for each touchpoint.

    python -m benchmarks.warehouse_stage [--touchpoints 200000] [--customers 20000] [--write 20000] [--runs 3]

The in-memory pipeline makes the records once. Then two sinks in this process write them to an embedded server of
its own, one call for the records of `--write` touchpoints, as many as a worker gathers under load, and after each
call the buckets that it touched are recomputed. So there is no broker and no event loop, and no rest. The first
write is not counted; the server is, until it has merged what it wants to merge at once. Each part is a dozen files,
so the file system counts: `TMPDIR=/dev/shm` leaves the disk's out.
"""

from __future__ import annotations

import argparse
import socket
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import psutil

from agents import garbage
from benchmarks.machine import machine
from pipeline.core.plan import Plan, compile_plan
from pipeline.core.run import DEAD_LETTER, ENRICHED, FINDINGS, STATE, MemoryPipeline, MemoryRecord, RunConfig
from pipeline.embedded.clickhouse import EmbeddedClickHouse
from pipeline.maps import load_map
from pipeline.ports import Headers, Record
from pipeline.simulate.simulation import workload
from pipeline.topology import Topology
from pipeline.warehouse.buckets import BucketSink
from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.migrate import migrate
from pipeline.warehouse.sink import WarehouseSink

_MAP = Path(__file__).resolve().parents[1] / "examples" / "company" / "map.yaml"
_PARTITIONS = 4
_PUBLISHED = {ENRICHED, FINDINGS, STATE, DEAD_LETTER}
_NOT_COUNTED = 1
_FEED = 4_000
_QUIET_SECONDS = 3.0
_QUIET_SHARE = 0.05


class Publisher(MemoryPipeline):
    """Keeps what is published, as consumed records, until `take`."""

    def __init__(self, plan: Plan, config: RunConfig) -> None:
        self._records: list[Record] = []
        self._ends: Counter[tuple[str, int]] = Counter()
        super().__init__(plan, config)

    def take(self) -> list[Record]:
        records, self._records = self._records, []
        return records

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        partition: int | None = None,
        headers: Headers | None = None,
    ) -> None:
        if topic not in _PUBLISHED:
            super().send(topic, value, key, partition, headers)
            return
        place = topic, zlib.crc32(key or b"") % _PARTITIONS
        self._records.append(MemoryRecord(*place, self._ends[place], 0, key, value, headers or ()))
        self._ends[place] += 1


class Cost(NamedTuple):
    """µs of CPU a touchpoint, and the records that were written for it."""

    sink: float
    buckets: float
    server: float
    records: float


def publish(touchpoints: int, customers: int, write: int) -> list[list[Record]]:
    """What the pipeline publishes for each `write` touchpoints, by topic partition as a sink gathers it."""
    config = RunConfig(identity_key="a benchmark's key", now=time.time_ns() // 1000, partitions=_PARTITIONS)
    pipeline = Publisher(compile_plan(load_map(_MAP)), config)
    coming = (record for record in workload(customers, touchpoints) if record.tick is None)
    writes = []
    while part := list(islice(coming, write)):
        for start in range(0, len(part), _FEED):
            for record in part[start : start + _FEED]:
                pipeline.feed(record.domain, record.value, record.key, record.headers)
            pipeline.work()
        writes.append(sorted(pipeline.take(), key=lambda record: (record.topic, record.partition)))
    return writes


def measure(writes: Sequence[Sequence[Record]], port: int) -> Cost:
    """Write all to a new server."""
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedClickHouse(Path(folder), port)
        server.start()
        try:
            return _measure(writes, server)
        finally:
            server.stop()


def _measure(writes: Sequence[Sequence[Record]], server: EmbeddedClickHouse) -> Cost:
    warehouse = Warehouse(server.address, "bench")
    migrate(warehouse)
    topology = Topology()
    keys: list[bytes] = []
    sink = WarehouseSink(warehouse, topology, keys.extend, _refuse)
    buckets = BucketSink(warehouse, _refuse)
    process = _process_at(server.port)
    for number, records in enumerate(writes):
        if number == _NOT_COUNTED:
            used, wrote, recomputed = _seconds(process), 0.0, 0.0
        began = time.process_time()
        sink.write(records)
        between = time.process_time()
        buckets.write([MemoryRecord(topology.buckets, 0, 0, 0, key, b"", ()) for key in keys])
        keys.clear()
        if number >= _NOT_COUNTED:
            wrote, recomputed = wrote + between - began, recomputed + time.process_time() - between
    _wait_for_merges(process)
    served = _seconds(process) - used
    warehouse.close()
    counted = [record for records in writes[_NOT_COUNTED:] for record in records]
    each = 1e6 / sum(record.topic == ENRICHED for record in counted)
    return Cost(wrote * each, recomputed * each, served * each, len(counted) * each / 1e6)


def _refuse(record: Record, reason: str) -> None:
    raise AssertionError(f"{record.topic} {record.offset}: {reason}")


def _process_at(port: int) -> psutil.Process:
    for process in psutil.Process().children(recursive=True):
        command = process.cmdline()
        if "pipeline.embedded.clickhouse" in command and str(port) in command and "-m" in command[:4]:
            return process
    raise AssertionError("the server's process is not there")


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _wait_for_merges(process: psutil.Process) -> None:
    before = _seconds(process)
    while True:
        time.sleep(_QUIET_SECONDS)
        now = _seconds(process)
        if now - before < _QUIET_SHARE * _QUIET_SECONDS:
            return
        before = now


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--touchpoints", type=int, default=200_000)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument(
        "--write", type=int, default=20_000, help="touchpoints whose records are written together"
    )
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    print(machine())
    writes = publish(given.touchpoints, given.customers, given.write)
    garbage.relax()
    for _ in range(given.runs):
        cost = measure(writes, _free_port())
        print(
            f"µs of CPU a touchpoint: sink {cost.sink:.1f}, buckets {cost.buckets:.1f}, server {cost.server:.1f}; "
            f"all {cost.sink + cost.buckets + cost.server:.1f} ({cost.records:.2f} records)"
        )


if __name__ == "__main__":
    main()
