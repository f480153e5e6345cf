"""What an import did: counts of everything that became of the rows, and the rows that were refused.

In: what the importer tells. Out: an `ImportReport`, and a rejects file of JSON lines with `file`, `line`,
`event`, `reason` and `row` (an object of the columns read, or the raw text of a row that could not be taken
apart). Always holds: with a rejects file everything refused is kept; a refused row counts once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import msgspec

from pipeline.imports.lookups import Index
from pipeline.imports.reasons import Reasons, shape

_SHOWN = 20
_HELD = 10_000


@dataclass(frozen=True)
class Rejection:
    """A row that could not be used for something; `event` is None unless that is an event."""

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
    those after as-of included. `rejected_rows`, known at the end, are those that should have made an event
    and could not or, in a table without events, can't be looked up. `first_rejections` are the first 20 of
    whatever was refused, also to rows that make their events but can't be looked up. `repeated_ids`: events
    with an id and source that came before, which count as copies of the same event. `later`: those after
    as-of. `reasons`: why rows were refused, by event and shape of the reason.
    """

    rows: int = 0
    by_event: Counter[str] = field(default_factory=Counter)
    empty_times: Counter[str] = field(default_factory=Counter)
    unmet_conditions: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    later: Counter[str] = field(default_factory=Counter)
    rejected_rows: int = 0
    first_rejections: list[Rejection] = field(default_factory=list)
    reasons: Reasons[tuple[str | None, str], Rejection] = field(default_factory=Reasons)
    repeated_ids: int = 0
    newest: int | None = None

    @property
    def events(self) -> int:
        """Events given: neither rejected nor after as-of."""
        return self.by_event.total()

    @property
    def after_as_of(self) -> int:
        return self.later.total()

    def rows_of(self, event: str) -> int:
        """The rows that were asked whether they make the event."""
        counts = self.by_event, self.empty_times, self.unmet_conditions, self.rejected, self.later
        return sum(each[event] for each in counts)


class Rejects:
    """Counts refused rows, for the report, and writes them down. The file is made with the first of them.

    A file is read several times: for look-ups, for events, by several tables. So it is the places that are
    counted; beyond 10,000 they are in a temporary file.
    """

    def __init__(self, report: ImportReport, path: Path | None) -> None:
        self._report = report
        self._path = path
        self._file: IO[bytes] | None = None
        self._places = Index(_HELD)
        self._encode = msgspec.json.Encoder(enc_hook=str).encode
        if path and path.is_file():  # whoever names /dev/null or /dev/stderr wants to keep it
            path.unlink()

    def add(self, rejection: Rejection, row: Mapping[str, Any] | str, *, counts: bool = True) -> None:
        """Keep what a row is refused for, and why; `counts`: that makes it one of the rejected rows."""
        if counts:
            self._places.add(f"{rejection.file}:{rejection.line}", None)
        self._report.reasons.add((rejection.event, shape(rejection.reason)), rejection)
        if rejection.event is not None:
            self._report.rejected[rejection.event] += 1
        if len(self._report.first_rejections) < _SHOWN:
            self._report.first_rejections.append(rejection)
        if self._path:
            self._file = self._file or self._path.open("wb")
            self._file.write(self._encode({**vars(rejection), "row": row}) + b"\n")

    def close(self) -> None:
        self._report.rejected_rows = self._places.count()
        self._places.close()
        if self._file:
            self._file.close()
