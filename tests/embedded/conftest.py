"""A ClickHouse that is started once for all tests that only talk to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_driver import Client
from driver_connections import Connect
from embedded_services import free_port

from pipeline.embedded.clickhouse import EmbeddedClickHouse


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedClickHouse]:
    server = EmbeddedClickHouse(tmp_path_factory.mktemp("clickhouse"), free_port())
    server.start()
    yield server
    server.stop()


@pytest.fixture
def connect(clickhouse: EmbeddedClickHouse) -> Iterator[Connect]:
    """Makes clients of it, and closes them."""
    clients = []

    def new(**options: object) -> Client:
        client = Client("127.0.0.1", port=clickhouse.port, **options)
        clients.append(client)
        return client

    yield new
    for client in clients:
        client.disconnect()


@pytest.fixture
def client(connect: Connect, request: pytest.FixtureRequest) -> Iterator[Client]:
    """A client in a database of the test's own."""
    name = f"t{abs(hash(request.node.nodeid))}"
    connect().execute(f"CREATE DATABASE {name}")
    yield connect(database=name)
    connect().execute(f"DROP DATABASE {name}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "service"
