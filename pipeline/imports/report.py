"""What an import did: counts of everything that became of the rows, and the rows that were refused.

In: what the importer tells. Out: an `ImportReport`, and a rejects file of JSON lines with `file`, `line`,
`event`, `reason` and `row` (an object of the columns read, or the raw text of a row that could not be taken
apart). Always holds: every refused row is counted and, with a rejects file, kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import msgspec

_SHOWN = 20


@dataclass(frozen=True)
class Rejection:
    """A row that could not be mapped; `event` is None when the row itself could not be read."""

    file: str
    line: int
    event: str | None
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: " + (f"{self.event}: " if self.event else "") + self.reason


@dataclass
class ImportReport:
    """Counts of an import. `rows` are those of tables with events; one row may make several events, or none.

    The counters are by `table.event`. `newest` is the newest event time, in microseconds, of all events,
    those after as-of included. `first_rejections` are the first 20. `repeated_ids`: events with an id and
    source that came before, which count as copies of the same event.
    """

    rows: int = 0
    by_event: Counter[str] = field(default_factory=Counter)
    empty_times: Counter[str] = field(default_factory=Counter)
    unmet_conditions: Counter[str] = field(default_factory=Counter)
    rejected_rows: int = 0
    first_rejections: list[Rejection] = field(default_factory=list)
    after_as_of: int = 0
    repeated_ids: int = 0
    newest: int | None = None

    @property
    def events(self) -> int:
        """Events given: neither rejected nor after as-of."""
        return self.by_event.total()


class Rejects:
    """Counts refused rows in the report and writes them down. The file is made with the first of them."""

    def __init__(self, report: ImportReport, path: Path | None) -> None:
        self._report = report
        self._path = path
        self._file: IO[bytes] | None = None
        self._last: tuple[str, int] | None = None
        self._encode = msgspec.json.Encoder(enc_hook=str).encode
        if path:
            path.unlink(missing_ok=True)

    def add(self, rejection: Rejection, row: Mapping[str, Any] | str) -> None:
        """One event of a row, or the whole row; events of one row come one after another."""
        report, place = self._report, (rejection.file, rejection.line)
        report.rejected_rows += place != self._last
        self._last = place
        if len(report.first_rejections) < _SHOWN:
            report.first_rejections.append(rejection)
        if self._path:
            self._file = self._file or self._path.open("wb")
            self._file.write(self._encode({**vars(rejection), "row": row}) + b"\n")

    def close(self) -> None:
        if self._file:
            self._file.close()
