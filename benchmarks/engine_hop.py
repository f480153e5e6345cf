"""One hop through the engine, exactly once: decode, a value per key, one output, changelog. One worker.

    python -m benchmarks.engine_hop --kafka 127.0.0.1:19092 [--records 600000] [--partitions 4] [--batch 2000]

Topics of its own are made, filled before the clock starts, and deleted. The clock runs from the first batch's
commit to the last one's. Beside it the bound: the same records decoded and produced, with nothing else.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec
from confluent_kafka import Producer

from pipeline.engine.clients import admin_options
from pipeline.engine.config import EngineConfig
from pipeline.engine.hooks import Hooks
from pipeline.engine.topic_spec import TopicSpec
from pipeline.engine.topics import delete_topics, ensure_topics
from pipeline.engine.worker import build_app, create_stage, run_worker
from pipeline.ports import Outbox, Record, Store

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def touchpoint(number: int) -> bytes:
    """232 bytes, as a small touchpoint is."""
    return _encode(
        {
            "id": f"evt-{number:012d}",
            "source": "shop/orders",
            "type": "com.example.sales.order.placed",
            "time": f"2026-03-01T12:{number // 60 % 60:02d}:{number % 60:02d}Z",
            "subject": f"order-{number:010d}",
            "identities": {"order_id": f"o-{number:010d}"},
            "data": {"value": number % 1000, "channel": "web"},
        }
    )


class Hop:
    """Counts per key and sends the event on with its number."""

    def __init__(self, partition: int, store: Store, output: str) -> None:
        self._partition, self._store, self._output = partition, store, output

    def process(self, records: Iterable[Record], outbox: Outbox) -> None:
        store, send, output, partition = self._store, outbox.send, self._output, self._partition
        for record in records:
            event = _decode(record.value or b"")
            key = record.key or b""
            number = int(store.get(key) or b"0") + 1
            store.put(key, b"%d" % number)
            event["n"] = number
            send(output, _encode(event), key, partition)

    owes = False

    def quiet(self, now: int, outbox: Outbox) -> bool:  # noqa: ARG002 - the protocol's signature
        return False


class Clock(Hooks):
    """Stops the worker when everything is committed."""

    def __init__(self, total: int) -> None:
        self.total, self.done, self.batches = total, 0, 0
        self.first = self.last = self.cpu = self.cpu_first = 0.0
        self.warm_up = 0
        self._lock = threading.Lock()

    def on_batch(self, stage: str, topic: str, partition: int, records: int, seconds: float) -> None:  # noqa: ARG002
        with self._lock:
            self.done, self.batches, self.last = self.done + records, self.batches + 1, time.perf_counter()
            self.cpu = time.process_time()
            if not self.first:
                self.first, self.cpu_first, self.warm_up = self.last, self.cpu, self.done
            if self.done >= self.total:
                os.kill(os.getpid(), signal.SIGTERM)


def fill(bootstrap: str, topic: str, records: int, partitions: int) -> float:
    """Returns the bound in records a second: decode, encode, produce."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5, "queue.buffering.max.messages": 0})
    began = time.perf_counter()
    for number in range(records):
        key = b"k%d" % (number % 20_000)
        producer.produce(topic, _encode(_decode(touchpoint(number))), key, number % 20_000 % partitions)
        if not number % 10_000:
            producer.poll(0)
    producer.flush()
    return records / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kafka", default="127.0.0.1:19092")
    parser.add_argument("--records", type=int, default=600_000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--batch", type=int, default=2000)
    parser.add_argument("--state-memory", type=int, default=256, help="MB; 0 keeps all state in memory")
    options = parser.parse_args()
    name = f"engine-hop-{int(time.time())}"
    source, output, changelog = f"{name}.in", f"{name}.out", f"{name}.changelog"
    admin = admin_options(options.kafka, {})
    count = options.partitions
    ensure_topics(
        admin,
        [
            TopicSpec(source, count),
            TopicSpec(output, count),
            TopicSpec(changelog, count, config={"cleanup.policy": "compact"}),
        ],
    )
    bound = fill(options.kafka, source, options.records, count)
    clock = Clock(options.records)
    with tempfile.TemporaryDirectory() as folder:
        config = EngineConfig(
            app=name,
            bootstrap=options.kafka,
            data=Path(folder),
            batch_records=options.batch,
            state_memory=options.state_memory * 1024 * 1024,
        )
        app = build_app(config, clock)
        create_stage(app, "hop", source, changelog, lambda partition, store: Hop(partition, store, output))
        code = run_worker(app)
    delete_topics(admin, [source, output, changelog])
    counted = clock.done - clock.warm_up
    rate, cpu = counted / (clock.last - clock.first), (clock.cpu - clock.cpu_first) / counted * 1e6
    print(f"{rate:,.0f} records/s exactly once, {cpu:.1f} µs of the worker's CPU each; exit code {code}")
    print(f"{clock.done / clock.batches:,.0f} records a batch")
    print(f"{bound:,.0f} records/s made, decoded, encoded and produced alone")
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, broker beside it"
    )


if __name__ == "__main__":
    main()
