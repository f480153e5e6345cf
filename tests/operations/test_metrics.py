"""What a worker exports: documented, in one namespace, and never a customer's identifier."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from agents.counted import Counted
from pipeline import metrics as exported
from pipeline.engine.hooks import PartitionState
from pipeline.metrics import Metrics
from pipeline.ports import Outbox, Record

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "metrics.md"
LABELS = ("pipeline", "stage", "topic", "partition", "event", "code", "table", "le")
"""None of them has more values than a pipeline has parts."""


def samples(metrics: Metrics) -> dict[str, dict[tuple[str, ...], float]]:
    """Values by name, then by the values of the labels, in the order above."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(generate_latest(metrics.registry).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[_place(sample.labels)] = sample.value
    return found


def _place(labels: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(labels[name] for name in LABELS if name in labels)


def everything() -> Metrics:
    """Metrics of which each was touched once."""
    metrics, place = Metrics("may.throughline"), ("journey", "journeys.touchpoints", 1)
    metrics.on_batch(*place, 200, 0.03)
    metrics.on_commit(*place, 0.01)
    metrics.on_abort(*place)
    metrics.on_fence(*place)
    metrics.on_gap(*place)
    metrics.on_rebalance()
    metrics.on_write("warehouse", 500, 0.2)
    metrics.on_retry("warehouse")
    metrics.on_recovery(*place, 50, 200)
    metrics.on_state(*place, 12, 3456)
    metrics.count("ingest", {"touchpoints": 7, "dead_letters.wrong_type": 2})
    metrics.watermark(*place, 1_525_168_800_500_000)
    metrics.inserted("touchpoints", 500, 0.2)
    state = PartitionState(*place, ready=True, position=40, stable_end=50)
    metrics.watch(lambda: [state])
    return metrics


def test_every_metric_is_ours_and_says_what_it_means() -> None:
    for family in everything().registry.collect():
        assert family.name.startswith("throughline_")
        assert family.documentation.endswith(".")


def test_labels_are_parts_of_the_pipeline_and_never_identifiers() -> None:
    for family in everything().registry.collect():
        for sample in family.samples:
            assert set(sample.labels) <= set(LABELS)


def test_what_the_engine_tells_is_exported() -> None:
    found, place = samples(everything()), ("journey", "journeys.touchpoints", "1")
    assert found["throughline_worker_info"] == {("may.throughline",): 1}
    assert found["throughline_records_total"] == {place: 200}
    for name in ("batches", "aborts", "fences", "gaps"):
        assert found[f"throughline_{name}_total"] == {place: 1}
    assert found["throughline_batch_seconds_sum"] == {("journey",): 0.03}
    assert found["throughline_batch_records_sum"] == {("journey",): 200}
    assert found["throughline_commit_seconds_count"] == {("journey",): 1}
    assert found["throughline_rebalances_total"] == {(): 1}
    assert found["throughline_sink_writes_total"] == {("warehouse",): 1}
    assert found["throughline_sink_retries_total"] == {("warehouse",): 1}
    assert found["throughline_sink_write_seconds_sum"] == {("warehouse",): 0.2}
    assert found["throughline_process_resident_memory_bytes"][()] > 1_000_000
    assert found["throughline_recovery_ratio"] == {place: 0.25}
    assert (found["throughline_state_keys"], found["throughline_state_bytes"]) == ({place: 12}, {place: 3456})
    assert found["throughline_lag_records"] == {place: 10}
    assert found["throughline_ready"] == {place: 1}
    assert found["throughline_watermark_seconds"] == {place: 1_525_168_800.5}


def test_what_stages_count_is_exported_by_event_and_dead_letters_by_code() -> None:
    found = samples(everything())
    assert found["throughline_events_total"] == {("ingest", "touchpoints"): 7}
    assert found["throughline_dead_letters_total"] == {("wrong_type",): 2}
    assert found["throughline_warehouse_rows_total"] == {("touchpoints",): 500}


def test_a_partition_that_has_left_is_exported_no_more_and_what_was_counted_of_it_stays() -> None:
    """A watermark that stands still would hold back its stage in every dashboard."""
    metrics, place = everything(), ("journey", "journeys.touchpoints", 1)
    metrics.watermark("journey", "journeys.touchpoints", 2, 7_000_000)
    metrics.on_close(*place)
    metrics.on_close(*place)  # so is an opening that failed
    found, left = samples(metrics), ("journey", "journeys.touchpoints", "1")
    assert found["throughline_watermark_seconds"] == {("journey", "journeys.touchpoints", "2"): 7}
    assert {name for name, values in found.items() if left in values and not name.endswith("_created")} == {
        *(f"throughline_{name}_total" for name in ("records", "batches", "aborts", "fences", "gaps")),
        *("throughline_lag_records", "throughline_ready"),  # asked anew at each scrape
    }


def test_an_empty_changelog_is_recovered() -> None:
    metrics = Metrics("throughline")
    metrics.on_recovery("journey", "t", 0, 0, 0)
    assert samples(metrics)["throughline_recovery_ratio"] == {("journey", "t", "0"): 1}


def test_a_watermark_that_stands_still_falls_behind_without_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = everything()
    for now, delay in ((1_525_168_810.5, 10), (1_525_168_870.5, 70)):
        monkeypatch.setattr(exported, "time", SimpleNamespace(time=lambda now=now: now))
        assert list(samples(metrics)["throughline_watermark_delay_seconds"].values()) == [delay]


def test_a_lag_that_is_not_known_is_not_exported_as_none() -> None:
    metrics = Metrics("throughline")
    unknown = PartitionState("journey", "t", 0, ready=False, position=0, stable_end=None)
    metrics.watch(lambda: [unknown])
    found = samples(metrics)
    assert "throughline_lag_records" not in found
    assert found["throughline_ready"] == {("journey", "t", "0"): 0}


ROW = re.compile(r"^\| `(throughline_\w+)` \| (\w+) \| ([a-z, ]*?) ?\| (.+?) \| .*\|$", re.MULTILINE)


def test_the_table_in_the_docs_has_every_metric_as_it_is_exported() -> None:
    told = {
        name: (kind, labels, meaning) for name, kind, labels, meaning in ROW.findall(DOCS.read_text("utf-8"))
    }
    found = {}
    for family in everything().registry.collect():
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        named = ", ".join(label for label in LABELS if label in labels)
        found[family.name] = (family.type, named, family.documentation)
    assert told == found


STAGES = {
    "ingest": ("ingest", "identities"),
    "identity": ("identity",),
    "linker": ("linker",),
    "journey": ("journey_stage", "cutting", "moves"),
    "learner": ("learner",),
}


def events_of(stage: str) -> set[str]:
    """The names that the modules of a stage count under."""
    texts = [(ROOT / "pipeline" / "core" / f"{module}.py").read_text("utf-8") for module in STAGES[stage]]
    return {name for text in texts for name in re.findall(r'counts\["(\w+)"\]', text)}


@pytest.mark.parametrize("stage", STAGES)
def test_the_docs_name_what_each_stage_counts(stage: str) -> None:
    (row,) = re.findall(rf"^\| {stage} \| (.*`.*) \|$", DOCS.read_text("utf-8"), re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", row)) == events_of(stage)


def test_alerts_about_events_name_what_is_counted() -> None:
    rules = (ROOT / "deploy" / "prometheus" / "rules.yml").read_text("utf-8")
    asked = set(re.findall(r'stage="(\w+)", event="(\w+)"', rules))
    assert asked
    assert all(event in events_of(stage) for stage, event in asked)


@pytest.mark.parametrize("file", ["deploy/prometheus/rules.yml", "grafana/dashboards/live-overview.json"])
def test_what_alerts_and_dashboards_ask_for_is_exported(file: str) -> None:
    asked = set(re.findall(r"\bthroughline_[a-z_]+[a-z]\b(?=[^a-z_:/.-])", (ROOT / file).read_text("utf-8")))
    exported_names = set()
    for family in everything().registry.collect():
        endings = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"], "info": ["_info"]}
        exported_names |= {family.name + ending for ending in endings.get(family.type, [""])}
    assert asked
    assert asked <= exported_names


class BadError(Exception):
    pass


class Logic:
    """Counts records; a record `b"!"` makes it raise after it was counted."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.watermark: int | None = None
        self.has_to_say = False

    def process(self, records: Iterable[Record], outbox: Outbox) -> None:
        for record in records:
            self.counts["touchpoints"] += 1
            if record == b"!":
                raise BadError
            self.watermark = 1_000_000

    owes = False

    def quiet(self, now: int, outbox: Outbox) -> bool:
        self.counts["ticks"] += self.has_to_say
        return self.has_to_say


@pytest.fixture
def counted() -> tuple[Logic, Counted, Metrics]:
    logic, metrics = Logic(), Metrics("throughline")
    return logic, Counted("journey", "journeys.touchpoints", 3, logic, metrics), metrics


def events(metrics: Metrics) -> dict[tuple[str, ...], float]:
    return samples(metrics).get("throughline_events_total", {})


NOTHING: Any = None


def test_counts_are_told_once_however_many_batches_there_are(counted: tuple[Logic, Counted, Metrics]) -> None:
    _, wrapped, metrics = counted
    for size in (3, 0, 2):
        wrapped.process([NOTHING] * size, NOTHING)
    assert events(metrics) == {("journey", "touchpoints"): 5}


def test_the_watermark_is_told_when_there_is_one(counted: tuple[Logic, Counted, Metrics]) -> None:
    _, wrapped, metrics = counted
    wrapped.process([], NOTHING)
    assert "throughline_watermark_seconds" not in samples(metrics)
    wrapped.process([NOTHING], NOTHING)
    assert samples(metrics)["throughline_watermark_seconds"] == {("journey", "journeys.touchpoints", "3"): 1}


def test_a_partition_that_came_with_a_watermark_is_told_of_before_its_first_batch() -> None:
    """Its former owner tells of it no more, and a quiet partition may have no batch for long."""
    logic, metrics = Logic(), Metrics("throughline")
    logic.counts["touchpoints"], logic.watermark = 5, 9_000_000
    Counted("journey", "journeys.touchpoints", 3, logic, metrics)
    assert samples(metrics)["throughline_watermark_seconds"] == {("journey", "journeys.touchpoints", "3"): 9}
    assert events(metrics) == {}


def test_a_quiet_time_is_told_only_when_something_was_done(counted: tuple[Logic, Counted, Metrics]) -> None:
    logic, wrapped, metrics = counted
    assert not wrapped.quiet(0, NOTHING)
    assert events(metrics) == {}
    logic.has_to_say = True
    assert wrapped.quiet(0, NOTHING)
    assert events(metrics) == {("journey", "ticks"): 1}


def test_a_failure_passes_through(counted: tuple[Logic, Counted, Metrics]) -> None:
    _, wrapped, metrics = counted
    records: list[Any] = [b"!"]
    with pytest.raises(BadError):
        wrapped.process(records, NOTHING)
    assert events(metrics) == {}
