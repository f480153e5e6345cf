"""What every reader of a table is: its shape, and the error for a file that can't be read at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from pipeline.errors import ThroughlineError

Row = Sequence[Any]
OnBroken = Callable[[int, str, str], None]
"""Told of a row that can't be taken apart: the line where it begins, the reason, its raw text."""


class SourceError(ThroughlineError):
    """A file can't be read at all: broken, cut off, or not of its format."""


class TableReader(Protocol):
    """One open file. `columns`: all that it has (JSON lines: as far as looked); `index`: those to be used."""

    columns: Sequence[str]
    index: Mapping[str, int]

    def rows(self) -> Iterator[tuple[int, Row]]: ...
    def position(self) -> int:
        """Bytes of the file read so far."""
        ...

    def close(self) -> None: ...
