"""What tests of several rooms share: one Kafka and one ClickHouse for the whole run, and the examples on their real tables.

A service starts when the first test asks for it. A test that starts one, shared or its own, has the mark `services`.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import compiled_core  # first: it chooses which core all others import
import hypothesis
import pytest
from embedded_services import SHARED, free_port
from example_data import Example, imported

with warnings.catch_warnings():
    # kafka-python 3.0 reads its schemas with a function of importlib.resources that is deprecated
    warnings.simplefilter("ignore", DeprecationWarning)
    from pipeline.embedded.clickhouse import EmbeddedClickHouse
    from pipeline.embedded.kafka import EmbeddedKafka
    from pipeline.embedded.service import Service
    from pipeline.engine import topics as _  # noqa: F401 - the import that warns

# how long an example takes says nothing on a machine that others use
hypothesis.settings.register_profile("throughline", deadline=None)
hypothesis.settings.load_profile("throughline")


def pytest_report_header() -> str:
    return f"pipeline.core: {'compiled' if compiled_core.is_compiled() else 'interpreted'}"


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


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder that holds `olist/` and `bpic2012/`, named by THROUGHLINE_DATA."""
    named = os.environ.get("THROUGHLINE_DATA")
    if named:
        return Path(named)
    if os.environ.get("CI"):
        pytest.fail("THROUGHLINE_DATA is not set: the example data has to be there in CI")
    pytest.skip("not run: set THROUGHLINE_DATA to the folder with olist/ and bpic2012/")


@pytest.fixture(scope="session")
def olist(data_folder: Path) -> Example:
    return imported("olist", data_folder / "olist")


@pytest.fixture(scope="session")
def loans(data_folder: Path) -> Example:
    return imported("loans", data_folder / "bpic2012")
