"""The reader of a table's file, by its format.

In: a file and its table of the mapping. Out: a `TableReader`, giving `(line, row)` pairs in memory that
does not grow.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.imports.csv_files import CsvFile
from pipeline.imports.json_lines import JsonLines
from pipeline.imports.mapping import Table
from pipeline.imports.sources import OnBroken, SourceError, TableReader

_FORMATS = {
    "csv": ("csv", "txt"),
    "tsv": ("tsv", "tab"),
    "jsonl": ("jsonl", "ndjson", "json"),
    "parquet": ("parquet", "pq"),
}


def format_of(path: Path, table: Table) -> str:
    """The format by declaration or by name. Raises SourceError if neither tells."""
    if table.format:
        return table.format
    ending = path.name.lower().removesuffix(".gz").rpartition(".")[2]
    for name, endings in _FORMATS.items():
        if ending in endings:
            return name
    raise SourceError(f"{path}: its name does not tell the format; say `format:` csv, tsv, jsonl or parquet")


def open_table(path: Path, table: Table, wanted: Sequence[str], on_broken: OnBroken) -> TableReader:
    """Open a file for reading the `wanted` columns, as far as it has them."""
    form = format_of(path, table)
    if form == "parquet":
        # DuckDB is loaded by those alone who need it: a worker is the same program, and has no use for it
        from pipeline.imports.parquet import ParquetFile  # noqa: PLC0415

        return ParquetFile(path, wanted)
    if form == "jsonl":
        return JsonLines(path, table, wanted, on_broken)
    return CsvFile(path, table, "\t" if form == "tsv" else ",", on_broken)
