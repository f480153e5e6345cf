"""What tests of several rooms share: one Kafka and one ClickHouse for the whole run, and `tests/` on the path.

A service starts when the first test asks for it. A test that starts one, shared or its own, has the mark `services`.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator

import pytest
from embedded_services import SHARED, free_port

with warnings.catch_warnings():
    # kafka-python 3.0 reads its schemas with a function of importlib.resources that is deprecated
    warnings.simplefilter("ignore", DeprecationWarning)
    from pipeline.embedded.clickhouse import EmbeddedClickHouse
    from pipeline.embedded.kafka import EmbeddedKafka
    from pipeline.embedded.service import Service
    from pipeline.engine import topics as _  # noqa: F401 - the import that warns


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuses, before any fixture is made, an unmarked test that asks for a shared service."""
    asked = SHARED.intersection(getattr(item, "fixturenames", ()))
    if asked and item.get_closest_marker("services") is None:
        pytest.fail(
            f"the test uses {', '.join(sorted(asked))}: mark it with pytest.mark.services", pytrace=False
        )


@pytest.fixture(autouse=True)
def _services_are_marked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuses to start a service from within an unmarked test."""
    if request.node.get_closest_marker("services") is None:

        def refuse(service: Service) -> None:
            pytest.fail(f"the test starts {service.name}: mark it with pytest.mark.services", pytrace=False)

        monkeypatch.setattr(Service, "launch", refuse)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap servers of a running broker: an embedded one, or the one that THROUGHLINE_TEST_KAFKA names."""
    given = os.environ.get("THROUGHLINE_TEST_KAFKA")
    if given:
        yield given
        return
    port = free_port(neighbours=1)
    broker = EmbeddedKafka(tmp_path_factory.mktemp("kafka"), port, port + 1)
    broker.start()
    try:
        yield broker.bootstrap
    finally:
        broker.stop()


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running ClickHouse: an embedded one, or the one that THROUGHLINE_TEST_CLICKHOUSE names."""
    given = os.environ.get("THROUGHLINE_TEST_CLICKHOUSE")
    if given:
        yield given
        return
    server = EmbeddedClickHouse(tmp_path_factory.mktemp("clickhouse"), free_port())
    server.start()
    try:
        yield server.address
    finally:
        server.stop()
