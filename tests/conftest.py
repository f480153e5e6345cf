"""What tests of several rooms share: one embedded ClickHouse for the whole run, and `tests/` on the path."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from pipeline.embedded.clickhouse import EmbeddedClickHouse


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running ClickHouse: an embedded one, or the one that THROUGHLINE_TEST_CLICKHOUSE names."""
    given = os.environ.get("THROUGHLINE_TEST_CLICKHOUSE")
    if given:
        yield given
        return
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = int(listener.getsockname()[1])
    server = EmbeddedClickHouse(tmp_path_factory.mktemp("clickhouse"), port)
    server.start()
    try:
        yield server.address
    finally:
        server.stop()
