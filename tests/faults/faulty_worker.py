"""A worker that breaks at one exact place: the product's own worker, with a fault laid into it from outside.

Run as a file, like `throughline worker`. FAULT_POINT names the place as `<stage>.<moment>`, FAULT_NTH at which time of
passing it, FAULT_SIGNAL what the worker does to itself there, FAULT_LOG the file in which it is noted before. Without
FAULT_POINT nothing breaks. FAULT_SESSION makes the group notice sooner that a worker is gone; FAULT_OFF switches a
mechanism of the product off, to show that BASE then fails.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
from dataclasses import replace
from typing import Any

import switched_off

import agents.app
from pipeline.engine.changelog import POSITION_KEY
from pipeline.engine.stage_work import StageWork
from pipeline.engine.unit import TransactionOutbox, Unit
from pipeline.warehouse.buckets import BucketSink
from pipeline.warehouse.sink import WarehouseSink

_STAGE, _, _MOMENT = os.environ.get("FAULT_POINT", "").partition(".")
_now = threading.local()
"""`stage` and `unit` that work in this thread."""
_passing = itertools.count(1)


def strike(stage: str, moment: str) -> None:
    """The fault, if this is its place and its time."""
    if (stage, moment) == (_STAGE, _MOMENT) and next(_passing) == int(os.environ["FAULT_NTH"]):
        _hit()


def _hit() -> None:
    with open(os.environ["FAULT_LOG"], "a", encoding="utf-8") as log:
        log.write(f"{os.getpid()} {_STAGE}.{_MOMENT}\n")
    number = int(os.environ.get("FAULT_SIGNAL", signal.SIGKILL))
    if number:
        os.kill(os.getpid(), number)
    else:
        threading.Event().wait()


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
        elif (stage, "position") == (_STAGE, _MOMENT):
            self._producer.flush(5)  # so that the broker has all of the transaction but its end
            strike(stage, "position")

    def faulty_process(self: Any, *arguments: Any) -> Any:
        _now.stage = self.spec.name
        return process(self, *arguments)

    def faulty_commit(self: Any, end: int) -> None:
        stage = _now.stage = self.spec.name
        if (stage, "committing") == (_STAGE, _MOMENT):
            threading.Timer(0.004, strike, (stage, "committing")).start()
        commit(self, end)
        strike(stage, "committed")

    async def faulty_apply(self: Any, batch: Any) -> Any:
        back = await apply(self, batch)
        strike(self.name, "acknowledged")
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
    sys.exit(run())
