"""A worker that breaks at one exact place: the product's own worker, with a fault laid into it from outside.

Run as a file, like `throughline worker`. FAULT_POINT names the place as `<stage>.<moment>`, or as
`<stage>.<moment>@<message>` if only a batch counts that holds such a message; FAULT_NTH at which time of passing it,
FAULT_SIGNAL what the worker does to itself there, FAULT_LOG the file in which it and the batch are noted before. What
became of that batch, if the worker lives on, is in the worker's own log. Without FAULT_POINT nothing breaks.
FAULT_SESSION makes the group notice sooner that a worker is gone; FAULT_OFF switches a mechanism of the product off, to
show that BASE then fails.
"""

from __future__ import annotations

import atexit
import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import switched_off

import agents.app
from pipeline.core.frames import IDENTITY_FRAMES, JOURNEY_FRAMES, LINK_FRAMES, Frames
from pipeline.engine.changelog import POSITION_KEY
from pipeline.engine.stage_work import StageWork
from pipeline.engine.unit import TransactionOutbox, Unit
from pipeline.warehouse.buckets import BucketSink
from pipeline.warehouse.sink import WarehouseSink

_POINT = os.environ.get("FAULT_POINT", "")
_STAGE, _, _REST = _POINT.partition(".")
_MOMENT, _, _MESSAGE = _REST.partition("@")
_HELD = -1
BATCH_COMMITTED = "the batch of the fault was committed"
BATCH_REFUSED = "the batch of the fault was refused:"
_FRAMES: dict[str, Frames[Any]] = {
    "linker": LINK_FRAMES,
    "identity": IDENTITY_FRAMES,
    "journey": JOURNEY_FRAMES,
}
_now = threading.local()
"""`stage` that works in this thread, and its `batch`."""
_passing = itertools.count(1)
_struck: list[Batch] = []
"""The batch at which the fault took place."""


class Batch(NamedTuple):
    """What is worked on: the records of the offsets [start, end), and whether they hold what the fault waits for."""

    topic: str
    partition: int
    start: int
    end: int
    counts: bool

    @classmethod
    def of(cls, stage: str, place: tuple[str, int], records: Iterable[Any], start: int, end: int) -> Batch:
        return cls(*place, start, end, not _MESSAGE or _holds(stage, records))


def _holds(stage: str, records: Iterable[Any]) -> bool:
    if stage != _STAGE:
        return False
    messages = (message for record in records for message in _FRAMES[stage].decode(record))
    return any(type(message).__name__ == _MESSAGE for message in messages)


def strike(stage: str, moment: str) -> None:
    """The fault, if this is its place and its time."""
    if _is_here(stage, moment):
        _pass(getattr(_now, "batch", None))


def _is_here(stage: str, moment: str) -> bool:
    batch: Batch | None = getattr(_now, "batch", None)
    return (stage, moment) == (_STAGE, _MOMENT) and (batch.counts if batch else not _MESSAGE)


def _pass(batch: Batch | None) -> None:
    if next(_passing) == int(os.environ["FAULT_NTH"]):
        _hit(batch)


def _hit(batch: Batch | None) -> None:
    path = Path(os.environ["FAULT_LOG"])
    if batch:
        _struck.append(batch)
    with path.open("a", encoding="utf-8") as log:
        place = " ".join(map(str, batch[:4])) if batch else ""
        log.write(f"{os.getpid()} {_POINT} {place}\n")
    number = int(os.environ.get("FAULT_SIGNAL", signal.SIGKILL))
    if number == _HELD:
        while not path.with_suffix(".go").exists():
            time.sleep(0.02)
    elif number:
        os.kill(os.getpid(), number)
    else:
        threading.Event().wait()


@contextmanager
def _end_told(batch: Batch) -> Iterator[None]:
    """Says what became of the batch of the fault, when the worker goes on: BATCH_COMMITTED, or BATCH_REFUSED and why."""
    end = BATCH_COMMITTED
    try:
        yield
    except BaseException as error:
        end = f"{BATCH_REFUSED} {type(error).__name__}"
        raise
    finally:
        if any(batch is struck for struck in _struck):
            sys.stderr.write(f"{end}\n")


def lay_faults() -> None:
    _lay_into_units()
    _lay_into_sinks()


def _lay_into_units() -> None:
    put, process, commit, apply = TransactionOutbox.put, Unit.process, Unit._commit, StageWork.apply

    def faulty_put(self: Any, topic: str, value: Any, key: Any, partition: int, more: Any) -> None:
        put(self, topic, value, key, partition, more)
        stage = getattr(_now, "stage", "")
        if not topic.endswith(".changelog"):
            strike(stage, "output")
        elif key != POSITION_KEY:
            strike(stage, "changelog")
        elif _is_here(stage, "position"):
            self._producer.flush(5)  # so that the broker has all of the transaction but its end
            strike(stage, "position")

    def faulty_process(self: Any, records: Any, start: int, end: int) -> Any:
        stage = _now.stage = self.spec.name
        _now.batch = Batch.of(stage, (self.spec.topic, self.partition), records, start, end)
        try:
            with _end_told(_now.batch):
                strike(stage, "given")
                return process(self, records, start, end)
        finally:
            _now.batch = None

    def faulty_commit(self: Any, end: int) -> None:
        stage = _now.stage = self.spec.name
        if _is_here(stage, "committing"):
            threading.Timer(0.004, _pass, (getattr(_now, "batch", None),)).start()
        commit(self, end)
        strike(stage, "committed")

    async def faulty_apply(self: Any, batch: Any) -> Any:
        back = await apply(self, batch)
        _now.batch = Batch.of(self.name, batch.tp, batch.records, batch.start, batch.end)
        strike(self.name, "acknowledged")
        _now.batch = None
        return back

    TransactionOutbox.put, Unit.process = faulty_put, faulty_process  # type: ignore[method-assign,assignment]
    Unit._commit, StageWork.apply = faulty_commit, faulty_apply  # type: ignore[method-assign]


def _lay_into_sinks() -> None:
    made, write, insert = WarehouseSink.__init__, WarehouseSink.write, WarehouseSink._insert
    recompute = BucketSink._recompute

    def faulty_made(self: Any, *arguments: Any) -> None:
        made(self, *arguments)
        touched = self._touched

        def faulty_touched(keys: Any) -> None:
            touched(keys)
            strike("warehouse", "touched")

        self._touched = faulty_touched

    def faulty_write(self: Any, records: Any) -> None:
        strike("warehouse", "gathered")
        write(self, records)
        strike("warehouse", "written")

    def faulty_insert(self: Any, block: Any) -> None:
        insert(self, block)
        strike("warehouse", "inserted")

    def faulty_recompute(self: Any, *arguments: Any) -> None:
        recompute(self, *arguments)
        strike("buckets", "recomputed")

    WarehouseSink.__init__, WarehouseSink.write = faulty_made, faulty_write  # type: ignore[method-assign]
    WarehouseSink._insert, BucketSink._recompute = faulty_insert, faulty_recompute  # type: ignore[method-assign]


def hurry() -> None:
    """A session time-out that does not make a test wait."""
    seconds, usual = float(os.environ.get("FAULT_SESSION", "10")), agents.app.engine_config

    def hurried(*arguments: Any) -> Any:
        return replace(usual(*arguments), session_timeout=seconds, heartbeat=seconds / 5)

    agents.app.engine_config = hurried


if __name__ == "__main__":
    from pipeline.cli.main import run

    hurry()
    switched_off.switch_off(os.environ.get("FAULT_OFF", ""))
    if _STAGE:
        lay_faults()
    atexit.register(os.abort)  # a worker ends without taking the interpreter apart
    run()
