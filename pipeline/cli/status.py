"""`throughline status`: lag, throughput and watermarks of a running pipeline."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Annotated
from urllib.error import URLError
from urllib.request import urlopen

import typer
from prometheus_client.parser import text_string_to_metric_families
from rich.table import Table

from pipeline.cli.console import out
from pipeline.engine.clients import admin_options
from pipeline.engine.topics import require_topics
from pipeline.operations.caught_up import Lag, Watcher
from pipeline.settings import Settings
from pipeline.topology import Topology

_WORKERS = 64


def status(
    name: Annotated[str, typer.Option(help="Of a replay; the live pipeline if absent.")] = "",
    seconds: Annotated[float, typer.Option(help="Throughput is measured over so long.", min=0.1)] = 2.0,
) -> None:
    """Show how far each stage is: records read a second, records still to be read, and the watermark."""
    settings = Settings(namespace=name) if name else Settings()
    require_topics(admin_options(settings.kafka, settings.kafka_options), settings.topology.specs())
    with closing(Watcher(settings.kafka_client, settings.topology)) as watcher:
        before, began = watcher.lags(), time.monotonic()
        time.sleep(seconds)
        after, took = watcher.lags(), time.monotonic() - began
    table = Table("stage", "reads", "records/s", "unread", box=None)
    for stage, topics in _stages(settings.topology):
        moved = _positions(after, topics) - _positions(before, topics)
        unread = sum(lag.records for lag in after if lag.topic in topics)
        what = topics[0] if len(topics) == 1 else f"{len(topics)} topics"
        table.add_row(stage, what, f"{moved / took:,.0f}", f"{unread:,}")
    out.print(table)
    _show_watermarks(settings)


def _stages(topology: Topology) -> list[tuple[str, list[str]]]:
    published = [topology.enriched, topology.findings, topology.state, topology.dead_letter]
    return [
        ("ingest", list(topology.sources)),
        ("identity", [topology.identity]),
        ("journey", [topology.journeys]),
        ("warehouse", published),
        ("buckets", [topology.buckets]),
    ]


def _positions(lags: list[Lag], topics: list[str]) -> int:
    return sum(lag.position for lag in lags if lag.topic in topics)


def _show_watermarks(settings: Settings) -> None:
    """Watermarks are the workers' own; they tell them on their metrics ports."""
    marks: dict[str, float] = {}
    workers = 0
    for text in _metrics(settings):
        workers += 1
        for family in text_string_to_metric_families(text):
            if family.name == "throughline_watermark_seconds":
                for sample in family.samples:
                    stage = sample.labels["stage"]
                    marks[stage] = min(marks.get(stage, float("inf")), sample.value)
    if not workers:
        out.print(
            f"no worker answers on {settings.metrics_host}:{settings.metrics_port}: watermarks are not known"
        )
    for stage, seconds in sorted(marks.items()):
        moment = datetime.fromtimestamp(seconds, tz=UTC).isoformat(timespec="seconds")
        out.print(f"watermark of {stage}: {moment}")


def _metrics(settings: Settings) -> Iterator[str]:
    if not settings.metrics_port:
        return
    for port in range(settings.metrics_port, settings.metrics_port + _WORKERS):
        try:
            with urlopen(f"http://{settings.metrics_host}:{port}/metrics", timeout=2) as answer:
                yield answer.read().decode()
        except (URLError, OSError):
            return


def register(app: typer.Typer) -> None:
    app.command()(status)
