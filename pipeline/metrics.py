"""Every metric that a worker exports, in one place, with what it means and what to do when it looks wrong.

All are updated per batch, never per touchpoint. No label is ever an identifier of a customer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pipeline.engine.hooks import Hooks, PartitionState

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_PLACE = ("stage", "topic", "partition")


class Metrics(Hooks):
    """The metrics of one worker process of `pipeline`, fed by the engine's hooks and the stages' counts of each batch."""

    def __init__(self, pipeline: str) -> None:
        self.registry = CollectorRegistry()
        self._of_partitions: list[Gauge] = []
        Info("throughline_worker", "The pipeline that this worker works for.", registry=self.registry).info(
            {"pipeline": pipeline}
        )

        def counter(name: str, meaning: str, labels: Iterable[str] = _PLACE) -> Counter:
            return Counter(f"throughline_{name}", meaning, tuple(labels), registry=self.registry)

        def gauge(name: str, meaning: str) -> Gauge:
            made = Gauge(f"throughline_{name}", meaning, _PLACE, registry=self.registry)
            self._of_partitions.append(made)
            return made

        def seconds(name: str, meaning: str) -> Histogram:
            return Histogram(
                f"throughline_{name}", meaning, ("stage",), registry=self.registry, buckets=_SECONDS
            )

        # the engine
        self._records = counter("records", "Records processed and committed.")
        self._batches = counter("batches", "Batches committed; records by batches is the batch size.")
        self._aborts = counter("aborts", "Transactions aborted and tried again. Should rest at zero.")
        self._fences = counter("fences", "Producers fenced by a new owner, or transactions timed out.")
        self._gaps = counter("gaps", "Batches that began after the position, so that the unit sought back.")
        self._batch = seconds("batch_seconds", "Processing and committing one batch.")
        self._commit = seconds(
            "commit_seconds", "Committing one transaction. Grows with the partitions that it touches."
        )
        self._state_keys = gauge("state_keys", "Keys in the state of a partition.")
        self._state_bytes = gauge("state_bytes", "Size of the state of a partition.")
        self._recovered = gauge("recovery_ratio", "Share of the changelog read; 1 when ready.")
        # the stages: what they count while they process, by name and reason
        self._events = counter(
            "events",
            "What happened to touchpoints, by name: touchpoints, late, duplicates, unmapped and others.",
            ("stage", "event"),
        )
        self._dead_letters = counter("dead_letters", "Records refused, by error code.", ("code",))
        self._watermark = gauge(
            "watermark_seconds", "Watermark of a stage's partition, in seconds since 1970."
        )
        # the warehouse
        self._rows = counter("warehouse_rows", "Rows confirmed by ClickHouse.", ("table",))
        self._insert = Histogram(
            "throughline_insert_seconds",
            "One confirmed insert.",
            ("table",),
            registry=self.registry,
            buckets=_SECONDS,
        )

    def watch(self, states: Callable[[], list[PartitionState]]) -> None:
        """Export lag and readiness from `states`, asked at each scrape."""
        self.registry.register(_Partitions(states))

    def serve(self, host: str, port: int) -> WSGIServer:
        """Serve `/metrics` in a thread of its own. Raises OSError when the port is taken."""
        server, _ = start_http_server(port, host, registry=self.registry)
        return server

    def count(self, stage: str, counts: Mapping[str, int]) -> None:
        """Add what a stage counted over one batch; names that begin with `dead_letters.` carry the error code."""
        for name, amount in counts.items():
            code = name.removeprefix("dead_letters.")
            if code != name:
                self._dead_letters.labels(code).inc(amount)
            else:
                self._events.labels(stage, name).inc(amount)

    def watermark(self, stage: str, topic: str, partition: int, micros: int) -> None:
        self._watermark.labels(stage, topic, partition).set(micros / 1e6)

    def inserted(self, table: str, rows: int, seconds: float) -> None:
        self._rows.labels(table).inc(rows)
        self._insert.labels(table).observe(seconds)

    def on_batch(self, stage: str, topic: str, partition: int, records: int, seconds: float) -> None:
        self._records.labels(stage, topic, partition).inc(records)
        self._batches.labels(stage, topic, partition).inc()
        self._batch.labels(stage).observe(seconds)

    def on_commit(self, stage: str, topic: str, partition: int, seconds: float) -> None:  # noqa: ARG002 - per stage is enough
        self._commit.labels(stage).observe(seconds)

    def on_abort(self, stage: str, topic: str, partition: int) -> None:
        self._aborts.labels(stage, topic, partition).inc()

    def on_fence(self, stage: str, topic: str, partition: int) -> None:
        self._fences.labels(stage, topic, partition).inc()

    def on_gap(self, stage: str, topic: str, partition: int) -> None:
        self._gaps.labels(stage, topic, partition).inc()

    def on_recovery(self, stage: str, topic: str, partition: int, offset: int, end: int) -> None:
        self._recovered.labels(stage, topic, partition).set(offset / end if end else 1.0)

    def on_state(self, stage: str, topic: str, partition: int, keys: int, size: int) -> None:
        self._state_keys.labels(stage, topic, partition).set(keys)
        self._state_bytes.labels(stage, topic, partition).set(size)

    def on_close(self, stage: str, topic: str, partition: int) -> None:
        for gauge in self._of_partitions:
            gauge.remove(stage, topic, partition)


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
            lag.add_metric(place, state.lag)
            ready.add_metric(place, float(state.ready))
        yield lag
        yield ready
