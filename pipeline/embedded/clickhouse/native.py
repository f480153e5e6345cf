"""Where a block ends: `Native` columns are stepped over by type, without making a row or a value.

In: a reader that stands at a block's first byte. Out: that block's bytes, unchanged, and its number of rows.
A type that can't be stepped over is refused before a client sends a block of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

from pipeline.embedded.clickhouse.faults import NOT_IMPLEMENTED, ProtocolError, ServerError

MAX_COLUMNS: Final = 10_000
MAX_ROWS: Final = 100_000_000
_MAX_TYPE_BYTES: Final = 256 * 1024
_MAX_DEPTH: Final = 32


class Bytes(Protocol):
    """What stepping needs of a reader; PacketReader has it."""

    def varint(self) -> int: ...
    def text(self, limit: int) -> str: ...
    def unsigned(self) -> int: ...
    def skip(self, size: int) -> None: ...
    def skip_strings(self, count: int) -> None: ...
    def start_copy(self) -> None: ...
    def end_copy(self) -> memoryview: ...


class Column(NamedTuple):
    """How to step over a column of one type: what precedes its values, then so many values."""

    prefix: Callable[[Bytes], None]
    values: Callable[[Bytes, int], None]


class Block(NamedTuple):
    raw: memoryview
    rows: int
    columns: int


_WIDTHS: Final = {
    "Bool": 1, "UInt8": 1, "UInt16": 2, "UInt32": 4, "UInt64": 8, "UInt128": 16, "UInt256": 32,
    "Int8": 1, "Int16": 2, "Int32": 4, "Int64": 8, "Int128": 16, "Int256": 32,
    "Float32": 4, "Float64": 8, "BFloat16": 2, "Date": 2, "Date32": 4, "DateTime": 4, "DateTime64": 8,
    "Time": 4, "Time64": 8, "Enum8": 1, "Enum16": 2, "UUID": 16, "IPv4": 4, "IPv6": 16, "Nothing": 1,
    "Decimal32": 4, "Decimal64": 8, "Decimal128": 16, "Decimal256": 32,
}  # fmt: skip
_HEAD: Final = re.compile(r"(\w+)(?:\((.*)\))?\Z", re.DOTALL)
_QUOTED: Final = re.compile(r"'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`", re.DOTALL)


def read_block(source: Bytes) -> Block:
    """Raises ProtocolError if the bytes are no block, EOFError if they end within one."""
    source.start_copy()
    columns, rows = source.varint(), source.varint()
    if columns > MAX_COLUMNS or rows > MAX_ROWS:
        raise ProtocolError(f"a block of {columns} columns and {rows} rows")
    for _ in range(columns):
        source.text(_MAX_TYPE_BYTES)
        column = _column_of_block(source.text(_MAX_TYPE_BYTES))
        if rows:
            column.prefix(source)
            column.values(source, rows)
    return Block(source.end_copy(), rows, columns)


def read_names(source: Bytes) -> list[tuple[str, str]]:
    """The (name, type) of a block's columns. Raises ServerError at a type that can't be stepped over."""
    columns, rows = source.varint(), source.varint()
    names = []
    for at in range(columns):
        name, type_ = source.text(_MAX_TYPE_BYTES), source.text(_MAX_TYPE_BYTES)
        names.append((name, type_))
        if rows and at < columns - 1:
            column = column_of(type_)
            column.prefix(source)
            column.values(source, rows)
    return names


def _column_of_block(type_: str) -> Column:
    try:
        return column_of(type_)
    except ServerError as error:
        raise ProtocolError(str(error)) from error


@lru_cache(4096)
def column_of(type_: str) -> Column:
    """Raises ServerError if columns of this type can't be inserted here."""
    return _parse(type_, 0)


def _parse(type_: str, depth: int) -> Column:
    head = _HEAD.match(type_.strip())
    if not head or depth > _MAX_DEPTH:
        raise _unknown(type_)
    name, inside = head[1], head[2] or ""
    if name == "String":
        return Column(_nothing, lambda source, count: source.skip_strings(count))
    if width := _width(name, inside):
        return _fixed(width)
    parts = [_without_name(part) for part in _split(inside)]
    if name == "SimpleAggregateFunction" and parts:
        return _parse(parts[-1], depth + 1)
    nested = _NESTED.get(name)
    if not nested or not nested.least <= len(parts) <= nested.most:
        raise _unknown(type_)
    if name == "LowCardinality":
        parts = [_without_null(parts[0])]
    return nested.make([_parse(part, depth + 1) for part in parts])


def _unknown(type_: str) -> ServerError:
    return ServerError(
        NOT_IMPLEMENTED, f"The embedded ClickHouse can't take inserts into columns of type {type_[:200]}."
    )


def _width(name: str, inside: str) -> int:
    if name == "FixedString":
        return int(inside) if inside.isdecimal() and len(inside) < 8 else 0
    if name == "Decimal":
        precision = inside.partition(",")[0].strip()
        return _decimal_width(int(precision)) if precision.isdecimal() and len(precision) < 4 else 0
    return 8 if name.startswith("Interval") else _WIDTHS.get(name, 0)


def _decimal_width(precision: int) -> int:
    return next((width for most, width in ((9, 4), (18, 8), (38, 16), (76, 32)) if precision <= most), 0)


def _split(inside: str) -> list[str]:
    """At the commas that are in no bracket and no quotes."""
    masked = _QUOTED.sub(lambda quoted: "x" * len(quoted[0]), inside)
    parts, depth, start = [], 0, 0
    for at, char in enumerate(masked):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append(inside[start:at].strip())
            start = at + 1
    return [*parts, inside[start:].strip()] if inside else []


def _without_name(part: str) -> str:
    """`name Type` of a named tuple's element, or `Type`."""
    masked = _QUOTED.sub(lambda quoted: "x" * len(quoted[0]), part)
    space = masked.partition("(")[0].strip().find(" ")
    return part[space + 1 :] if space >= 0 else part


def _without_null(part: str) -> str:
    """A dictionary holds plain values: its first stands for null."""
    return part[len("Nullable(") : -1] if part.startswith("Nullable(") else part


def _nothing(_source: Bytes) -> None:
    """Most columns have nothing before their values."""


def _fixed(width: int) -> Column:
    return Column(_nothing, lambda source, count: source.skip(width * count))


def _tuple(parts: list[Column]) -> Column:
    def prefix(source: Bytes) -> None:
        for part in parts:
            part.prefix(source)

    def values(source: Bytes, count: int) -> None:
        for part in parts:
            part.values(source, count)

    return Column(prefix, values)


def _array(parts: list[Column]) -> Column:
    """Also a map, which is an array of (key, value), and a nested one."""
    items = _tuple(parts)

    def values(source: Bytes, count: int) -> None:
        if not count:
            return
        source.skip(8 * (count - 1))
        total = source.unsigned()  # the last row's end is the number of items
        if total > MAX_ROWS:
            raise ProtocolError(f"arrays with {total} items")
        items.values(source, total)

    return Column(items.prefix, values)


def _nullable(parts: list[Column]) -> Column:
    (inner,) = parts

    def values(source: Bytes, count: int) -> None:
        source.skip(count)
        inner.values(source, count)

    return Column(inner.prefix, values)


def _low_cardinality(parts: list[Column]) -> Column:
    """A dictionary of the values in the block, then a number per row. Nulls are in the dictionary."""
    (inner,) = parts
    key_version, has_keys = 1, 1 << 9

    def prefix(source: Bytes) -> None:
        if (version := source.unsigned()) != key_version:
            raise ProtocolError(f"low cardinality keys of version {version}")

    def values(source: Bytes, count: int) -> None:
        if not count:
            return
        flags = source.unsigned()
        if flags & 0xFF > 3 or not flags & has_keys:
            raise ProtocolError(f"low cardinality flags {flags:#x}")
        keys = source.unsigned()
        if keys > MAX_ROWS:
            raise ProtocolError(f"a dictionary of {keys} values")
        inner.values(source, keys)
        if (rows := source.unsigned()) != count:
            raise ProtocolError(f"{rows} low cardinality rows where {count} are due")
        source.skip(count << (flags & 0xFF))

    return Column(prefix, values)


class _Nested(NamedTuple):
    """How a type of types is made of its parts', and how many there may be."""

    make: Callable[[list[Column]], Column]
    least: int
    most: int


_NESTED: Final = {
    "Tuple": _Nested(_tuple, 1, MAX_COLUMNS),
    "Nested": _Nested(_array, 1, MAX_COLUMNS),
    "Array": _Nested(_array, 1, 1),
    "Map": _Nested(_array, 2, 2),
    "Nullable": _Nested(_nullable, 1, 1),
    "LowCardinality": _Nested(_low_cardinality, 1, 1),
}
