"""A worker process for the tests: one stage that numbers the records of each key. Everything comes by the
environment.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

from prometheus_client import CollectorRegistry

from pipeline.engine.config import EngineConfig
from pipeline.engine.errors import StopWorker
from pipeline.engine.hooks import Hooks
from pipeline.engine.worker import build_app, create_stage, end_process, run_worker, silences, waiting_for
from pipeline.ports import Outbox, Record, Store
from pipeline.probes import Probes, serve


class Counting:
    """Sends each record on with its number among those of its key; `boom` raises, `halt` stops, `slow:S`
    takes S seconds.
    """

    def __init__(self, store: Store, output: str) -> None:
        self._store, self._output = store, output

    def process(self, records: Iterable[Record], outbox: Outbox) -> None:
        for record in records:
            key, value = record.key or b"", record.value or b""
            if value == b"boom":
                raise RuntimeError("this record cannot be counted")
            if value == b"halt":
                raise StopWorker("The record says halt: remove it.")
            if value.startswith(b"slow:"):
                sys.stdout.write("slow\n")
                sys.stdout.flush()
                time.sleep(float(value[5:]))
            number = int(self._store.get(key) or b"0") + 1
            self._store.put(key, b"%d" % number)
            outbox.send(self._output, b"%s %d" % (value, number), key, record.partition)

    owes = False

    def quiet(self, now: int, outbox: Outbox) -> bool:
        return False


class Told(Hooks):
    """Appends to the file `told` what the engine tells, a JSON array a line: a commit with when it began and ended,
    an opening when its state is recovered.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / "told").open("a", buffering=1)

    def on_commit(self, stage: str, topic: str, partition: int, seconds: float) -> None:
        now = time.monotonic()
        self._tell("commit", partition, now - seconds, now)

    def on_recovery(self, stage: str, topic: str, partition: int, offset: int, end: int) -> None:
        if offset == end:
            self._tell("opened", partition)

    def on_rebalance(self) -> None:
        self._tell("rebalance")

    def _tell(self, *what: object) -> None:
        self._file.write(json.dumps(what) + "\n")


def config() -> EngineConfig:
    return EngineConfig(
        app=os.environ["APP"],
        bootstrap=os.environ["BROKER"],
        data=Path(os.environ["DATA"]),
        **json.loads(os.environ.get("MORE", "{}")),
    )


def main() -> NoReturn:
    logging.basicConfig(
        level=os.environ.get("LOG", "WARNING"), format="%(asctime)s %(name)s %(levelname)s %(message)s"
    )
    settings = config()
    app = build_app(settings, Told(settings.data))
    if port := int(os.environ.get("PROBES", "0")):
        registry = CollectorRegistry()
        serve(
            Probes(registry, lambda: silences(app), lambda: waiting_for(app), hung_seconds=2.0),
            "127.0.0.1",
            port,
        )
    signal.signal(signal.SIGUSR1, lambda *_: time.sleep(8))  # the event loop's thread: it hangs
    name = os.environ["APP"]
    create_stage(
        app, "count", f"{name}.in", f"{name}.changelog", lambda _, store: Counting(store, f"{name}.out")
    )
    atexit.register(os.abort)  # a worker ends without taking the interpreter apart
    end_process(run_worker(app))


if __name__ == "__main__":
    main()
