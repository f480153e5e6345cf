"""Which files and columns a mapping needs, and whether they are there: all of it known before a row is read.

In: a mapping and a data folder. Out: the files of each table that is used and the columns to read of it, or
a `MappingError` that names for every missing file or column the mapping's line and what there is instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.complaints import near
from pipeline.documents import Problem
from pipeline.errors import shortened
from pipeline.imports.mapping import ImportMapping, LoadedMapping, MappingError, Value, lookups, template_of
from pipeline.imports.readers import open_table
from pipeline.imports.sources import SourceError, TableReader
from schemas.base import Place

_MOST_NAMES = 40
_NAME_CHARACTERS = 64


@dataclass(frozen=True)
class Use:
    """A column of a table that the mapping refers to, and the place where it does."""

    table: str
    column: str
    place: Place


@dataclass
class TablePlan:
    """A table's files, in order of their names, and the columns to read.

    `lookups`: the columns that are compared, each with those that are taken, in the order of the mapping.
    """

    files: list[Path]
    columns: list[str]
    lookups: dict[str, list[str]] = field(default_factory=dict)


def plan(mapping: LoadedMapping, data: Path) -> dict[str, TablePlan]:
    """What is to be read, by table. Raises MappingError with every missing file and column."""
    uses = list(_uses(mapping.content))
    plans: dict[str, TablePlan] = {}
    problems: list[Problem] = []
    for table in dict.fromkeys(use.table for use in uses):
        mine = [use for use in uses if use.table == table]
        files, wrong = _files(mapping, table, data)
        plans[table] = TablePlan(files, list(dict.fromkeys(use.column for use in mine)))
        problems += wrong
        problems += [problem for file in files for problem in _missing(mapping, table, file, mine)]
    if problems:
        raise MappingError(sorted(dict.fromkeys(problems), key=lambda problem: problem.line))
    for _, _, event in mapping.content.events():
        for _, value in event.fields():
            for _, lookup in lookups(value):
                taken = plans[lookup.table].lookups.setdefault(lookup.key, [])
                if lookup.value not in taken:
                    taken.append(lookup.value)
    return plans


def _files(mapping: LoadedMapping, table: str, data: Path) -> tuple[list[Path], list[Problem]]:
    pattern = mapping.content.tables[table].file
    files = sorted(path for path in data.glob(pattern) if path.is_file())
    if files:
        return files, []
    present = sorted(str(path.relative_to(data)) for path in data.rglob("*") if path.is_file())
    remedy = f"it has {_listed(present)}" if present else "it is empty or not there"
    message = f"no file of the data folder {data} matches {pattern!r}{near(pattern, present)}; {remedy}"
    return [], [mapping.document.problem(("tables", table, "file"), message)]


def _missing(mapping: LoadedMapping, table: str, path: Path, uses: list[Use]) -> Iterator[Problem]:
    declared = mapping.content.tables[table]
    try:
        reader = open_table(path, declared, [use.column for use in uses], lambda *_: None)
    except SourceError as error:
        yield mapping.document.problem(("tables", table, "file"), str(error))
        return
    for use in uses:
        if use.column not in reader.index and use.column not in declared.optional:
            place = mapping.document.nearest(use.place)
            yield mapping.document.problem(place, _no_column(path, use.column, reader))
    reader.close()


def _no_column(path: Path, column: str, reader: TableReader) -> str:
    hint = near(column, reader.columns)
    return f"{path.name} has no column {column!r}{hint}; its columns are {_listed(reader.columns)}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(shortened(name, _NAME_CHARACTERS) for name in names[:_MOST_NAMES]) + more


def _uses(mapping: ImportMapping) -> Iterator[Use]:
    for place, table, event in mapping.events():
        for at, value in event.fields():
            yield from _uses_of(table, value, (*place, *at))
        for column in event.when:
            yield Use(table, column, (*place, "when", column))


def _uses_of(table: str, value: Value, place: Place) -> Iterator[Use]:
    if value.column is not None:
        yield Use(table, value.column, (*place, "column"))
    if template := template_of(value):
        for column in template.columns:
            yield Use(table, column, (*place, "template"))
    if lookup := value.lookup:
        yield Use(lookup.table, lookup.key, (*place, "lookup", "key"))
        yield Use(lookup.table, lookup.value, (*place, "lookup", "value"))
        yield from _uses_of(table, lookup.by, (*place, "lookup", "by"))
