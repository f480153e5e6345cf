"""Stepping over blocks: the end found is the one that clickhouse-driver wrote, whatever types and values."""

from __future__ import annotations

from typing import Any

import pytest
from driver_blocks import encoded
from hypothesis import given
from hypothesis import strategies as st

from pipeline.embedded.clickhouse.faults import ProtocolError, ServerError
from pipeline.embedded.clickhouse.native import column_of, read_block, read_names
from pipeline.embedded.clickhouse.wire import Memory, PacketReader

LEAVES: dict[str, st.SearchStrategy[Any]] = {
    "String": st.text(max_size=300),
    "UInt8": st.integers(0, 255),
    "Int64": st.integers(-(2**63), 2**63 - 1),
    "Float64": st.floats(allow_nan=False),
    "UUID": st.uuids(),
    "FixedString(4)": st.text("abc", min_size=4, max_size=4),
    "Enum8('a' = 1, '(c)' = 2)": st.sampled_from(["a", "(c)"]),
    "LowCardinality(String)": st.sampled_from(["", "red", "green"]),
    "LowCardinality(Nullable(String))": st.sampled_from([None, "red", "green"]),
    "Nullable(UInt32)": st.none() | st.integers(0, 2**32 - 1),
    "Decimal(12, 2)": st.decimals(-(10**8), 10**8, places=2),
}


@st.composite
def typed_values(draw: st.DrawFn, depth: int = 2) -> tuple[str, st.SearchStrategy[Any]]:
    """A type, and how to make its values."""
    kind = draw(st.sampled_from(["leaf", "leaf", "array", "map", "tuple"])) if depth else "leaf"
    if kind == "leaf":
        return draw(st.sampled_from(sorted(LEAVES.items())))
    inner, values = draw(typed_values(depth=depth - 1))
    if kind == "array":
        return f"Array({inner})", st.lists(values, max_size=4)
    if (
        kind == "map"
    ):  # the driver can't write maps of types with commas, nor empty ones of nulls in a dictionary
        if "," in inner or "LowCardinality(Nullable" in inner:
            inner, values = "Array(UUID)", st.lists(st.uuids(), max_size=2)
        keys = LEAVES["LowCardinality(String)"]
        return f"Map(LowCardinality(String), {inner})", st.dictionaries(keys, values, max_size=3)
    other, others = draw(typed_values(depth=depth - 1))
    return f"Tuple({inner}, `a b` {other})", st.tuples(values, others)


@given(st.data(), st.lists(typed_values(), min_size=1, max_size=4), st.integers(1, 20))
def test_the_end_of_a_block_is_found_by_its_types(data: st.DataObject, types: list[Any], rows: int) -> None:
    names = [(f"c{at}", type_) for at, (type_, _) in enumerate(types)]
    columns = [data.draw(st.lists(values, min_size=rows, max_size=rows)) for _, values in types]
    raw = encoded(names, columns)
    reader = PacketReader(Memory(raw + b"what follows"))
    block = read_block(reader)
    assert (block.raw, block.rows, block.columns) == (raw, rows, len(names))
    assert reader.buffer.read(12) == b"what follows"
    assert read_names(PacketReader(Memory(raw))) == names


def test_commas_and_brackets_in_quotes_are_no_structure() -> None:
    raw = encoded([("a", "Array(Enum8('a, (b' = 1, 'c\\'' = 2))")], [[["a, (b"], [], ["c'", "a, (b"]]])
    assert read_block(PacketReader(Memory(raw))).raw == raw


def test_a_block_larger_than_the_buffer_comes_out_whole() -> None:
    raw = encoded([("a", "String"), ("b", "Array(UInt64)")], [["x" * 999] * 2000, [list(range(50))] * 2000])
    reader = PacketReader(Memory(raw * 2))
    assert [read_block(reader).raw for _ in range(2)] == [raw, raw]


def test_a_block_that_ends_early_is_the_end_of_the_stream() -> None:
    raw = encoded([("a", "String"), ("b", "UInt64")], [["x", "yy"], [1, 2]])
    for length in range(len(raw)):
        with pytest.raises(EOFError):
            read_block(PacketReader(Memory(raw[:length])))


UNKNOWN = [
    *("", "Strin", "JSON", "Dynamic", "Variant(String, UInt8)", "AggregateFunction(uniq, String)"),
    *("Array()", "Array(String, String)", "Map(String)", "Nullable(Nothingness)", "FixedString(x)"),
    *("Decimal(99, 2)", "Array(" * 40 + "String" + ")" * 40),
]


@pytest.mark.parametrize("type_", UNKNOWN)
def test_a_type_that_cannot_be_stepped_over_is_refused_by_name(type_: str) -> None:
    with pytest.raises(ServerError, match="can't take inserts into columns of type") as refused:
        column_of(type_)
    assert refused.value.code == 48


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        (b"\xff\xff\x7f\x01", "a block of 2097151 columns"),
        (b"\x01\xff\xff\xff\xff\x7f", "and 34359738367 rows"),
        (b"\x01\x01\x01a\x04JSON", "columns of type JSON"),
        (b"\x01\x01\x01a\x16LowCardinality(String)" + bytes(8), "keys of version 0"),
        (b"\x01\x01\x01a\x16LowCardinality(String)" + b"\x01" + bytes(15), "flags 0x0"),
        (b"\x01\x01\x01a\x0dArray(String)" + b"\xff" * 8, "arrays with 18446744073709551615 items"),
        (b"\x01\x01\xff\xff\xff\x7f", "a text of 268435455 bytes"),
        (b"\x01\x01\x01\xff\x01a", "not UTF-8"),
        (b"\xff" * 11, "more than 64 bits"),
    ],
)
def test_bytes_that_are_no_block_are_named_in_the_complaint(raw: bytes, complaint: str) -> None:
    with pytest.raises(ProtocolError, match=complaint):
        read_block(PacketReader(Memory(raw + bytes(64))))
