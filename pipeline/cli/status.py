"""`throughline status`: lag, throughput and watermarks of a running pipeline."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Annotated
from urllib.request import urlopen

import typer
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from rich.table import Table

from pipeline.cli.console import out
from pipeline.cli.which import Name, require_in_kafka, settings_of
from pipeline.engine.topics import require_topics
from pipeline.operations.caught_up import Lag, Watcher
from pipeline.settings import Settings
from pipeline.topology import Topology

_PORTS = 64
_STAGES = ("ingest", "identity", "journey", "learner")
_MARKS = "identity and journey read marks of time too: in a live pipeline hundreds a second, even when nothing comes"


def status(
    name: Name = "",
    seconds: Annotated[float, typer.Option(help="Throughput is measured over so long.", min=0.1)] = 2.0,
) -> None:
    """Show how far each stage is: records read a second, records still to be read, and the watermark."""
    settings = settings_of(name)
    require_in_kafka(settings)
    require_topics(settings.kafka_admin, settings.topology.specs())
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
    out.print(_MARKS, style="dim", soft_wrap=True)
    _show_watermarks(settings)


def _stages(topology: Topology) -> list[tuple[str, list[str]]]:
    published = [topology.enriched, topology.findings, topology.state, topology.dead_letter]
    return [
        ("ingest", list(topology.sources)),
        ("identity", [topology.identity]),
        ("linker", [topology.links]),
        ("journey", [topology.journeys]),
        ("learner", [topology.stays]),
        ("warehouse", published),
        ("buckets", [topology.buckets]),
    ]


def _positions(lags: list[Lag], topics: list[str]) -> int:
    return sum(lag.position for lag in lags if lag.topic in topics)


def _show_watermarks(settings: Settings) -> None:
    """Watermarks are the workers' own; they tell them on their metrics ports."""
    answers = [samples for samples in _samples(settings) if _is_of(settings.topology.app, samples)]
    if not answers:
        out.print(f"watermarks are not known: no worker of {_whose(settings)}", soft_wrap=True)
    marks = watermarks(sample for samples in answers for sample in samples)
    for stage, seconds in sorted(marks.items(), key=lambda mark: _STAGES.index(mark[0])):
        moment = datetime.fromtimestamp(seconds, tz=UTC).isoformat(timespec="seconds")
        daily = " (it moves once a day)" if stage == "learner" else ""
        out.print(f"watermark of {stage}: {moment}{daily}")


def watermarks(samples: Iterable[Sample]) -> dict[str, float]:
    """Of each stage the least of its partitions', of all workers' samples.

    Workers are asked one after the other, so two may tell of a partition that moves meanwhile; the greatest counts, for a
    watermark never goes back.
    """
    reached: dict[tuple[str, str, str], float] = {}
    for sample in samples:
        if sample.name == "throughline_watermark_seconds":
            place = (sample.labels["stage"], sample.labels["topic"], sample.labels["partition"])
            reached[place] = max(reached.get(place, sample.value), sample.value)
    stages = {stage for stage, _, _ in reached}
    return {stage: min(value for place, value in reached.items() if place[0] == stage) for stage in stages}


def _is_of(app: str, samples: Iterable[Sample]) -> bool:
    return any(sample.labels.get("pipeline") == app for sample in samples)


def _whose(settings: Settings) -> str:
    """Whose worker is asked for, and where."""
    if not settings.metrics_port:
        return f"{_name(settings)} answers (THROUGHLINE_METRICS_PORT is 0)"
    last = settings.metrics_port + _PORTS - 1
    ended = "; those of a replay end with it" if settings.namespace else ""
    return f"{_name(settings)} answers on {settings.metrics_host}, ports {settings.metrics_port} to {last}{ended}"


def _name(settings: Settings) -> str:
    return repr(settings.namespace) if settings.namespace else "the live pipeline"


def _samples(settings: Settings) -> Iterator[list[Sample]]:
    """Of every worker that answers; replays beside the live pipeline have taken the next ports that were free."""
    first = settings.metrics_port
    for port in range(first, first + _PORTS) if first else ():
        try:
            with urlopen(f"http://{settings.metrics_host}:{port}/metrics", timeout=2) as answer:
                families = list(text_string_to_metric_families(answer.read().decode()))
        except TimeoutError:
            return
        except (OSError, ValueError):  # nobody there, or nobody who speaks of metrics
            continue
        yield [sample for family in families for sample in family.samples]


def register(app: typer.Typer) -> None:
    app.command()(status)
