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
    load_both,
)
from pipeline.cli.refused import tell_dead_letters, tell_rejections
from pipeline.cli.summary import show_summary
from pipeline.core.dead_letters import TooManyDeadLettersError
from pipeline.core.instants import micros
from pipeline.core.run import Published, RunConfig
from pipeline.core.run import run as process
from pipeline.errors import ThroughlineError
from pipeline.imports.importer import ImportedEvent
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
    plan, loaded = load_both(journey_map, mapping)
    config = run_config(settings)
    published = Published(keeps_enriched=False)
    with progress(quiet=json) as shown:
        tables = importer(loaded, data, rejects, shown)
        events = tables.events(as_of)
        tell_rejections(tables.report, rejects, loaded)
        end = micros(end_of(as_of, tables.report))
        try:
            result = process(plan, _shown(events, tables.report.events, shown), config, end, published)
        except TooManyDeadLettersError as error:
            raise _too_many(error, config) from error
        finally:
            tell_dead_letters(published.dead_letters, rejects)
    show_summary(
        msgspec.structs.replace(
            result.summary,
            rejected_rows=tables.report.rejected_rows,
            after_as_of=tables.report.after_as_of,
        ),
        as_json=json,
    )


def _too_many(error: TooManyDeadLettersError, config: RunConfig) -> ThroughlineError:
    """What the error says, with the remedy for somebody who has tables and no topics."""
    what = str(error).partition("; ")[0]
    raised = (
        f"set THROUGHLINE_DEAD_LETTER_MAX_SHARE above {config.dead_letter_max_share:g} to go on without them"
    )
    return ThroughlineError(
        f"{what}; mend what the dead letters above tell, in the mapping or the tables, or {raised}"
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
