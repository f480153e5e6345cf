"""`throughline run`: the whole pipeline in memory, over tables, without any service."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import msgspec
import typer
from rich.progress import Progress

from pipeline.cli.console import progress
from pipeline.cli.inputs import (
    AsJson,
    AsOf,
    DataFolder,
    MapFile,
    MappingFile,
    RejectsFile,
    end_of,
    importer,
    parse_instant,
    tell_rejections,
)
from pipeline.cli.summary import show_summary
from pipeline.core.dead_letters import TooManyDeadLettersError
from pipeline.core.instants import micros
from pipeline.core.plan import compile_plan
from pipeline.core.run import RunConfig
from pipeline.core.run import run as run_in_memory
from pipeline.errors import ThroughlineError
from pipeline.imports.importer import ImportedEvent
from pipeline.maps import load_map
from pipeline.settings import Settings, read_settings

_SHOW_EVERY = 2_000


def run(
    journey_map: MapFile,
    mapping: MappingFile,
    data: DataFolder,
    as_of: AsOf = None,
    json: AsJson = False,
    rejects: RejectsFile = None,
) -> None:
    """Run tables through the pipeline in memory and print what became of promises and stages."""
    settings = read_settings()
    plan = compile_plan(load_map(journey_map))
    with progress(quiet=json) as shown:
        tables = importer(mapping, data, rejects, shown)
        events = tables.events(parse_instant(as_of))
        end = end_of(as_of, tables.report)
        try:
            result = run_in_memory(
                plan, _shown(events, tables.report.events, shown), run_config(settings), micros(end)
            )
        except TooManyDeadLettersError as error:
            raise ThroughlineError(str(error)) from error
    tell_rejections(tables.report, rejects)
    show_summary(
        msgspec.structs.replace(
            result.summary, rejected_rows=tables.report.rejected_rows, after_as_of=tables.report.after_as_of
        ),
        as_json=json,
    )


def run_config(settings: Settings) -> RunConfig:
    """The settings that matter in memory."""
    return RunConfig(
        identity_key=settings.identity_key.get_secret_value(),
        now=micros(datetime.now(UTC)),
        lateness=round(settings.lateness_seconds * 1e6),
        trail_entries=settings.trail_entries,
        duplicate_ids=settings.duplicate_ids,
        max_touchpoint_bytes=settings.max_touchpoint_bytes,
        dead_letter_window=settings.dead_letter_window,
        dead_letter_max_share=settings.dead_letter_max_share,
    )


def _shown(events: Iterable[ImportedEvent], total: int, shown: Progress) -> Iterator[ImportedEvent]:
    task = shown.add_task("stitching touchpoints", total=total)
    for number, event in enumerate(events, 1):
        yield event
        if not number % _SHOW_EVERY:
            shown.update(task, completed=number)


def register(app: typer.Typer) -> None:
    app.command()(run)
