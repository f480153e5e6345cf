"""Builders for the importer's tests: a data folder, a mapping, and what they become."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import msgspec

from pipeline.imports.importer import Importer
from pipeline.imports.mapping import LoadedMapping, load_mapping
from pipeline.imports.report import ImportReport

NOW = datetime(2026, 1, 1, tzinfo=UTC)

EVENT = """\
type: sales.order.placed
time: at
id: "{id}"
identities: {order_id: id}
"""


@dataclass
class World:
    """A data folder with a mapping; `write` files into it, say the mapping, and import."""

    folder: Path

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def mapping_file(self) -> Path:
        return self.folder / "mapping.yaml"

    @property
    def rejects_file(self) -> Path:
        return self.folder / "rejects.jsonl"

    def load(self, text: str) -> LoadedMapping:
        self.mapping_file.write_text(dedent(text), encoding="utf-8")
        return load_mapping(self.mapping_file)

    def importer(self, text: str, **settings: Any) -> Importer:
        options = {"rejects": self.rejects_file, "now": lambda: NOW, **settings}
        return Importer(self.load(text), self.data, **options)

    def run(self, text: str, as_of: datetime | None = None, **settings: Any) -> Imported:
        importer = self.importer(text, **settings)
        events = [msgspec.json.decode(event.value) for event in importer.events(as_of)]
        return Imported(events, importer.report, self._rejects())

    def table(self, file: str, event: str = EVENT, options: str = "", **settings: Any) -> Imported:
        """Import one file by one event."""
        return self.run(mapping(file, event, options), **settings)

    def _rejects(self) -> list[dict[str, Any]]:
        if not self.rejects_file.exists():
            return []
        return [msgspec.json.decode(line) for line in self.rejects_file.read_bytes().splitlines()]


@dataclass
class Imported:
    events: list[dict[str, Any]]
    report: ImportReport
    rejects: list[dict[str, Any]]

    @property
    def ids(self) -> list[str]:
        return [event["id"] for event in self.events]

    @property
    def reasons(self) -> list[tuple[int, str]]:
        return [(each["line"], each["reason"]) for each in self.rejects]


def mapping(file: str, event: str = EVENT, options: str = "") -> str:
    """A mapping of one table with one event, named `orders.placed`."""
    table = f"file: {file}\n{dedent(options)}events:\n  placed:\n{indent(dedent(event), '    ')}"
    return f"name: shop\ntables:\n  orders:\n{indent(table, '    ')}"
