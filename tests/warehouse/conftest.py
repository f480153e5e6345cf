"""Databases for the warehouse's tests, on the ClickHouse of the whole run (`tests/conftest.py`)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.migrate import migrate


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
