"""The importer: tables and a mapping become touchpoints in the order of their times.

In: a loaded mapping and the folder with the files. Out: `ImportedEvent`s in global event-time order, and a
report of what became of every row. Always holds: files and columns are checked before a row is read; memory
is bounded by settings, not by the data; the newest time is known before the first event comes out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from pipeline.core.instants import micros
from pipeline.imports.compiled import CompiledEvent, Origin, Skipped, compile_event
from pipeline.imports.convert import RowError
from pipeline.imports.lookups import Index
from pipeline.imports.mapping import LoadedMapping, Value
from pipeline.imports.ordered import Sortable, Sorter
from pipeline.imports.plan import TablePlan, plan
from pipeline.imports.progress import Meter, OnProgress
from pipeline.imports.readers import open_table
from pipeline.imports.report import ImportReport, Rejection, Rejects
from pipeline.imports.sources import Row, TableReader
from pipeline.imports.values import Surroundings, compile_cell, compile_text


class ImportedEvent(msgspec.Struct, frozen=True, gc=False):
    """A touchpoint to be sent: a structured CloudEvent in JSON as `value`, for the source topic of `domain`.

    `time` is the event time in microseconds; `key` is the first of its identities, so that what is about
    one thing stays in one partition.
    """

    time: int
    domain: str
    key: bytes
    value: bytes


class Importer:
    """Reads once. `rejects` is the file that refused rows are kept in; without it they are only counted.

    `in_memory` events are sorted in memory, more by way of a temporary file; `lookup_keys` of each look-up
    are held in memory, more in a temporary file; repeated ids are looked for among the first `checked_ids`
    events. `now` bounds possible times: later than a day after it is refused.
    """

    def __init__(
        self,
        mapping: LoadedMapping,
        data: Path,
        *,
        rejects: Path | None = None,
        in_memory: int = 100_000,
        lookup_keys: int = 500_000,
        checked_ids: int = 500_000,
        progress: OnProgress | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.report = ImportReport()
        self._loaded, self._mapping, self._data = mapping, mapping.content, data
        self._rejects = Rejects(self.report, rejects)
        self._sorter = Sorter(in_memory)
        self._lookup_keys, self._checked_ids = lookup_keys, checked_ids
        self._lookups: dict[tuple[str, str, str], Index] = {}
        self._told: set[tuple[object, ...]] = set()
        self._meter = Meter(progress)
        self._latest = micros(now() + timedelta(days=1))
        self._ids: set[int] = set()

    def events(self, as_of: datetime | None = None) -> Iterator[ImportedEvent]:
        """Read everything, then give the events in order; those after `as_of` are counted and left out.

        When this returns, `report` is complete. Raises MappingError when a file or column is not there, and
        SourceError when a file can't be read on.
        """
        plans = plan(self._loaded, self._data)
        self._meter.expect(path for table, needed in plans.items() for path in self._readings(table, needed))
        try:
            for table, needed in plans.items():
                self._fill_lookups(table, needed)
            for table, needed in plans.items():
                self._read_events(table, needed, self._latest if as_of is None else micros(as_of))
        finally:
            self._rejects.close()
            for index in self._lookups.values():
                index.close()
        drained = self._sorter.drain()
        return (ImportedEvent(time, domain, key, value) for time, _, _, _, domain, key, value in drained)

    def _readings(self, table: str, needed: TablePlan) -> list[Path]:
        """A table's files as often as they are read: for look-ups, for events."""
        return needed.files * (bool(needed.lookups) + bool(self._mapping.tables[table].events))

    def _open(self, table: str, path: Path, needed: TablePlan, *, quiet: bool = False) -> TableReader:
        """Open a file; its broken rows are told unless it is `quiet`, or they have been for another table."""
        declared = self._mapping.tables[table]
        way = (path, *declared.layout)
        silent = quiet or way in self._told
        if not quiet:
            self._told.add(way)

        def refuse(line: int, reason: str, raw: str) -> None:
            if not silent:
                self._rejects.add(Rejection(self._named(path), line, None, reason), raw)

        return open_table(path, declared, needed.columns, refuse)

    def _named(self, path: Path) -> str:
        return path.relative_to(self._data).as_posix()

    def _surroundings(self, table: str, reader: TableReader) -> Surroundings:
        return Surroundings(reader.index, self._mapping.tables[table], self._mapping, self._lookups)

    def _fill_lookups(self, table: str, needed: TablePlan) -> None:
        for key, values in needed.lookups.items():
            self._lookups |= {(table, key, value): Index(self._lookup_keys) for value in values}
        # a row of a table with events counts, and a broken one is told, when these are read
        has_events = bool(self._mapping.tables[table].events)
        for path in needed.files if needed.lookups else ():
            with closing(self._open(table, path, needed, quiet=has_events)) as reader:
                around = self._surroundings(table, reader)
                compiled = [self._lookups_by(table, key, needed, around) for key in needed.lookups]
                for line, row in self._meter.metered(reader):
                    for add in compiled:
                        try:
                            add(row)
                        except RowError as error:
                            rejection = Rejection(self._named(path), line, None, str(error))
                            self._rejects.add(rejection, around.cells(row), counts=not has_events)

    def _lookups_by(
        self, table: str, key: str, needed: TablePlan, around: Surroundings
    ) -> Callable[[Row], None]:
        """What adds a row to the look-ups that compare the column `key`."""
        key_of = compile_text(Value(column=key), around)
        taken = [
            (compile_cell(value, around), self._lookups[table, key, value].add)
            for value in needed.lookups[key]
        ]

        def add_row(row: Row) -> None:
            try:
                found = key_of(row)
            except RowError as error:
                raise RowError(f"it can't be looked up by {table}.{key}: {error}") from None
            if found is not None:
                for value_of, add in taken:
                    add(found, value_of(row))

        return add_row

    def _read_events(self, table: str, needed: TablePlan, limit: int) -> None:
        events = self._mapping.tables[table].events
        for path in needed.files if events else ():
            with closing(self._open(table, path, needed)) as reader:
                around = self._surroundings(table, reader)
                origins = {
                    name: Origin(self._mapping.name, table, self._named(path), name) for name in events
                }
                compiled = [
                    compile_event(event, origins[name], self._latest, around)
                    for name, event in events.items()
                ]
                for line, row in self._meter.metered(reader, every=self._sorter.relieve):
                    self.report.rows += 1
                    for event in compiled:
                        self._read_row(event, line, row, limit)

    def _read_row(self, event: CompiledEvent, line: int, row: Row, limit: int) -> None:
        report = self.report
        try:
            made = event.build(row, line)
        except RowError as error:
            reason = event.explain(row, error)
            self._rejects.add(Rejection(event.file, line, event.name, reason), event.cells(row))
            return
        if made is Skipped.EMPTY_TIME:
            report.empty_times[event.name] += 1
        elif made is Skipped.CONDITION:
            report.unmet_conditions[event.name] += 1
        else:
            report.newest = max(made[0], report.newest or 0)
            if made[0] > limit:
                report.later[event.name] += 1
                return
            report.by_event[event.name] += 1
            self._sorter.add(made)
            self._look_for_copy(made)

    def _look_for_copy(self, made: Sortable) -> None:
        ids = self._ids
        if (number := hash((made[2], made[3]))) in ids:
            self.report.repeated_ids += 1
        elif len(ids) < self._checked_ids:
            ids.add(number)
