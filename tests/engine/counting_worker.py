"""A worker process for the tests: one stage that numbers the records of each key. Everything comes by the
environment.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from pipeline.engine.config import EngineConfig
from pipeline.engine.errors import StopWorker
from pipeline.engine.worker import build_app, create_stage, run_worker
from pipeline.ports import Outbox, Record, Store


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


def config() -> EngineConfig:
    return EngineConfig(
        app=os.environ["APP"],
        bootstrap=os.environ["BROKER"],
        data=Path(os.environ["DATA"]),
        **json.loads(os.environ.get("MORE", "{}")),
    )


def main() -> int:
    logging.basicConfig(
        level=os.environ.get("LOG", "WARNING"), format="%(asctime)s %(name)s %(levelname)s %(message)s"
    )
    app = build_app(config())
    name = os.environ["APP"]
    create_stage(
        app, "count", f"{name}.in", f"{name}.changelog", lambda _, store: Counting(store, f"{name}.out")
    )
    return run_worker(app)


if __name__ == "__main__":
    sys.exit(main())
