"""The building blocks of a worker, and the life of its process.

In: an EngineConfig, stages and sinks. Out: a process that works on its share of the partitions until a
signal or a failure ends it, and an exit code that says which. What always holds: an agent only awaits the
work of its partition.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import faust
import uvloop
from aiokafka.errors import KafkaError
from faust.types import TP
from mode import get_logger

from pipeline.engine.allocator import keep_little
from pipeline.engine.clients import confluent_options, faust_options, logged
from pipeline.engine.config import EngineConfig
from pipeline.engine.errors import (
    EXIT_ABANDONED,
    EXIT_DRAINED,
    BrokerUnavailableError,
    EngineError,
    SilencedError,
)
from pipeline.engine.health import BEAT_SECONDS, LOOP, NotReady, Pulse, not_ready
from pipeline.engine.hooks import Hooks, PartitionState
from pipeline.engine.logs import Logs
from pipeline.engine.opening import Opener
from pipeline.engine.partitions import Partitions, Work
from pipeline.engine.sink import SinkFactory, SinkSpec, SinkWork, SinkWriter
from pipeline.engine.stage import StageFactory
from pipeline.engine.stage_work import StageWork
from pipeline.engine.telling import told
from pipeline.engine.transport import Batch, Transport
from pipeline.engine.unit import StageSpec
from pipeline.engine.warm_state import WarmStates
from pipeline.ports import Index

log = get_logger(__name__)

_STOP_SECONDS = 10.0
"""For leaving the group and closing clients, after the batches are done."""
TURN_SECONDS = 0.02
"""For so long a unit may keep Python's lock while others want it. With Python's own 5 ms a worker that catches up uses a
sixth more CPU, see docs/engine.md. The event loops wait as long, which is little beside a fetch.
"""


class EngineApp(faust.App):  # type: ignore[misc]
    """A Faust app on the record-batch transport. Made by `build_app`."""

    def attach(self, config: EngineConfig, hooks: Hooks) -> None:
        self.engine, self.hooks, self.pulse = config, hooks, Pulse()
        self.pulse.beat(LOOP)
        self.stages: dict[str, StageSpec] = {}
        self.sinks: dict[str, SinkSpec] = {}
        self.partitions = Partitions(config, hooks, self._new_work, self.fail)
        self.failure: EngineError | None = None
        self.ending = asyncio.Event()
        self._logs: Logs | None = None
        self._writers: dict[str, SinkWriter] = {}
        self._states = WarmStates(config.data / "state", config.state_memory) if config.state_memory else None
        self._pool = ThreadPoolExecutor(config.threads, thread_name_prefix="unit")

    def fail(self, error: EngineError) -> None:
        """Stop the worker; the first error says why."""
        if self.failure is None:
            self.failure = error
        self.ending.set()

    def silenced(self, seconds: float) -> None:
        """The process was frozen for so long that others may have taken over what it owned."""
        self.fail(
            SilencedError(
                f"this worker was frozen for {seconds:.0f} s, and after {self.engine.session_timeout:.0f} s without a "
                "heartbeat its partitions are given to others: it ends, and nothing that it had under way counts; "
                "it can be started again"
            )
        )

    def _new_transport(self) -> Transport:
        return Transport(self.conf.broker_consumer, self)

    def _new_consumer(self) -> Any:
        consumer = super()._new_consumer()
        consumer.owner, self.partitions.reader = self.partitions, consumer
        return consumer

    def _new_work(self, tp: TP) -> Work:
        if self._logs is None:
            self._logs = Logs(logged(confluent_options(self.engine.bootstrap, self.engine.options)))
        sink = self.sinks.get(tp.topic)
        if sink is not None:
            return SinkWork(sink, tp, self._writer(sink), self._logs, self._pool)
        opener = Opener(self.engine, self._logs, self.hooks, self._states)
        stage, acknowledge = self.stages[tp.topic], self.consumer.acknowledge
        return StageWork(stage, tp, opener, self.hooks, self._pool, acknowledge)

    def _writer(self, sink: SinkSpec) -> SinkWriter:
        if sink.name not in self._writers:
            self._writers[sink.name] = SinkWriter(
                sink, self.engine, self.hooks, self.consumer.acknowledge, self.fail
            )
        return self._writers[sink.name]

    async def leave(self, drained: bool) -> bool:
        """Commit offsets, leave the group, close what is at rest; returns whether that could be done in time."""
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await self.stop()
                if drained:
                    await self.partitions.close()
                    for writer in self._writers.values():
                        await writer.close()
        except TimeoutError:
            return False
        self._pool.shutdown(wait=False)
        return True


def build_app(config: EngineConfig, hooks: Hooks | None = None) -> EngineApp:
    """A fresh app on the engine's transport; nothing is started, nothing is connected."""
    config.data.mkdir(parents=True, exist_ok=True)
    app = EngineApp(
        config.app,
        **faust_options(config.bootstrap, config.options),
        datadir=config.data,
        store="memory://",
        autodiscover=False,
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        broker_session_timeout=config.session_timeout,
        broker_heartbeat_interval=config.heartbeat,
        broker_rebalance_timeout=max(60.0, 2 * config.drain),
        broker_max_poll_interval=config.poll_interval,
        broker_commit_interval=1.0,
        broker_max_poll_records=config.batch_records,
        consumer_max_fetch_size=config.batch_bytes,
        stream_buffer_maxsize=2,
        stream_recovery_delay=0.0,
        stream_wait_empty=False,  # parking waits instead, with a deadline
    )
    app.attach(config, hooks or Hooks())
    return app


def create_stage(
    app: EngineApp,
    name: str,
    topic: str,
    changelog: str,
    factory: StageFactory,
    index: Index | None = None,
) -> None:
    """Register the stage `name` over one input topic, exactly once.

    `changelog` is a compacted topic with as many partitions as `topic`. `factory(partition, store)` is
    called in the unit's thread after its state is recovered, and again whenever a transaction failed. Its store
    keeps the order that `index` gives.
    """
    app.stages[topic] = StageSpec(name, topic, changelog, factory, index)
    _register(app, name, topic)


def create_sink(app: EngineApp, name: str, topics: Sequence[str], factory: SinkFactory) -> None:
    """Register an at-least-once sink over `topics`; `factory()` is called in the sink's thread."""
    spec = SinkSpec(name, tuple(topics), factory)
    for topic in topics:
        app.sinks[topic] = spec
        _register(app, name, topic)


def _register(app: EngineApp, name: str, topic: str) -> None:
    async def work(stream: Any) -> None:
        async for batch in stream:
            await app.partitions.take(batch)

    # acks off: Faust acknowledges in a `finally`, also what failed; here a commit acknowledges
    channel = app.topic(topic, key_serializer="raw", value_serializer="raw", acks=False)
    app.agent(channel, name=f"{name}:{topic}", isolated_partitions=True)(work)


def partition_states(app: EngineApp) -> list[PartitionState]:
    """Every partition that this worker holds, for /readyz and the lag metrics. Thread-safe."""
    return app.partitions.states()


def silences(app: EngineApp) -> dict[str, float]:
    """For how many seconds each part of the worker has shown no life, for /livez. Thread-safe."""
    return app.pulse.silences()


def waiting_for(app: EngineApp) -> list[NotReady]:
    """What keeps the worker from being ready, for /readyz. Thread-safe."""
    return not_ready(app.partitions)


def run_worker(app: EngineApp) -> int:
    """Run until SIGTERM, SIGINT or a failure; returns one of the exit codes of `errors`, having logged the
    reason. A process that has nothing else to do ends by `end_process` then.

    A second signal, or batches that outlive `drain`, abandon what is under way: the process then ends here,
    because a thread that does not return cannot be joined.
    """
    keep_little()
    sys.setswitchinterval(TURN_SECONDS)
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    with asyncio.Runner() as runner:
        return runner.run(_live(app))


async def _live(app: EngineApp) -> int:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _on_signal, app)
    starting = asyncio.create_task(_start(app))
    quiet = asyncio.create_task(_say_quiet(app))
    crashed = asyncio.create_task(_watch(app))
    beating = asyncio.create_task(_beat(app))
    await app.ending.wait()
    if app.failure is not None:
        log.critical("%s", str(app.failure))  # made of words that may be told
    if isinstance(app.failure, SilencedError):
        # neither waiting nor leaving the group: it is no member any more, and must not become one again
        app.partitions.abandon()
        _exit_now(app.failure.exit_code)
    for task in (quiet, crashed):
        task.cancel()
    drained = await app.partitions.drain()
    left = await app.leave(drained)
    starting.cancel()
    beating.cancel()
    code = EXIT_DRAINED if drained else EXIT_ABANDONED
    if app.failure is not None:
        code = app.failure.exit_code
    if not (drained and left):
        _exit_now(code)
    return code


async def _start(app: EngineApp) -> None:
    try:
        await app.start()
    except KafkaError as error:
        app.fail(
            BrokerUnavailableError(
                f"Kafka at {app.engine.bootstrap} can't be used ({told(error)}); start it, or correct the address "
                "and the security options"
            )
        )
    except Exception as error:
        log.exception("the worker could not start")
        app.fail(EngineError(f"the worker could not start ({told(error)}); see the log above"))


async def _watch(app: EngineApp) -> None:
    """Faust crashed: a defect, or a fatal answer of the group coordinator."""
    await app._crashed.wait()  # noqa: SLF001 - a service has no other way to say it
    reason = told(app.crash_reason) if app.crash_reason else "no reason given"
    app.fail(EngineError(f"the worker's Kafka consumer crashed ({reason}); see the log above"))


async def _beat(app: EngineApp) -> None:
    while True:
        app.pulse.beat(LOOP)
        await asyncio.sleep(BEAT_SECONDS)


async def _say_quiet(app: EngineApp) -> None:
    try:
        while True:
            await asyncio.sleep(app.engine.quiet_interval)
            app.partitions.say_quiet()
    except Exception as error:
        log.exception("quiet times can't be told any more")
        app.fail(EngineError(f"the worker's clock stopped ({told(error)}); see the log above"))


def _on_signal(app: EngineApp) -> None:
    if app.ending.is_set():
        _exit_now(EXIT_ABANDONED)
    log.info("stopping: batches under way are finished first")
    app.ending.set()


def _exit_now(code: int) -> NoReturn:
    """End the process although a thread is at work; what it does is not committed and will be read again."""
    log.warning("the worker ends without waiting for what is still under way")
    end_process(code)


def end_process(code: int) -> NoReturn:
    """End the process of a worker that has run, without taking the interpreter apart: threads of librdkafka and RocksDB
    live as long as the process, and one that calls into half an interpreter crashes it (exit code -11, seen once in
    some hundred ends).
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


__all__ = [
    "Batch",
    "EngineApp",
    "build_app",
    "create_sink",
    "create_stage",
    "end_process",
    "partition_states",
    "run_worker",
    "silences",
    "waiting_for",
]
