"""Whatever bytes a client sends, reading them ends in a packet, a ProtocolError, or the end of the stream."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any

import pytest
from driver_blocks import encoded
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.embedded.clickhouse import wire
from pipeline.embedded.clickhouse.faults import ProtocolError
from pipeline.embedded.clickhouse.native import read_block
from pipeline.embedded.clickhouse.wire import Memory, PacketReader

QUERY = (
    b"\x00"  # its id
    b"\x01\x00\x00\x090.0.0.0:0\x01\x02me\x04host\x06driver\x14\x0a\x9f\xa9\x03\x00\x02"  # the client
    b"\x01s\x01\x011\x00"  # an important setting
    b"\x02\x00\x08SELECT 1"
)
BLOCK = encoded(
    [
        ("a", "String"),
        ("b", "Array(LowCardinality(String))"),
        ("c", "Map(String, Nullable(UInt8))"),
        ("d", "Int64"),
    ],
    [["x", "y" * 200], [["p"], []], [{"k": None}, {}], [0, 1]],
)


def mutated(valid: bytes) -> st.SearchStrategy[bytes]:
    """Bytes that are almost right: some overwritten, some cut out, and an end that may be missing."""
    changes = st.lists(
        st.tuples(st.integers(0, len(valid) - 1), st.binary(max_size=9), st.integers(0, 9)), max_size=4
    )

    def apply(edits: list[tuple[int, bytes, int]]) -> bytes:
        out = valid
        for at, put, cut in edits:
            out = out[:at] + put + out[at + cut :]
        return out

    return st.builds(apply, changes)


@given(st.binary(max_size=200) | mutated(QUERY))
@example(QUERY)
def test_any_bytes_for_a_query_end_in_a_query_or_a_complaint(data: bytes) -> None:
    with contextlib.suppress(ProtocolError, EOFError):
        query, _ = PacketReader(Memory(data)).query()
        assert isinstance(query.text, str)


def test_a_query_is_read_with_its_settings() -> None:
    query, compressed = PacketReader(Memory(QUERY)).query()
    assert (query.text, query.settings, query.important, compressed) == ("SELECT 1", {"s": "1"}, {"s"}, False)


@given(st.binary(max_size=100))
def test_any_bytes_for_a_hello_end_in_a_hello_or_a_complaint(data: bytes) -> None:
    with contextlib.suppress(ProtocolError, EOFError):
        PacketReader(Memory(data)).hello()


@given(st.binary(max_size=300) | mutated(BLOCK))
def test_any_bytes_for_a_block_end_in_a_block_or_a_complaint(data: bytes) -> None:
    with contextlib.suppress(ProtocolError, EOFError, MemoryError):
        block = read_block(PacketReader(Memory(data)))
        assert data.startswith(block.raw)


@pytest.fixture
def pair() -> Any:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_what_is_written_is_what_a_driver_reads(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    writer = wire.PacketWriter(ours)
    sender = threading.Thread(
        target=lambda: (writer.header([("a", "UInt8")]), writer.block(b"\x01\x02\x01a\x05UInt8\x01\x02"))
    )
    sender.start()
    reader = PacketReader(theirs)
    for rows in (0, 2):
        assert reader.kind() == 1
        assert reader.text(10) == ""
        reader.skip_block_info()
        assert read_block(reader).rows == rows
    sender.join()
