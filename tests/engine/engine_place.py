"""What the engine's tests with a real broker need: topics of their own, records in and out, worker processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition
from counting_worker import Counting

from pipeline.engine.clients import admin_options, confluent_options
from pipeline.engine.config import EngineConfig
from pipeline.engine.hooks import Hooks
from pipeline.engine.logs import Logs
from pipeline.engine.opening import Committed, Opener
from pipeline.engine.stage import StageFactory
from pipeline.engine.topic_spec import TopicSpec
from pipeline.engine.topics import delete_topics, ensure_topics
from pipeline.engine.unit import StageSpec, Unit
from pipeline.engine.warm_state import WarmStates

HERE = Path(__file__).parent
STATE_MEMORY = 32 * 1024 * 1024
Entry = tuple[bytes, bytes]
"""Key and value."""


class Place:
    """The topics `<app>.in`, `<app>.out` and `<app>.changelog`, and everything that works on them."""

    def __init__(self, bootstrap: str, folder: Path, partitions: int = 2) -> None:
        self.bootstrap, self.folder, self.partitions = bootstrap, folder, partitions
        self.app = f"t{uuid.uuid4().hex[:10]}"
        self.source, self.output, self.changelog = (
            f"{self.app}.{name}" for name in ("in", "out", "changelog")
        )
        self.admin = admin_options(bootstrap, {})
        self.options = confluent_options(bootstrap, {})
        self.deletion_retention = 86_400_000
        self._workers: list[Worker] = []
        ensure_topics(self.admin, self.specs())

    def specs(self) -> list[TopicSpec]:
        compacted = {"cleanup.policy": "compact", "delete.retention.ms": str(self.deletion_retention)}
        return [
            TopicSpec(self.source, self.partitions),
            TopicSpec(self.output, self.partitions),
            TopicSpec(self.changelog, self.partitions, config=compacted),
        ]

    def remake(self, topic: str) -> None:
        """Delete a topic and make it anew."""
        delete_topics(self.admin, [topic])
        ensure_topics(self.admin, self.specs())

    def config(self, **more: object) -> EngineConfig:
        return EngineConfig(app=self.app, bootstrap=self.bootstrap, data=self.folder, **more)  # type: ignore[arg-type]

    def spec(self, factory: StageFactory | None = None) -> StageSpec:
        counting: StageFactory = lambda _, store: Counting(store, self.output)  # noqa: E731 - a factory like any other
        return StageSpec("count", self.source, self.changelog, factory or counting)

    def open(
        self,
        partition: int = 0,
        committed: Committed | None = None,
        factory: StageFactory | None = None,
        **more: object,
    ) -> Unit:
        """A unit of this test's stage, opened in this process by a worker that finds nothing on its disk."""
        return self.opener(WarmStates(self.folder / f"state-{uuid.uuid4().hex}", STATE_MEMORY), **more).open(
            self.spec(factory), partition, committed, lambda: False
        )

    def opener(self, states: WarmStates | None, hooks: Hooks | None = None, **more: object) -> Opener:
        return Opener(self.config(**more), Logs(self.options), hooks or Hooks(), states)

    def send(self, entries: Iterable[Entry], partition: int | None = None, topic: str | None = None) -> None:
        producer = Producer({**self.options, "linger.ms": 5})
        for key, value in entries:
            producer.produce(topic or self.source, value, key, -1 if partition is None else partition)
            producer.poll(0)
        assert producer.flush(20) == 0

    def read(self, count: int, topic: str | None = None, seconds: float = 40) -> list[Entry]:
        """Waits for `count` committed records of all partitions; returns what there is then, and half a second later."""
        name = topic or self.output
        reader = Consumer(
            {
                **self.options,
                "group.id": "reader",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
            }
        )
        reader.assign([TopicPartition(name, each, 0) for each in range(self.partitions)])
        found: list[Entry] = []
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for record in reader.consume(5000, 0.1):
                assert record.error() is None, record.error()
                found.append((record.key(), record.value()))
            if len(found) >= count:
                deadline = min(deadline, time.monotonic() + 0.5)
        reader.close()
        return found

    def open_transaction(self, topic: str, partition: int = 0) -> Producer:
        """Somebody else's transaction, with one record, not committed."""
        name = f"{self.app}-other"
        other = Producer({**self.options, "transactional.id": name, "transaction.timeout.ms": 60_000})
        other.init_transactions(20)
        other.begin_transaction()
        other.produce(topic, b"7", b"other", partition)
        assert other.flush(10) == 0
        return other

    def group_offsets(self) -> dict[int, int]:
        """The group's committed offset of each input partition; -1001 where there is none."""
        reader = Consumer({**self.options, "group.id": self.app, "enable.auto.commit": False})
        asked = reader.committed(
            [TopicPartition(self.source, each) for each in range(self.partitions)], timeout=10
        )
        reader.close()
        return {each.partition: each.offset for each in asked}

    def commit_group_offset(self, partition: int, offset: int) -> None:
        reader = Consumer({**self.options, "group.id": self.app, "enable.auto.commit": False})
        reader.commit(offsets=[TopicPartition(self.source, partition, offset)], asynchronous=False)
        reader.close()

    def worker(
        self, script: str = "counting_worker.py", again: Worker | None = None, **more: object
    ) -> Worker:
        """A worker with a disk of its own, or with that of one that has ended."""
        index = len(self._workers)
        worker = Worker(self, script, index, more, again.data if again else self.folder / f"worker-{index}")
        self._workers.append(worker)
        return worker

    def end(self) -> None:
        for worker in self._workers:
            worker.kill()
        delete_topics(self.admin, [self.source, self.output, self.changelog])


class Worker:
    """A worker process. `more` are settings of its EngineConfig."""

    def __init__(self, place: Place, script: str, index: int, more: dict[str, object], data: Path) -> None:
        self.data = data
        self._log = place.folder / f"worker-{index}.log"
        quick = {"session_timeout": 6.0, "heartbeat": 0.5, "batch_records": 500, "back_off": 0.1}
        environment = {
            **os.environ,
            "APP": place.app,
            "BROKER": place.bootstrap,
            "DATA": str(data),
            "MORE": json.dumps({**quick, **more}),
        }
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(HERE / script)], env=environment, stdout=log, stderr=subprocess.STDOUT
            )

    def kill(self) -> None:
        """As a crash would."""
        self._process.kill()
        self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, seconds: float = 40) -> int:
        """The exit code; fails with the log if the process does not end."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the worker still runs; its log:\n{self.log}") from None

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def log(self) -> str:
        return self._log.read_text()

    def told(self, what: str) -> list[list[float]]:
        """What the engine has told of so far: see `counting_worker.Told`."""
        file = self.data / "told"
        lines = file.read_text().splitlines() if file.exists() else []
        return [rest for kind, *rest in map(json.loads, lines) if kind == what]

    def await_log(self, words: str, seconds: float = 30) -> None:
        until(lambda: words in self.log, seconds, lambda: f"{words!r} is not in the log:\n{self.log}")


def until(
    holds: Callable[[], bool], seconds: float = 30, otherwise: Callable[[], str] = lambda: "it never held"
) -> None:
    """Waits until it holds, or fails with what `otherwise` says."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.05)


def numbered(count: int, keys: int = 50) -> list[Entry]:
    """Records 0 … count-1 spread over keys."""
    return [(b"k%d" % (number % keys), b"%d" % number) for number in range(count)]


def assert_counted_once(found: Iterable[Entry], sent: list[Entry]) -> None:
    """Each key's records came out in order, each once, numbered 1, 2, 3, …"""
    by_key: dict[bytes, list[bytes]] = defaultdict(list)
    for key, value in sent:
        by_key[key].append(b"%s %d" % (value, len(by_key[key]) + 1))
    outputs: dict[bytes, list[bytes]] = defaultdict(list)
    for key, value in found:
        outputs[key].append(value)
    assert outputs == by_key
