"""A pipeline as a process tree: the services that it needs, its topics and tables, its workers."""

from __future__ import annotations

import shutil
import socket
import sys
from collections.abc import Callable, Sequence

from pipeline.embedded.clickhouse.service import EmbeddedClickHouse
from pipeline.embedded.kafka import EmbeddedKafka
from pipeline.embedded.tree import Member, Tree, Worker
from pipeline.engine.clients import admin_options
from pipeline.engine.topics import delete_groups, delete_topics, ensure_topics, existing_topics
from pipeline.errors import ThroughlineError
from pipeline.settings import Settings
from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.migrate import migrate

_GRACE_SECONDS = 5.0


class PipelineExistsError(ThroughlineError):
    """A pipeline of this name has topics or tables already."""


def services(settings: Settings, *, share: bool) -> list[Member]:
    """The embedded services that are to be started; with `share`, not those that answer already."""
    if settings.services == "external":
        return []
    kafka_port, clickhouse_port = _port(settings.kafka), _port(settings.clickhouse)
    home, logs = settings.home.resolve(), settings.home.resolve() / "logs"
    wanted: list[Member] = []
    if not (share and _answers(kafka_port)):
        wanted.append(EmbeddedKafka(home / "kafka", kafka_port, kafka_port + 1, log=logs / "kafka.log"))
    if not (share and _answers(clickhouse_port)):
        wanted.append(EmbeddedClickHouse(home / "clickhouse", clickhouse_port, log=logs / "clickhouse.log"))
    return wanted


def pipeline_tree(
    settings: Settings,
    workers: int,
    tell: Callable[[str], None],
    *,
    share: bool,
    prepare: Callable[[], None] | None = None,
) -> Tree:
    """The tree of one pipeline. `prepare` runs when the services answer, before topics and tables are made."""

    def prepared() -> None:
        if prepare is not None:
            prepare()
        create(settings)

    return Tree(
        services(settings, share=share),
        prepared,
        _workers(settings, workers),
        logs=settings.home.resolve() / "logs",
        drain_seconds=settings.drain_seconds + _GRACE_SECONDS,
        tell=tell,
    )


def create(settings: Settings) -> None:
    """Topics and tables, created or verified."""
    ensure_topics(admin_options(settings.kafka, settings.kafka_options), settings.topology.specs())
    warehouse = Warehouse.of(settings)
    try:
        migrate(warehouse)
    finally:
        warehouse.close()


def require_new(settings: Settings, *, fresh: bool) -> None:
    """Make sure that nothing of this pipeline exists: refuse if it does, or with `fresh` remove it."""
    options = admin_options(settings.kafka, settings.kafka_options)
    names = {spec.name for spec in settings.topology.specs()}
    topics = sorted(names & existing_topics(options))
    warehouse = Warehouse.of(settings)
    try:
        has_database = warehouse.has_database()
        if (topics or has_database) and not fresh:
            raise PipelineExistsError(
                f"a pipeline named {settings.namespace!r} exists already; give --fresh to remove it first, "
                "or choose another --name"
            )
        if topics:
            delete_topics(options, topics)
        delete_groups(options, [settings.topology.app])
        if has_database:
            warehouse.drop_database()
    finally:
        warehouse.close()
    shutil.rmtree(settings.home / "workers" / settings.topology.app, ignore_errors=True)


def _workers(settings: Settings, count: int) -> Sequence[Worker]:
    name = f"{settings.namespace}-worker" if settings.namespace else "worker"
    command = [sys.executable, "-m", "pipeline", "worker", "--index"]
    environment = settings.environment()
    return [Worker(f"{name}-{index}", [*command, str(index)], environment) for index in range(count)]


def _port(address: str) -> int:
    host, _, port = address.rpartition(":")
    if host not in ("127.0.0.1", "localhost") or not port.isdecimal():
        raise ThroughlineError(
            f"{address} is not on this machine's loopback, where the embedded services live; "
            "set THROUGHLINE_SERVICES=external to use your own Kafka and ClickHouse"
        )
    return int(port)


def _answers(port: int) -> bool:
    with socket.socket() as connection:
        connection.settimeout(0.5)
        return connection.connect_ex(("127.0.0.1", port)) == 0
