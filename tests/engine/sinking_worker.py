"""A worker process for the tests: one sink that appends what it is given to a file, a line for each record.

It takes a while for every write, so that something is always gathered or under way. A write that finds the file `away`
beside its own fails.
"""

from __future__ import annotations

import atexit
import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from counting_worker import Told, config

from pipeline.engine.worker import build_app, create_sink, end_process, run_worker
from pipeline.ports import Record

_WRITE_SECONDS = 0.2


class File:
    def __init__(self, path: Path) -> None:
        self._path, self._away = path, path.with_name("away")

    def write(self, records: Sequence[Record]) -> None:
        if self._away.exists():
            raise OSError("the file is away")
        time.sleep(_WRITE_SECONDS)
        with self._path.open("ab") as file:
            file.write(b"".join(b"%s %s\n" % (record.key, record.value) for record in records))

    def rest(self) -> float:
        return 0.0

    def close(self) -> None: ...


def main() -> NoReturn:
    logging.basicConfig(level="WARNING", format="%(asctime)s %(name)s %(levelname)s %(message)s")
    # it tells of offsets that the group did not take, after which records are written again
    logging.getLogger("pipeline.engine.transport").setLevel(logging.INFO)
    settings = config()
    app = build_app(settings, Told(settings.data))
    create_sink(app, "file", [f"{os.environ['APP']}.in"], lambda: File(settings.data / "written"))
    atexit.register(os.abort)  # a worker ends without taking the interpreter apart
    end_process(run_worker(app))


if __name__ == "__main__":
    main()
