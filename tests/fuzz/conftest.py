"""The embedded warehouse as a process of its own, to be talked nonsense to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from embedded_services import free_port

from pipeline.embedded.clickhouse import EmbeddedClickHouse


@pytest.fixture
def warehouse_process(tmp_path: Path) -> Iterator[EmbeddedClickHouse]:
    server = EmbeddedClickHouse(tmp_path, free_port(), log=tmp_path / "log")
    server.start()
    yield server
    server.stop()
