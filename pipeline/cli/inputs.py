"""What `run` and `replay` share: their arguments, and how the tables are read with progress shown."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import Progress

from pipeline.cli import which
from pipeline.cli.console import err
from pipeline.core.instants import moment
from pipeline.imports.importer import Importer
from pipeline.imports.mapping import load_mapping
from pipeline.imports.plan import plan
from pipeline.imports.progress import Progress as Reading
from pipeline.imports.report import ImportReport

MapFile = Annotated[Path, typer.Option("--map", help="The journey map, YAML.")]
MappingFile = Annotated[Path, typer.Option("--mapping", help="Which columns are events, YAML.")]
DataFolder = Annotated[Path, typer.Option("--data", help="Folder with the tables that the mapping names.")]
AsOf = Annotated[
    str | None,
    typer.Option(
        help="Instant to which time is advanced at the end, RFC 3339; the newest event's if absent."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")]
RejectsFile = Annotated[
    Path | None, typer.Option("--rejects", help="Keep rows that can't be mapped in this file (JSON lines).")
]


def parse_instant(text: str | None) -> datetime | None:
    """An RFC 3339 instant; without an offset it is UTC."""
    return None if text is None else which.parse_instant(text)


def check_tables(mapping: Path, data: Path) -> None:
    """Before anything is started for them: raises MappingError when a file or a column is not there."""
    plan(load_mapping(mapping), data)


def importer(mapping: Path, data: Path, rejects: Path | None, shown: Progress) -> Importer:
    """An importer that shows how far reading is."""
    task = shown.add_task("reading tables (bytes)", total=None)

    def tell(reading: Reading) -> None:
        shown.update(task, completed=reading.bytes_read, total=reading.bytes_total)

    return Importer(load_mapping(mapping), data, rejects=rejects, progress=tell)


def tell_rejections(report: ImportReport, rejects: Path | None) -> None:
    """Name the first rejected rows on standard error, and where all of them are."""
    if not report.rejected_rows:
        return
    for rejection in report.first_rejections:
        err.print(f"[yellow]rejected[/yellow] {escape(str(rejection))}", soft_wrap=True)
    kept = f"all of them are in {rejects}" if rejects else "keep them with --rejects FILE"
    rows = "1 row" if report.rejected_rows == 1 else f"{report.rejected_rows} rows"
    err.print(f"{rows} could not be mapped; {kept}", markup=False, soft_wrap=True)


def end_of(as_of: str | None, report: ImportReport) -> datetime:
    """The instant to which time is advanced at the end."""
    end = parse_instant(as_of)
    if end is not None:
        return end
    if report.newest is None:
        raise typer.BadParameter(
            "the mapping makes no touchpoint of these tables; is --data the right folder?"
        )
    return moment(report.newest)
