"""Which services are embedded follows from the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.embedded.clickhouse import EmbeddedClickHouse
from pipeline.embedded.errors import EmbeddedError
from pipeline.embedded.kafka import EmbeddedKafka
from pipeline.embedded.services import embedded_services
from pipeline.settings import Settings


def test_both_are_embedded_in_the_home_folder_with_their_logs_side_by_side(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, kafka="127.0.0.1:4000", clickhouse="localhost:5000")
    kafka, clickhouse = embedded_services(settings, "embedded", "embedded")
    assert isinstance(kafka, EmbeddedKafka)
    assert (kafka.folder, kafka.bootstrap, kafka.controller_port) == (
        tmp_path / "kafka",
        "127.0.0.1:4000",
        4001,
    )
    assert isinstance(clickhouse, EmbeddedClickHouse)
    assert (clickhouse.folder, clickhouse.address) == (tmp_path / "clickhouse", "127.0.0.1:5000")
    assert (kafka.log, clickhouse.log) == (
        tmp_path / "logs" / "kafka.log",
        tmp_path / "logs" / "clickhouse.log",
    )


def test_an_external_service_is_not_started_and_may_be_anywhere(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, kafka="kafka.example.org:9092")
    assert [service.name for service in embedded_services(settings, "external", "embedded")] == ["ClickHouse"]
    assert embedded_services(settings, "external", "external") == []


@pytest.mark.parametrize(
    "address", ["kafka.example.org:9092", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:65535", "a:1,b:2"]
)
def test_an_address_elsewhere_cannot_be_embedded(tmp_path: Path, address: str) -> None:
    with pytest.raises(EmbeddedError, match=r"THROUGHLINE_KAFKA is '.*THROUGHLINE_SERVICES=external"):
        embedded_services(Settings(home=tmp_path, kafka=address), "embedded", "external")
