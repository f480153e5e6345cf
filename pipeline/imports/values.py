"""A mapping's values and conditions, compiled for one file: functions of a row.

In: a value of the mapping and what surrounds it: where each column is in a row, how the tables write
things, the look-ups. Out: functions on rows. Always holds: an empty value is None, and what can't be had is
a `RowError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.imports.convert import Converter, RowError, instant, number, text, truth, whole
from pipeline.imports.lookups import ABSENT, AMBIGUOUS, Index
from pipeline.imports.mapping import Condition, ImportMapping, Lookup, Table, Value
from pipeline.imports.sources import Row
from pipeline.imports.templates import Slot, Template, parse_template

Getter = Callable[[Row], Any]
Test = Callable[[Row], bool]


@dataclass(frozen=True)
class Surroundings:
    """What the meaning of a value depends on besides itself."""

    index: Mapping[str, int]
    table: Table
    mapping: ImportMapping
    lookups: Mapping[tuple[str, str, str], Index]

    def cells(self, row: Row) -> dict[str, Any]:
        """A row's cells by column, as the file has them."""
        return {column: row[position] for column, position in self.index.items()}


def compile_value(value: Value, around: Surroundings) -> Getter:
    """The value as it goes into the touchpoint."""
    get = _source(value, around)
    if value.values is not None:
        get = _translated(get, value)
    if value.type is not None:
        get = _converted(get, _converter(value, around))
    return get


def compile_text(value: Value, around: Surroundings) -> Getter:
    """The value as text, as identifiers and names need it."""
    if value.values is None and value.type is None:
        if value.column is not None:
            return _text_cell(value.column, around)
        if value.template is not None:
            return compile_value(value, around)
    return _converted(compile_value(value, around), text)


def compile_test(column: str, condition: Condition, around: Surroundings) -> Test:
    """Whether a row meets a condition."""
    get = _text_cell(column, around)
    wanted = None if condition.any_of is None else frozenset(map(text, condition.any_of))
    unwanted = frozenset(map(text, condition.none_of or ()))
    empty = condition.empty

    def test(row: Row) -> bool:
        cell = get(row)
        if empty is not None and (cell is None) is not empty:
            return False
        return (wanted is None or cell in wanted) and cell not in unwanted

    return test


def _source(value: Value, around: Surroundings) -> Getter:
    if value.column is not None:
        return compile_cell(value.column, around)
    if value.template is not None:
        return _filled(parse_template(value.template), around)
    if value.lookup is not None:
        return _looked_up(value.lookup, around)
    constant = value.constant
    return lambda _: constant


def compile_cell(column: str, around: Surroundings) -> Getter:
    """A column's cell as the file has it; None when it is empty or, for an optional column, not there."""
    position = around.index.get(column)
    empties = frozenset(around.table.empty)
    if position is None:
        return lambda _: None

    def get(row: Row) -> Any:
        cell = row[position]
        if type(cell) is str:
            return None if cell in empties else cell
        # what is not equal to itself is the NaN that Parquet files hold for nothing
        return None if cell is None or cell != cell else cell  # noqa: PLR0124

    return get


def _text_cell(column: str, around: Surroundings) -> Getter:
    """A column's cell as text. CSV has nothing else, so that this is the way most values take."""
    position = around.index.get(column)
    empties = frozenset(around.table.empty)
    get = compile_cell(column, around)
    if position is None:
        return get

    def get_text(row: Row) -> Any:
        cell = row[position]
        if type(cell) is str:
            return None if cell in empties else cell
        return None if (cell := get(row)) is None else text(cell)

    return get_text


def _filled(template: Template, around: Surroundings) -> Getter:
    if not template.columns:
        literal = template.text
        return lambda _: literal
    parts = [part if isinstance(part, str) else _slot(part, around) for part in template.parts]

    def get(row: Row) -> str | None:
        filled = []
        for part in parts:
            piece = part if isinstance(part, str) else part(row)
            if piece is None:
                return None
            filled.append(piece)
        return "".join(filled)

    return get


def _slot(slot: Slot, around: Surroundings) -> Getter:
    get = _text_cell(slot.column, around)
    return get if slot.filter is None else _converted(get, slot.filter)


def _looked_up(lookup: Lookup, around: Surroundings) -> Getter:
    by = compile_text(lookup.by, around)
    find = around.lookups[(lookup.table, lookup.key, lookup.value)].get
    absent_is_empty = lookup.missing == "empty"

    def get(row: Row) -> Any:
        key = by(row)
        if key is None:
            return None
        found = find(key)
        if found is ABSENT:
            if absent_is_empty:
                return None
            raise RowError(f"no row of {lookup.table} has {lookup.key} = {key!r}")
        if found is AMBIGUOUS:
            raise RowError(f"rows of {lookup.table} with {lookup.key} = {key!r} differ in {lookup.value}")
        return found

    return get


def _translated(get: Getter, value: Value) -> Getter:
    table = dict(value.values or {})
    strict, otherwise = not value.has_otherwise, value.otherwise

    def translate(cell: Any) -> Any:
        key = text(cell)
        if key in table:
            return table[key]
        if strict:
            raise RowError(f"{key!r} is not listed under `values`; add it, or say `otherwise`")
        return otherwise

    return _converted(get, translate)


def _converted(get: Getter, convert: Converter) -> Getter:
    def converted(row: Row) -> Any:
        cell = get(row)
        return None if cell is None else convert(cell)

    return converted


def _written_in(value: Value, around: Surroundings) -> Table:
    """The table whose file the value stands in. What it takes for empty is said where its cells are read."""
    return around.mapping.tables[value.lookup.table] if value.lookup else around.table


def _converter(value: Value, around: Surroundings) -> Converter:
    match value.type:
        case "int":
            return whole
        case "float":
            return number(_written_in(value, around).decimal)
        case "bool":
            return truth
        case "instant":
            return instant(value.format, value.zone or around.mapping.zone, end_of_day=value.end_of_day)
    return text
