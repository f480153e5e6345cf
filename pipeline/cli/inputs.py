"""What `run` and `replay` share: their arguments, and how the tables are read with progress shown."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from pipeline.cli import which
from pipeline.cli.console import warn
from pipeline.core.instants import moment
from pipeline.core.plan import Plan, compile_plan
from pipeline.imports.fit import misfits
from pipeline.imports.importer import Importer
from pipeline.imports.mapping import LoadedMapping, load_mapping
from pipeline.imports.plan import plan
from pipeline.imports.progress import Progress as Reading
from pipeline.imports.report import ImportReport
from pipeline.maps import load_map_with_places

_MOST_WARNINGS = 10


def _check_folder(data: Path) -> Path:
    if not data.exists():
        raise typer.BadParameter(f"there is no folder {data}")
    if not data.is_dir():
        raise typer.BadParameter(f"{data} is a file; give the folder that it is in")
    return data


def _check_writable(rejects: Path | None) -> Path | None:
    """Before tables are read for minutes."""
    if rejects is not None:
        folder = rejects.parent
        if rejects.is_dir():
            raise typer.BadParameter(f"{rejects} is a folder; name a file in it")
        if not folder.is_dir():
            raise typer.BadParameter(f"there is no folder {folder}; make it, or name a file elsewhere")
        if not os.access(rejects if rejects.exists() else folder, os.W_OK):
            raise typer.BadParameter(f"{rejects} can't be written; name a file elsewhere")
    return rejects


MapFile = Annotated[Path, typer.Option("--map", help="The journey map, YAML.")]
MappingFile = Annotated[Path, typer.Option("--mapping", help="Which columns are events, YAML.")]
DataFolder = Annotated[
    Path,
    typer.Option("--data", help="Folder with the tables that the mapping names.", callback=_check_folder),
]
AsOf = Annotated[
    datetime | None,
    typer.Option(
        "--as-of",
        help="Instant to which time is advanced at the end, RFC 3339; the newest event's if absent.",
        parser=which.parse_instant,
        metavar="INSTANT",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")]
RejectsFile = Annotated[
    Path | None,
    typer.Option(
        "--rejects",
        help="Keep rows that can't be mapped, and of a run its dead letters, in this file (JSON lines).",
        callback=_check_writable,
    ),
]


def parse_instant(text: str | None) -> datetime | None:
    """An RFC 3339 instant; without an offset it is UTC."""
    return None if text is None else which.parse_instant(text)


def load_both(journey_map: Path, mapping: Path) -> tuple[Plan, LoadedMapping]:
    """The map, compiled, and the mapping; where they do not fit is told on standard error. Raises DocumentError."""
    content, places = load_map_with_places(journey_map)
    compiled, loaded = compile_plan(content), load_mapping(mapping)
    found = misfits(content, places, loaded)
    for problem in found[:_MOST_WARNINGS]:
        warn(str(problem))
    if (more := len(found) - _MOST_WARNINGS) > 0:
        warn(f"map and mapping do not fit in {more} more {'place' if more == 1 else 'places'}")
    return compiled, loaded


def check_tables(mapping: LoadedMapping, data: Path) -> None:
    """Before anything is started for them: raises MappingError when a file or a column is not there."""
    plan(mapping, data)


def importer(mapping: LoadedMapping, data: Path, rejects: Path | None, shown: Progress) -> Importer:
    """An importer that shows how far reading is."""
    task = shown.add_task("reading tables (bytes)", total=None)

    def tell(reading: Reading) -> None:
        shown.update(task, completed=reading.bytes_read, total=reading.bytes_total)

    return Importer(mapping, data, rejects=rejects, progress=tell)


def end_of(as_of: datetime | None, report: ImportReport) -> datetime:
    """The instant to which time is advanced at the end."""
    if as_of is not None:
        return as_of
    if report.newest is None:
        remedy = (
            "why rows were rejected is told above" if report.rejected_rows else "is --data the right folder?"
        )
        raise typer.BadParameter(f"the mapping makes no touchpoint of these tables; {remedy}")
    return moment(report.newest)
