"""A broker for the tests: the embedded one, or the one that THROUGHLINE_TEST_KAFKA names (host:port)."""

from __future__ import annotations

import os
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

with warnings.catch_warnings():
    # kafka-python 3.0 reads its schemas with a function of importlib.resources that is deprecated
    warnings.simplefilter("ignore", DeprecationWarning)
    from engine_place import Place


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap servers of a running broker."""
    given = os.environ.get("THROUGHLINE_TEST_KAFKA")
    if given:
        yield given
        return
    from pipeline.embedded.kafka import EmbeddedKafka

    folder: Path = tmp_path_factory.mktemp("kafka")
    broker = EmbeddedKafka(folder, free_port(), free_port())
    broker.start()
    try:
        yield broker.bootstrap
    finally:
        broker.stop()


@pytest.fixture
def place(kafka: str, tmp_path: Path) -> Iterator[Place]:
    """Topics of this test alone, and worker processes that do not outlive it."""
    place = Place(kafka, tmp_path)
    try:
        yield place
    finally:
        place.end()
