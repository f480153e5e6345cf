"""`throughline up`: everything, as one process tree."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.console import out, say
from pipeline.cli.which import keep_map, own_map
from pipeline.maps import load_map
from pipeline.operations.pipelines import pipeline_tree
from pipeline.settings import Settings, read_settings


def up(
    journey_map: Annotated[
        Path | None, typer.Option("--map", help="The journey map; else THROUGHLINE_JOURNEY_MAP.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Worker processes.", min=1)] = 2,
) -> None:
    """Start Kafka, the warehouse, topics, tables and workers; Ctrl-C drains and ends them all."""
    settings = read_settings() if journey_map is None else read_settings(journey_map=journey_map.resolve())
    given = settings.journey_map
    if given is None:
        raise typer.BadParameter(
            "give --map MAP or set THROUGHLINE_JOURNEY_MAP; examples/company/map.yaml is one"
        )
    load_map(given)
    # a worker that is started again has the map of the others, whatever was written into the file meanwhile
    running = settings.model_copy(update={"journey_map": own_map(settings)})
    tree = pipeline_tree(
        running,
        workers,
        say,
        share=False,
        before=lambda: keep_map(given, running),
        after=lambda: _tell(running, workers),
    )
    sys.exit(tree.run())


def _tell(settings: Settings, workers: int) -> None:
    """Where everything is, as soon as topics and tables are there."""
    out.print(f"Kafka {settings.kafka}   ClickHouse {settings.clickhouse}, database {settings.database}")
    if settings.metrics_port:
        last = settings.metrics_port + workers - 1
        out.print(f"metrics http://{settings.metrics_host}:{settings.metrics_port}/metrics … :{last}")
    out.print("send CloudEvents to touchpoints.<domain>; Ctrl-C drains and ends")
    out.print("`throughline status` shows how far they are")


def register(app: typer.Typer) -> None:
    app.command()(up)
