"""How far reading is, for progress bars: told every few thousand rows and at the end of each file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.imports.sources import Row, TableReader

_EVERY = 2048


@dataclass(frozen=True)
class Progress:
    """Rows so far; bytes of the files, as stored, so far and in all."""

    rows: int
    bytes_read: int
    bytes_total: int


OnProgress = Callable[[Progress], None]


class Meter:
    """Adds up over all files."""

    def __init__(self, tell: OnProgress | None) -> None:
        self._tell = tell
        self._rows = self._bytes = self._total = 0

    def expect(self, files: Iterable[Path]) -> None:
        """All the files that are going to be read, as often as they are."""
        self._total = sum(file.stat().st_size for file in files)

    def metered(
        self, reader: TableReader, every: Callable[[], None] | None = None
    ) -> Iterator[tuple[int, Row]]:
        """The reader's rows; `every` is called every few thousand of them."""
        number = 0
        for number, row in enumerate(reader.rows(), 1):
            yield row
            if not number % _EVERY:
                self._show(number, reader)
                if every:
                    every()
        self._show(number, reader)
        self._rows += number
        self._bytes += reader.position()

    def _show(self, rows: int, reader: TableReader) -> None:
        if self._tell:
            self._tell(Progress(self._rows + rows, self._bytes + reader.position(), self._total))
