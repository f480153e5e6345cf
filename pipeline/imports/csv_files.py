"""CSV and TSV: rows of delimited text, with the line where each begins, line breaks in quotes or not.

In: a file and its table of the mapping. Out: rows as lists of text. Always holds: every line is in a row,
blank, or told to `on_broken`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pipeline.imports.mapping import Table
from pipeline.imports.sources import OnBroken, Row, SourceError
from pipeline.imports.text_files import TextFile


class CsvFile:
    """Delimited text; `columns` come from its header line unless the mapping gives them."""

    def __init__(self, path: Path, table: Table, delimiter: str, on_broken: OnBroken) -> None:
        self._file = TextFile(path, table.encoding)
        self._encoding = table.encoding
        self._on_broken = on_broken
        unquoted = table.quote == "none"
        self._reader = csv.reader(
            self._file.lines(),
            delimiter=table.delimiter or delimiter,
            quoting=csv.QUOTE_NONE if unquoted else csv.QUOTE_MINIMAL,
            quotechar=None if unquoted else table.quote,
            strict=True,
        )
        try:
            self.columns: Sequence[str] = table.header or self._header()
            self.index: Mapping[str, int] = self._positions()
        except SourceError:
            self._file.close()
            raise

    def _positions(self) -> dict[str, int]:
        positions = {name: position for position, name in enumerate(self.columns)}
        if len(positions) < len(self.columns):
            twice = ", ".join(sorted({name for name in self.columns if self.columns.count(name) > 1}))
            raise SourceError(f"{self._file.path}: more than one column is {twice}; name them with `header:`")
        return positions

    def _header(self) -> list[str]:
        try:
            row = next(self._reader, None)
        except csv.Error as error:
            raise SourceError(f"{self._file.path}:1: the header line can't be read ({error})") from error
        if not row:
            raise SourceError(
                f"{self._file.path}:1: there is no header line; the file is empty, or give `header:`"
            )
        if self._file.undecoded:
            raise SourceError(
                f"{self._file.path}:1: the header line is not {self._encoding}; say `encoding:`"
            )
        self._file.forget()
        return [name.strip() for name in row]

    def rows(self) -> Iterator[tuple[int, Row]]:
        file, reader, width = self._file, self._reader, len(self.columns)
        pending = file.pending
        line = reader.line_num + 1
        while True:
            try:
                for row in reader:
                    if len(row) == width and not file.undecoded:
                        yield line, row
                        pending.clear()
                    elif row:
                        self._refuse(line, row)
                    file.forget()
                    line = reader.line_num + 1
                break
            except csv.Error as error:
                last = reader.line_num
                where = (
                    ""
                    if last == line
                    else f"; lines {line} to {last} were taken for one row: a quote left open?"
                )
                self._on_broken(line, f"the line can't be split into columns ({error}){where}", file.broken())
                line = last + 1

    def _refuse(self, line: int, row: Row) -> None:
        if self._file.undecoded:
            reason = f"line {self._file.undecoded} is not {self._encoding} text; fix it, or say `encoding:`"
        else:
            reason = f"the row has {len(row)} columns, but the header has {len(self.columns)}"
        self._on_broken(line, reason, self._file.broken())

    def position(self) -> int:
        return self._file.position()

    def close(self) -> None:
        self._file.close()
