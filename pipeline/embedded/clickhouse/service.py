"""Starts and ends the ClickHouse process, and says where it listens."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import ClassVar, Final

from pipeline.embedded.errors import FolderUnusableError
from pipeline.embedded.ports import LOOPBACK, require_free
from pipeline.embedded.service import Service

_SPECIAL: Final = frozenset("?*{}")


class EmbeddedClickHouse(Service):
    """The server on `port`, its data and log in `folder`. Data stay between runs."""

    name: ClassVar[str] = "ClickHouse"

    def __init__(self, folder: Path, port: int, *, log: Path | None = None) -> None:
        super().__init__(folder, log)
        self.port = port

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def is_ready(self) -> bool:
        """Does it greet back?"""
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=2) as connection:
                connection.sendall(_client_hello())
                return connection.recv(1) == b"\0"
        except OSError:
            return False

    def _prepare(self) -> list[str]:
        if special := sorted(_SPECIAL & set(str(self.folder))):
            raise FolderUnusableError(
                f"ClickHouse can't use {self.folder}: {' '.join(special)} has a meaning of its own there; "
                "set THROUGHLINE_HOME to another folder."
            )
        require_free(self.port, self.name, "THROUGHLINE_CLICKHOUSE")
        module = ["-m", "pipeline.embedded.clickhouse"]
        return [sys.executable, *module, "--port", str(self.port), "--data", str(self.folder / "data")]


def _client_hello() -> bytes:
    """Name, version 1.1, revision 54431, no database, user `default`, no password."""
    return b"\x00\x05probe\x01\x01\x9f\xa9\x03\x00\x07default\x00"
