"""Every metric that a worker exports, in one place. docs/metrics.md has them as a table; a test holds the two together.

All are updated per batch, never per touchpoint. No label is ever an identifier of a customer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from pipeline.engine.hooks import Hooks, PartitionState

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_RECORDS = (1, 10, 100, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 50_000)
_PLACE = ("stage", "topic", "partition")
_Place = tuple[str, str, int]


class Metrics(Hooks):
    """The metrics of one worker process of `pipeline`, fed by the engine's hooks and the stages' counts of each batch."""

    def __init__(self, pipeline: str) -> None:
        self.registry = CollectorRegistry()
        self._of_partitions: list[Gauge] = []
        self._marks = _Watermarks()
        self.registry.register(self._marks)
        Info("throughline_worker", "The pipeline that this worker works for.", registry=self.registry).info(
            {"pipeline": pipeline}
        )
        ProcessCollector(namespace="throughline", registry=self.registry)
        self._declare_engine()
        self._declare_stages()
        self._declare_sinks()

    def _declare_engine(self) -> None:
        self._records = self._counter("records", "Records processed and committed, or written.")
        self._batches = self._counter("batches", "Batches committed, or written.")
        self._batch_records = self._histogram("batch_records", "Records of one batch.", ("stage",), _RECORDS)
        self._batch = self._histogram("batch_seconds", "Processing and committing one batch.", ("stage",))
        self._commit = self._histogram("commit_seconds", "Committing one transaction.", ("stage",))
        self._aborts = self._counter("aborts", "Batches or openings that failed and were tried again.")
        self._fences = self._counter("fences", "Producers fenced by a new owner, or transactions timed out.")
        self._gaps = self._counter(
            "gaps", "Batches that began after the position, so that the unit sought back."
        )
        self._rebalances = self._counter("rebalances", "Times that the group handed out its partitions.", ())
        self._state_keys = self._gauge("state_keys", "Keys in the state of a partition.")
        self._state_bytes = self._gauge("state_bytes", "Size of the state of a partition.")
        self._recovered = self._gauge("recovery_ratio", "Share of the changelog read; 1 when ready.")

    def _declare_stages(self) -> None:
        """What the stages count while they process, by name and reason."""
        self._events = self._counter("events", "What happened to touchpoints, by name.", ("stage", "event"))
        self._dead_letters = self._counter("dead_letters", "Records refused, by error code.", ("code",))

    def _declare_sinks(self) -> None:
        self._writes = self._counter(
            "sink_writes", "Writes of a sink that its target has confirmed.", ("stage",)
        )
        self._write = self._histogram(
            "sink_write_seconds", "One confirmed write, with its retries.", ("stage",)
        )
        self._retries = self._counter(
            "sink_retries", "Writes of a sink that failed and were repeated.", ("stage",)
        )
        self._rows = self._counter("warehouse_rows", "Rows confirmed by ClickHouse.", ("table",))
        self._insert = self._histogram("insert_seconds", "One confirmed insert.", ("table",))

    def _counter(self, name: str, meaning: str, labels: Iterable[str] = _PLACE) -> Counter:
        return Counter(f"throughline_{name}", meaning, tuple(labels), registry=self.registry)

    def _gauge(self, name: str, meaning: str) -> Gauge:
        """Of a partition that this worker has; forgotten when it leaves."""
        made = Gauge(f"throughline_{name}", meaning, _PLACE, registry=self.registry)
        self._of_partitions.append(made)
        return made

    def _histogram(
        self, name: str, meaning: str, labels: tuple[str, ...], buckets: tuple[float, ...] = _SECONDS
    ) -> Histogram:
        return Histogram(f"throughline_{name}", meaning, labels, registry=self.registry, buckets=buckets)

    def watch(self, states: Callable[[], list[PartitionState]]) -> None:
        """Export lag and readiness from `states`, asked at each scrape."""
        self.registry.register(_Partitions(states))

    def count(self, stage: str, counts: Mapping[str, int]) -> None:
        """Add what a stage counted over one batch; names that begin with `dead_letters.` carry the error code."""
        for name, amount in counts.items():
            code = name.removeprefix("dead_letters.")
            if code != name:
                self._dead_letters.labels(code).inc(amount)
            else:
                self._events.labels(stage, name).inc(amount)

    def watermark(self, stage: str, topic: str, partition: int, micros: int) -> None:
        self._marks.reached[stage, topic, partition] = micros / 1e6

    def inserted(self, table: str, rows: int, seconds: float) -> None:
        self._rows.labels(table).inc(rows)
        self._insert.labels(table).observe(seconds)

    def on_batch(self, stage: str, topic: str, partition: int, records: int, seconds: float) -> None:
        self._records.labels(stage, topic, partition).inc(records)
        self._batches.labels(stage, topic, partition).inc()
        self._batch.labels(stage).observe(seconds)
        self._batch_records.labels(stage).observe(records)

    def on_commit(self, stage: str, topic: str, partition: int, seconds: float) -> None:  # noqa: ARG002 - per stage is enough
        self._commit.labels(stage).observe(seconds)

    def on_abort(self, stage: str, topic: str, partition: int) -> None:
        self._aborts.labels(stage, topic, partition).inc()

    def on_fence(self, stage: str, topic: str, partition: int) -> None:
        self._fences.labels(stage, topic, partition).inc()

    def on_gap(self, stage: str, topic: str, partition: int) -> None:
        self._gaps.labels(stage, topic, partition).inc()

    def on_rebalance(self) -> None:
        self._rebalances.inc()

    def on_write(self, stage: str, records: int, seconds: float) -> None:  # noqa: ARG002 - on_batch counts them
        self._writes.labels(stage).inc()
        self._write.labels(stage).observe(seconds)

    def on_retry(self, stage: str) -> None:
        self._retries.labels(stage).inc()

    def on_recovery(self, stage: str, topic: str, partition: int, offset: int, end: int) -> None:
        self._recovered.labels(stage, topic, partition).set(offset / end if end else 1.0)

    def on_state(self, stage: str, topic: str, partition: int, keys: int, size: int) -> None:
        self._state_keys.labels(stage, topic, partition).set(keys)
        self._state_bytes.labels(stage, topic, partition).set(size)

    def on_close(self, stage: str, topic: str, partition: int) -> None:
        self._marks.reached.pop((stage, topic, partition), None)
        for gauge in self._of_partitions:
            gauge.remove(stage, topic, partition)


class _Watermarks(Collector):
    """How far time has come in each partition, and how far that is behind now: asked at each scrape, because what
    stands still falls behind without a batch.
    """

    def __init__(self) -> None:
        self.reached: dict[_Place, float] = {}

    def collect(self) -> Iterable[GaugeMetricFamily]:
        mark = GaugeMetricFamily(
            "throughline_watermark_seconds", "Watermark of a partition, in seconds since 1970.", labels=_PLACE
        )
        delay = GaugeMetricFamily(
            "throughline_watermark_delay_seconds", "How far the watermark is behind now.", labels=_PLACE
        )
        now = time.time()
        for (stage, topic, partition), seconds in self.reached.copy().items():
            mark.add_metric([stage, topic, str(partition)], seconds)
            delay.add_metric([stage, topic, str(partition)], now - seconds)
        yield mark
        yield delay


class _Partitions(Collector):
    def __init__(self, states: Callable[[], list[PartitionState]]) -> None:
        self._states = states

    def collect(self) -> Iterable[GaugeMetricFamily]:
        lag = GaugeMetricFamily(
            "throughline_lag_records", "Records not yet read, at the last fetch.", labels=_PLACE
        )
        ready = GaugeMetricFamily(
            "throughline_ready", "1 when the partition's state is recovered.", labels=_PLACE
        )
        for state in self._states():
            place = [state.stage, state.topic, str(state.partition)]
            if state.lag is not None:
                lag.add_metric(place, state.lag)
            ready.add_metric(place, float(state.ready))
        yield lag
        yield ready
