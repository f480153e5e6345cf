"""JSON lines: one object a line, its members the columns.

In: a file, its table of the mapping and the wanted columns. Out: rows as lists of the wanted members.
Always holds: every line is a row, blank, or told to `on_broken`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from pipeline.imports.mapping import Table
from pipeline.imports.sources import OnBroken, Row, SourceError
from pipeline.imports.text_files import TextFile

_SAMPLE = 1000
"""Lines looked at for the columns of a file; a wanted one that is not among them is looked for further on."""


class JsonLines:
    """One JSON object a line. A wanted column is a member's name; dots in it may lead into inner objects."""

    def __init__(self, path: Path, table: Table, wanted: Sequence[str], on_broken: OnBroken) -> None:
        self._path, self._table, self._on_broken = path, table, on_broken
        self._wanted = list(dict.fromkeys(wanted))
        self._decode = msgspec.json.Decoder(dict[str, Any]).decode
        self.columns: Sequence[str]
        self.columns, present = self._look()
        self.index: Mapping[str, int] = {
            name: position for position, name in enumerate(self._wanted) if name in present
        }
        self._file = TextFile(path, table.encoding)

    def _look(self) -> tuple[list[str], set[str]]:
        """The columns of the first lines, and those of the wanted that occur: in a later line if need be."""
        seen: dict[str, None] = {}
        absent = dict.fromkeys(self._wanted)
        with closing(TextFile(self._path, self._table.encoding)) as file:
            for number, line in enumerate(file.lines()):
                file.forget()
                if number >= _SAMPLE and not absent:
                    break
                record = self._record(number, line)
                if number < _SAMPLE:
                    seen.update(dict.fromkeys(record))
                for name in [name for name in absent if name in record or _member(record, name) is not None]:
                    del absent[name]
        return list(seen), set(self._wanted) - set(absent)

    def _record(self, number: int, line: str) -> dict[str, Any]:
        if number == 0 and line.lstrip().startswith("["):
            remedy = "write one object a line (jq -c '.[]')"
            raise SourceError(f"{self._path}:1: this is one JSON array; {remedy}")
        try:
            return self._decode(line)
        except (msgspec.DecodeError, UnicodeError):
            return {}

    def rows(self) -> Iterator[tuple[int, Row]]:
        file, wanted, decode = self._file, self._wanted, self._decode
        nested = any("." in name for name in wanted)
        for number, line in enumerate(file.lines(), 1):
            if line.strip():
                try:
                    record = decode(line)
                except (msgspec.DecodeError, UnicodeError) as error:
                    self._refuse(number, error)
                else:
                    get = record.get
                    yield (
                        number,
                        [_member(record, name) for name in wanted] if nested else [*map(get, wanted)],
                    )
            file.forget()

    def _refuse(self, line: int, error: Exception) -> None:
        if self._file.undecoded:
            reason = f"the line is not {self._table.encoding} text; fix it, or say `encoding:`"
        else:
            reason = f"the line is not a JSON object ({error})"
        self._on_broken(line, reason, self._file.broken())

    def position(self) -> int:
        return self._file.position()

    def close(self) -> None:
        self._file.close()


def _member(record: dict[str, Any], name: str) -> Any:
    """The member of that name, or the one that its dots lead to."""
    if name in record or "." not in name:
        return record.get(name)
    head, _, rest = name.partition(".")
    inner = record.get(head)
    return _member(inner, rest) if isinstance(inner, dict) else None
