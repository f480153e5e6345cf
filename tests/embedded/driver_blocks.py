"""Blocks as clickhouse-driver writes them, in `Native` format."""

from __future__ import annotations

from typing import Any

from clickhouse_driver.block import ColumnOrientedBlock
from clickhouse_driver.bufferedwriter import BufferedSocketWriter
from clickhouse_driver.connection import ServerInfo
from clickhouse_driver.context import Context
from clickhouse_driver.streams.native import BlockOutputStream


class Sink:
    """Stands in for a socket."""

    def __init__(self) -> None:
        self.written = b""

    def sendall(self, data: bytes) -> None:
        self.written += bytes(data)


def encoded(columns: list[tuple[str, str]], data: list[list[Any]]) -> bytes:
    """One block: columns are (name, type), data a list of values for each."""
    context = Context()
    context.client_settings = {"strings_as_bytes": False, "strings_encoding": "utf-8", "use_numpy": False}
    context.settings = {}
    context.server_info = ServerInfo("ClickHouse", 1, 1, 1, 50000, "UTC", "", 50000)
    sink = Sink()
    writer = BufferedSocketWriter(sink, 65536)
    BlockOutputStream(writer, context).write(ColumnOrientedBlock(columns, data))
    writer.flush()
    return sink.written
