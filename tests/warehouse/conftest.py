"""A warehouse for the tests: the embedded one, or the one that THROUGHLINE_TEST_CLICKHOUSE names
(host:port).
"""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.migrate import migrate


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running ClickHouse."""
    given = os.environ.get("THROUGHLINE_TEST_CLICKHOUSE")
    if given:
        yield given
        return
    from pipeline.embedded.clickhouse import EmbeddedClickHouse

    folder: Path = tmp_path_factory.mktemp("clickhouse")
    server = EmbeddedClickHouse(folder, free_port())
    server.start()
    try:
        yield server.address
    finally:
        server.stop()


@pytest.fixture
def empty_warehouse(clickhouse: str) -> Iterator[Warehouse]:
    """A database of the test's own, not yet created."""
    warehouse = Warehouse(clickhouse, f"test_{uuid.uuid4().hex[:12]}")
    yield warehouse
    warehouse.drop_database()
    warehouse.close()


@pytest.fixture
def warehouse(empty_warehouse: Warehouse) -> Warehouse:
    """A migrated database of the test's own."""
    migrate(empty_warehouse)
    return empty_warehouse
