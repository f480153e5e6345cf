"""A sink: few, large writes; the identical records again until they are written; acknowledged afterwards."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from pipeline.engine.config import EngineConfig
from pipeline.engine.errors import EXIT_FAILED, EngineError, StopWorker
from pipeline.engine.hooks import Hooks
from pipeline.engine.logs import Bounds
from pipeline.engine.opening import Committed
from pipeline.engine.sink import SinkSpec, SinkWork, SinkWriter
from pipeline.engine.transport import Batch, Intake
from pipeline.engine.unpacking import ConsumedRecord
from pipeline.errors import ThroughlineError
from pipeline.ports import Record

ONE, TWO = TP("in", 1), TP("in", 2)


class Target:
    """Where records are written; the first `failing` calls raise, and all wait for `open`."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.failing = 0
        self.error: Exception = OSError("the target is away")
        self.open = threading.Event()
        self.open.set()
        self.threads: set[int] = set()
        self.closed = False
        self.rests = 0.0

    def write(self, records: Sequence[Record]) -> None:
        self.threads.add(threading.get_ident())
        self.open.wait(10)
        self.calls.append([record.offset for record in records])
        if self.failing:
            self.failing -= 1
            raise self.error

    def rest(self) -> float:
        return self.rests

    def close(self) -> None:
        self.closed = True


class Bench:
    """A sink's writer and its works over a target."""

    def __init__(self, **settings: Any) -> None:
        self.target = Target()
        self.acknowledged: list[tuple[TP, int]] = []
        self.stopped: list[EngineError] = []
        quick = {"sink_records": 4, "sink_delay": 0.05, "back_off": 0.001}
        config = EngineConfig("app", "nowhere:1", Path(), **{**quick, **settings})
        spec = SinkSpec("warehouse", ("in",), lambda: self.target)
        self.writer = SinkWriter(spec, config, Hooks(), self._acknowledge, self.stopped.append)
        self.pool = ThreadPoolExecutor(1)
        logs = SimpleNamespace(topic_id=lambda topic: "id", bounds=lambda topic, partition: Bounds(0, 100))
        self.works = {tp: SinkWork(spec, tp, self.writer, logs, self.pool) for tp in (ONE, TWO)}  # type: ignore[arg-type]

    def _acknowledge(self, tp: TP, offset: int) -> None:
        self.acknowledged.append((tp, offset))

    async def open(self, offset: int = 0) -> None:
        for work in self.works.values():
            assert await work.open(Committed(offset, "id")) == offset

    async def give(self, start: int, end: int, tp: TP = ONE, value: bytes = b"") -> int | None:
        records = [
            ConsumedRecord("in", tp.partition, offset, 0, None, value, []) for offset in range(start, end)
        ]
        return await self.works[tp].apply(Batch(Intake(tp, start), records, start, end))


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    await bench.open()
    yield bench
    bench.target.open.set()
    await bench.writer.close()
    bench.pool.shutdown()


async def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.002)


async def test_small_batches_of_all_partitions_become_one_write(bench: Bench) -> None:
    await bench.give(0, 1)
    await bench.give(1, 2)
    await bench.give(0, 1, TWO)
    await until(lambda: bool(bench.acknowledged))
    assert bench.target.calls == [[0, 1, 0]]
    assert sorted(bench.acknowledged) == [(ONE, 2), (TWO, 1)]


async def test_a_write_does_not_wait_when_enough_has_come() -> None:
    bench = Bench(sink_delay=60.0)
    await bench.open()
    await bench.give(0, 4)
    await until(lambda: bool(bench.acknowledged))
    assert bench.target.calls == [[0, 1, 2, 3]]


async def test_a_write_does_not_wait_when_enough_bytes_have_come_and_no_more_is_gathered_then() -> None:
    bench = Bench(sink_delay=60.0, sink_records=1000, sink_bytes=2000)
    bench.target.open.clear()
    await bench.open()
    await bench.give(0, 2, value=b"v" * 1000)
    await until(lambda: bool(bench.target.threads))
    waiting = asyncio.create_task(bench.give(2, 4, value=b"v" * 1000))
    await asyncio.sleep(0.02)
    assert not waiting.done()
    bench.target.open.set()
    await waiting
    await until(lambda: len(bench.target.calls) == 2)
    assert bench.target.calls == [[0, 1], [2, 3]]
    await bench.writer.close()


async def test_a_write_does_not_wait_when_all_that_gave_something_were_read_to_their_end() -> None:
    bench = Bench(sink_delay=60.0)
    await bench.open()
    await bench.give(0, 1)
    await bench.give(0, 1, TWO)
    await bench.works[ONE].quiet(0, 1)
    await asyncio.sleep(0.02)
    assert bench.target.calls == []  # the other may still bring more
    await bench.give(1, 2)
    await bench.works[TWO].quiet(0, 1)
    await asyncio.sleep(0.02)
    assert bench.target.calls == []  # and so may the first, which has come back
    await bench.works[ONE].quiet(0, 2)
    await until(lambda: len(bench.acknowledged) == 2)
    assert bench.target.calls == [[0, 0, 1]]
    await bench.writer.close()


async def test_what_comes_while_a_target_rests_becomes_one_write() -> None:
    bench = Bench(sink_delay=0.0)
    bench.target.rests = 60.0
    await bench.open()
    await bench.give(0, 1)
    await until(lambda: len(bench.target.calls) == 1)
    await bench.give(1, 2)
    await bench.works[ONE].quiet(0, 2)  # also then: it rests for its own sake
    await bench.give(2, 3)
    await asyncio.sleep(0.02)
    assert bench.target.calls == [[0]]
    await bench.works[ONE].settle()  # but nobody who takes the partition away waits for that
    assert bench.target.calls == [[0], [1, 2]]
    await bench.writer.close()


async def test_nothing_is_acknowledged_before_it_is_written(bench: Bench) -> None:
    bench.target.open.clear()
    await bench.give(0, 2)
    await asyncio.sleep(0.1)
    assert bench.acknowledged == []
    bench.target.open.set()
    await until(lambda: bench.acknowledged == [(ONE, 2)])


async def test_a_write_that_failed_is_repeated_with_the_identical_records(bench: Bench) -> None:
    bench.target.failing = 3
    await bench.give(0, 3)
    await until(lambda: bench.acknowledged == [(ONE, 3)])
    assert bench.target.calls == [[0, 1, 2]] * 4


async def test_what_comes_while_a_write_is_retried_goes_into_the_next_one(bench: Bench) -> None:
    bench.target.open.clear()
    await bench.give(0, 2)
    await until(lambda: bench.writer.holds(ONE) and bool(bench.target.threads))
    bench.target.failing = 1
    await bench.give(2, 4)
    bench.target.open.set()
    await until(lambda: (ONE, 4) in bench.acknowledged)
    assert bench.target.calls == [[0, 1], [0, 1], [2, 3]]


async def test_a_full_sink_holds_up_its_partitions(bench: Bench) -> None:
    bench.target.open.clear()
    await bench.give(0, 1)
    await until(lambda: bool(bench.target.threads))
    waiting = asyncio.create_task(bench.give(1, 6))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    bench.target.open.set()
    await asyncio.wait_for(waiting, 5)


async def test_all_writes_come_from_one_thread_that_also_made_the_sink(bench: Bench) -> None:
    for start in range(0, 12, 4):
        await bench.give(start, start + 4)
    await until(lambda: (ONE, 12) in bench.acknowledged)
    assert len(bench.target.threads) == 1
    assert threading.get_ident() not in bench.target.threads


async def test_a_sink_that_says_stop_is_not_tried_again(bench: Bench) -> None:
    bench.target.failing, bench.target.error = 1, StopWorker("the table is gone")
    await bench.give(0, 1)
    await until(lambda: bool(bench.stopped))
    assert bench.acknowledged == []
    assert len(bench.target.calls) == 1


class AwayError(ThroughlineError):
    """As a sink says that its target does not answer."""


@pytest.mark.parametrize("error", [AwayError("away"), ConnectionResetError("away"), TimeoutError()])
async def test_a_target_that_is_away_is_tried_again_for_as_long_as_it_takes(
    bench: Bench, error: Exception
) -> None:
    bench.target.failing, bench.target.error = 6, error
    await bench.give(0, 1)
    await until(lambda: bench.acknowledged == [(ONE, 1)])
    assert len(bench.target.calls) == 7
    assert bench.stopped == []


async def test_a_defect_of_a_sink_stops_the_worker_after_a_few_tries_and_says_what_could_not_be_written(
    bench: Bench,
) -> None:
    bench.target.failing, bench.target.error = 100, KeyError("amount")
    await bench.give(0, 2)
    await bench.give(0, 1, TWO)
    await until(lambda: bool(bench.stopped))
    assert len(bench.target.calls) == 3
    assert bench.acknowledged == []
    said = "warehouse: writing 3 records of in-1 up to offset 1, in-2 up to offset 0 failed 3 times, last with KeyError at "
    assert str(bench.stopped[0]).startswith(said)
    assert "amount" not in str(bench.stopped[0]), "what a defect raises may quote a customer"
    assert bench.stopped[0].exit_code == EXIT_FAILED


async def test_only_defects_in_a_row_are_one_that_will_never_pass(bench: Bench) -> None:
    errors = iter([KeyError(), KeyError(), OSError(), KeyError(), KeyError()])

    def failing(records: Sequence[Record]) -> None:
        for error in errors:
            raise error

    bench.target.write = failing  # type: ignore[method-assign]
    await bench.give(0, 1)
    await until(lambda: bench.acknowledged == [(ONE, 1)])
    assert bench.stopped == []


async def test_a_worker_that_is_being_stopped_does_not_wait_for_what_will_not_be_written(
    bench: Bench,
) -> None:
    bench.target.failing, bench.target.error = 1, StopWorker("the table is gone")
    await bench.give(0, 1)
    await bench.give(0, 1, TWO)
    await until(lambda: bool(bench.stopped))
    await asyncio.wait_for(bench.works[ONE].settle(), 5)
    assert bench.acknowledged == []


async def test_a_sink_that_fails_behind_its_write_stops_the_worker_instead_of_standing_still(
    bench: Bench,
) -> None:
    def broken(tp: TP, offset: int) -> None:
        raise KeyError(tp)

    bench.writer.acknowledge = broken
    await bench.give(0, 1)
    await until(lambda: bool(bench.stopped))
    assert "warehouse can't go on (KeyError" in str(bench.stopped[0])
    assert len(bench.target.calls) == 1


async def test_settling_writes_at_once_and_waits_for_it() -> None:
    bench = Bench(sink_delay=60.0)
    await bench.open()
    await bench.give(0, 2)
    await asyncio.wait_for(bench.works[ONE].settle(), 5)
    assert bench.acknowledged == [(ONE, 2)]


async def test_what_was_not_written_before_its_partition_left_is_not_acknowledged(bench: Bench) -> None:
    bench.target.open.clear()
    await bench.give(0, 1)
    await bench.give(0, 1, TWO)
    bench.works[ONE].abandon()
    bench.target.open.set()
    await until(lambda: bool(bench.acknowledged))
    assert bench.acknowledged == [(TWO, 1)]


async def test_batches_before_the_position_are_dropped_and_a_gap_seeks_back(bench: Bench) -> None:
    await bench.open(10)
    assert await bench.give(8, 10) is None
    assert await bench.give(12, 14) == 10
    await bench.give(9, 12)
    await until(lambda: bench.acknowledged == [(ONE, 12)])
    assert bench.target.calls == [[10, 11]]


async def test_a_quiet_partition_acknowledges_the_markers_behind_its_last_record(bench: Bench) -> None:
    await bench.works[ONE].quiet(0, 3)
    assert bench.acknowledged == [(ONE, 3)]


async def test_a_quiet_partition_acknowledges_nothing_while_something_is_not_written(bench: Bench) -> None:
    bench.target.open.clear()
    await bench.give(0, 1)
    await bench.works[ONE].quiet(0, 2)
    assert bench.acknowledged == []


async def test_closing_closes_the_target() -> None:
    bench = Bench()
    await bench.open()
    await bench.give(0, 1)
    await until(lambda: bool(bench.acknowledged))
    await bench.writer.close()
    assert bench.target.closed
