"""A place of their own for the engine's tests, on the Kafka of the whole run (`tests/conftest.py`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_place import Place


@pytest.fixture
def place(kafka: str, tmp_path: Path) -> Iterator[Place]:
    """Topics of this test alone, and worker processes that do not outlive it."""
    place = Place(kafka, tmp_path)
    try:
        yield place
    finally:
        place.end()
