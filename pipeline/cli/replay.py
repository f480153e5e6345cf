"""`throughline replay`: tables through Kafka into ClickHouse, under a name of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import datetime
from typing import Annotated

import typer
from rich.progress import Progress

from pipeline.cli.console import progress, say
from pipeline.cli.inputs import (
    AsJson,
    AsOf,
    DataFolder,
    MapFile,
    MappingFile,
    RejectsFile,
    check_tables,
    end_of,
    importer,
    load_both,
)
from pipeline.cli.refused import tell_rejections
from pipeline.cli.summary import show_summary
from pipeline.cli.which import check_name, keep_map, own_map
from pipeline.core.instants import micros
from pipeline.embedded.tree import Tree
from pipeline.imports.importer import ImportedEvent, Importer
from pipeline.operations.caught_up import Lag, Watcher
from pipeline.operations.feeding import feed
from pipeline.operations.pipelines import beside, pipeline_tree, require_new
from pipeline.operations.sources import SourceWriter
from pipeline.settings import Settings, read_settings
from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.summary import summary


def _check_given(name: str) -> str:
    if not name:
        raise typer.BadParameter("a replay needs a name, such as --name may")
    return check_name(name)


def replay(
    journey_map: MapFile,
    mapping: MappingFile,
    data: DataFolder,
    name: Annotated[
        str,
        typer.Option(
            help="Name of the replay: its topics, state and database carry it.", callback=_check_given
        ),
    ],
    as_of: AsOf = None,
    json: AsJson = False,
    rejects: RejectsFile = None,
    workers: Annotated[int, typer.Option(help="Worker processes.", min=1)] = 2,
    speed: Annotated[
        float | None,
        typer.Option(help="So many times as fast as it happened; full speed if absent.", min=0.001),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Remove an earlier replay of this name first.")
    ] = False,
    limit: Annotated[
        float, typer.Option(help="Give up when it has not caught up after so many seconds.")
    ] = 3600,
) -> None:
    """Send tables through Kafka, wait until ClickHouse holds everything, print the summary read from there."""
    plan, loaded = load_both(journey_map, mapping)
    settings = beside(read_settings(namespace=name, clock="replay"), workers)
    settings = settings.model_copy(update={"journey_map": own_map(settings)})
    check_tables(loaded, data)
    with progress(quiet=json) as shown:
        tables = importer(loaded, data, rejects, shown)
        coming = _Coming(tables, as_of)

        def prepare() -> None:
            if not fresh:
                require_new(settings, fresh=False)  # before the tables are read, which may take minutes
            coming.read(lambda: tell_rejections(tables.report, rejects, loaded))
            require_new(settings, fresh=fresh)  # removes only now: tables that can't be read replace nothing
            keep_map(journey_map, settings)

        tree = pipeline_tree(settings, workers, say, share=True, before=prepare)
        with tree:
            sending = shown.add_task("sending touchpoints", total=tables.report.events)

            def sent(count: int) -> None:
                tree.check()
                shown.update(sending, completed=count)

            with SourceWriter(settings.kafka_client, settings.topology) as writer:
                feed(coming.events, writer, micros(coming.end), speed, sent)
            wait_until_caught_up(settings, tree, shown, limit)
            with closing(Warehouse.of(settings)) as warehouse:
                found = summary(
                    warehouse,
                    plan,
                    coming.end,
                    rejected_rows=tables.report.rejected_rows,
                    after_as_of=tables.report.after_as_of,
                )
    show_summary(found, as_json=json)
    if found.dead_letters:
        say(f"`throughline dlq list --name {name}` shows why there are dead letters")


class _Coming:
    """The events of tables, in order, and the instant to which time is advanced behind them; there once `read`."""

    events: Iterable[ImportedEvent]
    end: datetime

    def __init__(self, tables: Importer, as_of: datetime | None) -> None:
        self._tables, self._as_of = tables, as_of

    def read(self, tell: Callable[[], None]) -> None:
        """`tell` is called when it is known what became of the rows, also if that is nothing."""
        self.events = self._tables.events(self._as_of)
        tell()
        self.end = end_of(self._as_of, self._tables.report)


def wait_until_caught_up(settings: Settings, tree: Tree, shown: Progress, limit: float) -> None:
    """Wait until the pipeline is at rest, show its lag, and end if a part of the tree has ended for good."""
    task = shown.add_task("records still to be read", total=None)

    def look(lags: list[Lag]) -> None:
        tree.check()
        shown.update(task, completed=sum(lag.records for lag in lags))

    with closing(Watcher(settings.kafka_client, settings.topology)) as watcher:
        watcher.wait(limit, look)


def register(app: typer.Typer) -> None:
    app.command()(replay)
