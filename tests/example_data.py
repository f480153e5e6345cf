"""An example on its real tables: its folder, its data, and all that the importer made of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.imports.importer import ImportedEvent, Importer
from pipeline.imports.mapping import load_mapping
from pipeline.imports.report import ImportReport

EXAMPLES = Path(__file__).parents[1] / "examples"


@dataclass(frozen=True)
class Example:
    """An example's folder, its data's folder, and all that was imported from it."""

    folder: Path
    data: Path
    events: list[ImportedEvent]
    report: ImportReport


def imported(name: str, data: Path) -> Example:
    folder = EXAMPLES / name
    importer = Importer(load_mapping(folder / "mapping.yaml"), data)
    return Example(folder, data, list(importer.events()), importer.report)
