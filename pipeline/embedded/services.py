"""Which services `throughline up` starts itself, from the settings: those that are not external."""

from __future__ import annotations

from typing import Literal

from pipeline.embedded.clickhouse import EmbeddedClickHouse
from pipeline.embedded.errors import EmbeddedError
from pipeline.embedded.kafka import EmbeddedKafka
from pipeline.embedded.service import Service
from pipeline.settings import Settings

Where = Literal["embedded", "external"]


def embedded_services(settings: Settings, kafka: Where, clickhouse: Where) -> list[Service]:
    """In the order of their start. Raises EmbeddedError if an address is not one that can be served here."""
    home = settings.home.resolve()
    services: list[Service] = []
    if kafka == "embedded":
        port = _loopback_port(settings.kafka, "kafka")
        services.append(EmbeddedKafka(home / "kafka", port, port + 1, log=home / "logs" / "kafka.log"))
    if clickhouse == "embedded":
        port = _loopback_port(settings.clickhouse, "clickhouse")
        log = home / "logs" / "clickhouse.log"
        services.append(EmbeddedClickHouse(home / "clickhouse", port, log=log))
    return services


def _loopback_port(address: str, service: str) -> int:
    host, _, port = address.rpartition(":")
    setting = f"THROUGHLINE_{service.upper()}"
    if host not in {"127.0.0.1", "localhost"} or not port.isdecimal() or not 0 < int(port) < 65535:
        raise EmbeddedError(
            f"{setting} is {address!r}, but the embedded one listens on 127.0.0.1 and a port below 65535; "
            "set it to one, or set THROUGHLINE_SERVICES=external to use your own Kafka and ClickHouse"
        )
    return int(port)
