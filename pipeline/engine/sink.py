"""The at-least-once variant of a stage, for a target that makes a repeated write harmless.

In: batches of all the sink's partitions in this worker. Out: few, large writes: records are gathered
until `sink_records` or `sink_bytes` are there, the oldest is `sink_delay` old or nothing more is likely to come, written
in one call, and acknowledged after it has returned. While a write is retried the next one fills up, then
its partitions rest; heartbeats go on. The committed offset is the position.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from faust.types import TP
from mode import get_logger

from pipeline.engine.config import EngineConfig
from pipeline.engine.errors import BatchFailedError, EngineError, PositionLostError, StopWorker
from pipeline.engine.hooks import Hooks
from pipeline.engine.logs import Logs
from pipeline.engine.opening import Committed
from pipeline.engine.telling import told
from pipeline.engine.transport import Batch
from pipeline.errors import ThroughlineError
from pipeline.ports import Record

log = get_logger(__name__)

_MAY_PASS = (ThroughlineError, OSError)
"""The target is away, or a sentence says what is wrong with it. Everything else is a defect of the sink's."""


class Sink(Protocol):
    """Where the records go. One `Sink` serves one worker and is only ever called from one thread."""

    def write(self, records: Sequence[Record]) -> None:
        """Write all records or raise; each topic partition's records are in order and without holes between
        calls.

        A call that raised is repeated with the identical records in the identical order, with back-off: for as
        long as it takes after a ThroughlineError or an OSError, `tries` times in a row after anything else, which
        then stops the worker. So does `StopWorker`, at once: for what no repetition mends.
        """
        ...

    def rest(self) -> float:
        """Asked after each write: for how many seconds to gather at least before the next one."""
        ...

    def close(self) -> None: ...


class SinkFactory(Protocol):
    def __call__(self) -> Sink:
        """Called in the sink's thread, before the first write."""
        ...


@dataclass(frozen=True)
class SinkSpec:
    name: str
    topics: tuple[str, ...]
    factory: SinkFactory


class _Load:
    """What is written in one call: the records, and up to which offset each partition is then done."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.size = 0
        """Bytes of the records' values."""
        self.ends: dict[TP, int] = {}
        self.batches: list[tuple[TP, int]] = []
        self.busy: set[TP] = set()
        """Partitions of it of which more is likely to come."""
        self.since = time.monotonic()

    def add(self, tp: TP, records: Sequence[Record], end: int) -> None:
        if not self.records:
            self.since = time.monotonic()
        self.records.extend(records)
        self.size += sum([len(record.value) for record in records if record.value is not None])
        self.ends[tp] = end
        self.busy.add(tp)
        self.batches.append((tp, len(records)))


def _places(load: _Load) -> str:
    return ", ".join(
        f"{tp.topic}-{tp.partition} up to offset {end - 1}" for tp, end in sorted(load.ends.items())
    )


class SinkWriter:
    """One sink in one worker: gathers, writes, acknowledges."""

    def __init__(
        self,
        spec: SinkSpec,
        config: EngineConfig,
        hooks: Hooks,
        acknowledge: Callable[[TP, int], None],
        stop: Callable[[EngineError], None],
    ) -> None:
        self._spec, self._config, self._hooks = spec, config, hooks
        self.acknowledge, self._stop = acknowledge, stop
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=spec.name)
        self._sink: Sink | None = None
        self._gathering, self._writing = _Load(), _Load()
        self._changed = asyncio.Condition()
        self._hurry = False
        self._not_before = 0.0
        self._task: asyncio.Task[None] | None = None
        self._ended = False

    async def put(self, tp: TP, records: Sequence[Record], end: int) -> None:
        """Returns when there is room for more."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        async with self._changed:
            self._gathering.add(tp, records, end)
            self._changed.notify_all()
            await self._changed.wait_for(lambda: not self._is_full())

    async def settle(self, tp: TP) -> None:
        """Write without waiting for more; returns when nothing of the partition is left, or nothing is written any
        more because the worker is being stopped.
        """
        async with self._changed:
            self._hurry = bool(self._gathering.records)
            self._changed.notify_all()
            await self._changed.wait_for(lambda: self._ended or not self.holds(tp))

    async def at_end(self, tp: TP) -> None:
        """The partition was read to its end. When all that have given something were, waiting gathers nothing more."""
        async with self._changed:
            self._gathering.busy.discard(tp)
            self._changed.notify_all()

    def holds(self, tp: TP) -> bool:
        """Whether something of the partition is not written yet."""
        return tp in self._gathering.ends or tp in self._writing.ends

    def forget(self, tp: TP) -> None:
        """The partition is read again, by whomever: what of it was not written yet is not ours to
        acknowledge.
        """
        for load in (self._gathering, self._writing):
            load.ends.pop(tp, None)
            load.busy.discard(tp)

    async def close(self) -> None:
        """Give up what is not written and close the sink, unless its thread is stuck in a write."""
        if self._task is not None:
            self._task.cancel()
        if self._sink is not None and not self._writing.records:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._sink.close)
        self._thread.shutdown(wait=False)

    async def _run(self) -> None:
        try:
            await self._serve()
        except Exception as error:
            log.exception("%s can't go on", self._spec.name)
            self._stop(EngineError(f"{self._spec.name} can't go on ({told(error)}); see the log above"))
        async with self._changed:
            self._ended = True
            self._changed.notify_all()

    async def _serve(self) -> None:
        while True:
            await self._gather()
            try:
                await self._write()
            except (StopWorker, BatchFailedError) as error:
                self._stop(error)
                return
            async with self._changed:
                for tp, end in self._writing.ends.items():
                    self.acknowledge(tp, end)
                self._writing = _Load()
                self._changed.notify_all()

    async def _gather(self) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._gathering.records))
            due = self._gathering.since + self._config.sink_delay
            await self._wait(due, lambda: self._full() or not self._gathering.busy)
            await self._wait(self._not_before, self._full)
            self._hurry = False
            self._writing, self._gathering = self._gathering, _Load()
            self._changed.notify_all()

    async def _wait(self, until: float, enough: Callable[[], bool]) -> None:
        """Gather until then, or until it is enough."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, until - time.monotonic())):
                await self._changed.wait_for(enough)

    def _full(self) -> bool:
        return self._hurry or self._is_full()

    def _is_full(self) -> bool:
        load, config = self._gathering, self._config
        return len(load.records) >= config.sink_records or load.size >= config.sink_bytes

    async def _write(self) -> None:
        """Returns when it is written. Raises StopWorker, and BatchFailedError after a defect."""
        loop = asyncio.get_running_loop()
        pause, defects = self._config.back_off, 0
        while True:
            began = time.perf_counter()
            try:
                await loop.run_in_executor(self._thread, self._write_once, self._writing.records)
            except StopWorker:
                raise
            except Exception as error:  # whatever the target says, the same records are sent again
                defects = 0 if isinstance(error, _MAY_PASS) else defects + 1
                self._failed(error, pause, defects)
                await asyncio.sleep(pause)
                pause = min(2 * pause, self._config.sink_back_off)
            else:
                seconds = time.perf_counter() - began
                self._hooks.on_write(self._spec.name, len(self._writing.records), seconds)
                for tp, records in self._writing.batches:
                    self._hooks.on_batch(self._spec.name, tp.topic, tp.partition, records, seconds)
                return

    def _failed(self, error: Exception, pause: float, defects: int) -> None:
        """Tell of it. Raises BatchFailedError if that was one defect too many."""
        for tp in self._writing.ends:
            self._hooks.on_abort(self._spec.name, tp.topic, tp.partition)
        self._hooks.on_retry(self._spec.name)
        number = len(self._writing.records)
        if defects >= self._config.tries:
            log.error("%s could not write %d records", self._spec.name, number, exc_info=error)
            raise BatchFailedError(
                f"{self._spec.name}: writing {number} records of {_places(self._writing)} failed {defects} times, "
                f"last with {told(error)}; see the log above"
            ) from error
        log.warning(
            "%s could not write %d records, again in %.1f s: %s",
            self._spec.name,
            number,
            pause,
            told(error),
            extra={"stage": self._spec.name},
        )

    def _write_once(self, records: Sequence[Record]) -> None:
        if self._sink is None:
            self._sink = self._spec.factory()
        self._sink.write(records)
        self._not_before = time.monotonic() + self._sink.rest()


class SinkWork:
    """One partition of a sink. See `partitions.Work`."""

    def __init__(self, spec: SinkSpec, tp: TP, writer: SinkWriter, logs: Logs, pool: Executor) -> None:
        self.name, self.tp, self.topic_id = spec.name, tp, ""
        self._writer, self._logs, self._pool = writer, logs, pool
        self._position = 0

    async def open(self, committed: Committed | None) -> int:
        loop = asyncio.get_running_loop()
        self._writer.forget(self.tp)
        self._position = await loop.run_in_executor(self._pool, self._check, committed)
        return self._position

    async def apply(self, batch: Batch) -> int | None:
        if batch.end <= self._position:
            return None
        if batch.start > self._position:
            return self._position
        records = batch.records
        if batch.start < self._position:
            records = [record for record in records if record.offset >= self._position]
        self._position = batch.end
        await self._writer.put(self.tp, records, batch.end)
        return None

    async def quiet(self, now: int, read_to: int) -> None:  # noqa: ARG002 - see partitions.Work
        if not self._writer.holds(self.tp):
            self._position = max(self._position, read_to)
            self._writer.acknowledge(self.tp, self._position)
        else:
            await self._writer.at_end(self.tp)

    async def settle(self) -> None:
        await self._writer.settle(self.tp)

    def abandon(self) -> None:
        self._writer.forget(self.tp)

    async def discard(self) -> None:
        self._writer.forget(self.tp)

    def _check(self, committed: Committed | None) -> int:
        self.topic_id = self._logs.topic_id(self.tp.topic)
        bounds = self._logs.bounds(self.tp.topic, self.tp.partition)
        return sink_position(self.name, self.tp, self.topic_id, bounds, committed)


def sink_position(
    name: str, tp: TP, topic_id: str, bounds: tuple[int, int], committed: Committed | None
) -> int:
    """The committed offset if it belongs to this log, the log's beginning if nothing was written yet."""
    if committed is None or committed.unread:
        return bounds[0]
    if committed.metadata and committed.metadata != topic_id:
        raise PositionLostError(
            f"the topic {tp.topic!r} was deleted and made anew since {name} read it; "
            "start the pipeline under a new name"
        )
    if not bounds[0] <= committed.offset <= bounds[1]:
        raise PositionLostError(
            f"the offset {committed.offset} of {name} in {tp.topic}-{tp.partition} lies outside its log "
            f"[{bounds[0]}, {bounds[1]}]: records were removed before they were written; replay the source "
            "into a pipeline under a new name"
        )
    return committed.offset
