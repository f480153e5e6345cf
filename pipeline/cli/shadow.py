"""`throughline shadow`: what a changed map would have concluded from past touchpoints, before it is shipped."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, TaskID

from pipeline.cli.console import progress, say
from pipeline.cli.run_command import run_config
from pipeline.cli.shadow_text import show_report
from pipeline.cli.which import (
    Name,
    map_of,
    parse_instant,
    require_in_kafka,
    require_in_warehouse,
    settings_of,
)
from pipeline.core.instants import micros, moment
from pipeline.core.messages import Micros
from pipeline.core.plan import compile_plan
from pipeline.errors import ThroughlineError
from pipeline.maps import load_map
from pipeline.operations.past_touchpoints import PastInKafka
from pipeline.settings import Settings
from pipeline.shadow.past import Past, PastTouchpoint
from pipeline.shadow.report import ShadowReport
from pipeline.shadow.run import NamedPlan, ShadowRun
from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.past_touchpoints import PastInWarehouse

_SHOW_EVERY = 1_000


class Source(StrEnum):
    """Where past touchpoints come from."""

    clickhouse = "clickhouse"
    kafka = "kafka"


class NothingToCompareError(ThroughlineError):
    """There is no second map, or no touchpoint to run the two over."""


def shadow(
    journey_map: Annotated[Path, typer.Option("--map", help="The journey map that is to be shipped, YAML.")],
    since: Annotated[
        datetime | None,
        typer.Option(
            "--from",
            help="Judge journeys with a touchpoint from then on; all there are if absent.",
            parser=parse_instant,
            metavar="INSTANT",
        ),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(
            help="Take no later touchpoints, and advance time to then; to the newest if absent.",
            parser=parse_instant,
            metavar="INSTANT",
        ),
    ] = None,
    live: Annotated[
        Path | None,
        typer.Option(
            "--live",
            help="The map to compare with; the pipeline's own copy, else that of the settings, if absent.",
        ),
    ] = None,
    source: Annotated[
        Source,
        typer.Option(help="clickhouse: the whole history. kafka: as it was sent, as long as topics keep it."),
    ] = Source.clickhouse,
    name: Name = "",
    examples: Annotated[int, typer.Option(help="Shown of each kind of difference.", min=0)] = 5,
    json: Annotated[Path | None, typer.Option("--json", help="Write the whole report to this file.")] = None,
    fail_on_change: Annotated[
        bool, typer.Option("--fail-on-change", help="End with 1 if any customer would change.")
    ] = False,
) -> None:
    """List which customers, promises and stalls a changed map would change, without touching the live pipeline."""
    if since is not None and until is not None and until < since:
        raise typer.BadParameter("--until lies before --from")
    settings = settings_of(name)
    require = require_in_kafka if source is Source.kafka else require_in_warehouse
    require(settings)
    ours, theirs = _plans(journey_map, live or map_of(settings))
    config = replace(run_config(settings), cache_bytes=settings.cache_memory_mb << 20)
    first, last = (None if each is None else micros(each) for each in (since, until))
    run = ShadowRun(ours, theirs, config, since=first, examples=examples)
    with _past(source, settings) as past, progress() as shown:
        began = time.monotonic()
        _read(run, past, first, last, shown)
        if run.newest is None:
            raise _nothing(past, since, until, settings)
        notes = [*past.notes(), *_of_identifiers(source, ours, theirs)]
        as_of = run.newest if last is None else last
        report = run.conclude(as_of, past.name, past.unreadable, notes)
    _tell_rate(report, time.monotonic() - began)
    if json is not None:
        json.write_bytes(report.to_json() + b"\n")
    show_report(report)
    if fail_on_change and report.customers:
        raise typer.Exit(1)


def _plans(new: Path, live: Path | None) -> tuple[NamedPlan, NamedPlan]:
    """The live map's and the new one's. Raises MapError, NothingToCompareError."""
    if live is None:
        raise NothingToCompareError(
            "which map does the pipeline run? it keeps none here; give it with --live MAP, or set THROUGHLINE_JOURNEY_MAP"
        )
    if live.exists() and new.exists() and live.samefile(new):
        raise NothingToCompareError(
            f"{new} is the live map itself, so nothing can differ; keep the map that the workers were started with "
            "and name it with --live, or give the changed one a file of its own"
        )
    theirs, ours = (NamedPlan(str(path), compile_plan(load_map(path))) for path in (new, live))
    return ours, theirs


@contextmanager
def _past(source: Source, settings: Settings) -> Iterator[Past]:
    if source is Source.kafka:
        with closing(PastInKafka(settings.kafka_client, settings.topology)) as in_kafka:
            yield in_kafka
        return
    with closing(Warehouse.of(settings)) as warehouse:
        yield PastInWarehouse(warehouse)


def _read(run: ShadowRun, past: Past, first: Micros | None, last: Micros | None, shown: Progress) -> None:
    task = shown.add_task("touchpoints", total=None)
    for each in _counted(past.read(first, last), shown, task):
        run.take(each)
    if first is not None and run.newest is not None:
        task = shown.add_task("earlier ones of the same journeys", total=None)
        for each in _counted(past.read_earlier(first, last, run.sharing), shown, task):
            run.complete(each)


def _counted(
    touchpoints: Iterable[PastTouchpoint], shown: Progress, task: TaskID
) -> Iterator[PastTouchpoint]:
    for number, each in enumerate(touchpoints, 1):
        yield each
        if not number % _SHOW_EVERY:
            shown.update(task, completed=number)


def _of_identifiers(source: Source, live: NamedPlan, new: NamedPlan) -> list[str]:
    if source is Source.kafka or live.plan.kinds == new.plan.kinds:
        return []
    told = (
        "the maps differ in identifiers, and the warehouse has their values in the live map's form, without blank and "
        "blocked ones; --source kafka has them as they were sent"
    )
    return [told]


def _tell_rate(report: ShadowReport, seconds: float) -> None:
    count = report.touchpoints + report.earlier
    say(
        f"{count:,} touchpoints under both maps in {seconds:,.1f} s, {count / max(seconds, 1e-3):,.0f} a second"
    )


def _nothing(
    past: Past, since: datetime | None, until: datetime | None, settings: Settings
) -> NothingToCompareError:
    """Says whether there is any touchpoint at all, and where to look."""
    whose = f"of the pipeline {settings.namespace!r}" if settings.namespace else "of the live pipeline"
    newest = max((each.time for each in past.read(None, None)), default=None)
    if newest is None:
        return NothingToCompareError(
            f"{past.name} has no touchpoint {whose} yet; name a replay with --name, or wait until some have come in"
        )
    bounds = " ".join(
        f"{word} {each.isoformat()}" for word, each in (("from", since), ("until", until)) if each is not None
    )
    return NothingToCompareError(
        f"{past.name} has no touchpoint {whose} {bounds}; its newest is of {moment(newest).isoformat()}"
    )


def register(app: typer.Typer) -> None:
    app.command()(shadow)
