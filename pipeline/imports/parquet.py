"""Parquet, read by DuckDB: only the wanted columns, a few thousand rows at a time.

In: a file and the wanted columns. Out: rows as tuples of Python values; the line is the row's number. Times
with a zone come as ISO 8601 text in UTC, those without as naive datetimes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import duckdb

from pipeline.imports.sources import Row, SourceError

_FETCH = 2048


class ParquetFile:
    """One open file; DuckDB may use half a gigabyte for it."""

    def __init__(self, path: Path, wanted: Sequence[str]) -> None:
        self._path = path
        self._database = duckdb.connect(config={"threads": "1", "memory_limit": "512MB"})
        try:
            described = self._database.execute(
                "DESCRIBE SELECT * FROM read_parquet(?)", [str(path)]
            ).fetchall()
        except duckdb.Error as error:
            raise SourceError(
                f"{path}: it can't be read as Parquet ({str(error).splitlines()[0]})"
            ) from error
        self._types = {str(name): str(kind) for name, kind, *_ in described}
        self.columns: Sequence[str] = list(self._types)
        self._wanted = [name for name in dict.fromkeys(wanted) if name in self._types]
        self.index: Mapping[str, int] = {name: position for position, name in enumerate(self._wanted)}
        self._size, self._read, self._total = path.stat().st_size, 0, 1

    def rows(self) -> Iterator[tuple[int, Row]]:
        names = ", ".join(map(self._selected, self._wanted)) or "1"
        source = [str(self._path)]
        total = self._database.execute("SELECT count(*) FROM read_parquet(?)", source).fetchone()
        self._total = int(total[0]) if total else 0
        # the columns' names can't be parameters; they are quoted in _selected
        selected = self._database.execute(f"SELECT {names} FROM read_parquet(?)", source)  # noqa: S608
        while rows := selected.fetchmany(_FETCH):
            for row in rows:
                self._read += 1
                yield self._read, row

    def _selected(self, name: str) -> str:
        quoted = '"' + name.replace('"', '""') + '"'
        kind = self._types[name]
        if kind == "TIMESTAMP WITH TIME ZONE":
            return f"strftime({quoted} AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%f+00:00')"
        return f"{quoted}::TIMESTAMP" if kind.startswith("TIMESTAMP") else quoted

    def position(self) -> int:
        return self._size * self._read // max(self._total, 1)

    def close(self) -> None:
        self._database.close()
