"""Pipelines on one machine: which services they start, and how they keep out of each other's way."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from command_line import NOWHERE
from embedded_services import free_port

from pipeline.embedded.errors import EmbeddedError
from pipeline.operations.pipelines import beside, services
from pipeline.settings import Settings


def test_a_replay_takes_the_first_metrics_ports_that_are_free() -> None:
    first = free_port(neighbours=4)
    settings = Settings(metrics_port=first)
    assert beside(settings, 2).metrics_port == first
    with socket.create_server(("127.0.0.1", first + 1)):
        assert beside(settings, 1).metrics_port == first
        assert beside(settings, 2).metrics_port == first + 2


def test_metrics_that_are_off_stay_off() -> None:
    assert beside(Settings(metrics_port=0), 2).metrics_port == 0


def test_services_that_do_not_answer_are_started_in_the_home(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, kafka=NOWHERE, clickhouse=f"127.0.0.1:{free_port()}")
    for share in (False, True):
        assert [service.name for service in services(settings, share=share)] == ["Kafka", "ClickHouse"]


def test_services_of_ones_own_are_not_started_and_may_be_anywhere() -> None:
    settings = Settings(
        services="external", kafka="a.example.org:9092,b.example.org:9092", clickhouse="c:9000"
    )
    assert services(settings, share=False) == []


def test_a_listener_that_is_not_kafka_is_not_taken_for_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        settings = Settings(home=tmp_path, kafka=f"127.0.0.1:{listener.getsockname()[1]}", clickhouse=NOWHERE)
        assert "Kafka" in [service.name for service in services(settings, share=True)]


def test_an_address_elsewhere_cannot_be_embedded(tmp_path: Path) -> None:
    with pytest.raises(
        EmbeddedError, match="set THROUGHLINE_SERVICES=external to use your own Kafka and ClickHouse"
    ):
        services(Settings(home=tmp_path, kafka="kafka.example.org:9092"), share=True)


@pytest.mark.services
def test_services_that_answer_are_shared(tmp_path: Path, kafka: str, clickhouse: str) -> None:
    settings = Settings(home=tmp_path, kafka=kafka, clickhouse=clickhouse)
    assert services(settings, share=True) == []
    assert len(services(settings, share=False)) == 2
