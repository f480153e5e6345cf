"""Scenario 4: the warehouse is away, dies in the middle of an insert, confirms into the void, refuses a row."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from base import LAID
from cluster import Cluster, NewSettings, Tell, cluster, until
from confluent_kafka import Producer
from embedded_services import free_port
from proxy import Proxy
from workload import large, send, small

from pipeline.embedded.clickhouse import EmbeddedClickHouse
from pipeline.warehouse.client import Warehouse

pytestmark = [pytest.mark.services]

DOWN_SECONDS = 600
"""How long the warehouse is away in the long scenario."""
REFUSED = 7


@pytest.fixture
def proxy(clickhouse: str) -> Iterator[Proxy]:
    with closing(Proxy(clickhouse)) as proxy:
        yield proxy


@pytest.fixture
def own_warehouse(tmp_path: Path) -> Iterator[EmbeddedClickHouse]:
    """One that may be killed."""
    server = EmbeddedClickHouse(tmp_path / "clickhouse", free_port())
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(b"INSERT INTO touchpoints ", marks=pytest.mark.faults_short, id="base"),
        pytest.param(b"INSERT INTO touchpoints_hourly ", marks=pytest.mark.faults, id="aggregate"),
    ],
)
def test_an_insert_whose_confirmation_is_lost_counts_once(
    new_settings: NewSettings,
    tmp_path: Path,
    proxy: Proxy,
    assert_base: Callable[..., None],
    statement: bytes,
) -> None:
    with cluster(new_settings(clickhouse=proxy.address), tmp_path) as running:
        workload = small()
        parts = workload.parts(2)
        running.start()
        send(running.settings, next(parts))
        running.settle()
        before = rows(running)
        proxy.statement = statement
        send(running.settings, next(parts))
        until(lambda: proxy.lost == 1, "a confirmation is lost")
        assert_base(running, workload, f"{proxy.lost} confirmation of {statement.decode().strip()} lost")
        assert "could not write" in running.said()
        assert rows(running) > before


@pytest.mark.faults_short
@pytest.mark.timeout(180)
def test_a_row_that_the_warehouse_refuses_becomes_a_dead_letter_and_takes_no_other_with_it(
    new_settings: NewSettings, tmp_path: Path, assert_base: Callable[..., None]
) -> None:
    with cluster(new_settings(), tmp_path) as running:
        workload = small()
        lay_refused_rows(running)
        send(running.settings, workload.records)
        running.start()
        assert_base(running, workload, f"{REFUSED} rows refused by the warehouse", laid=REFUSED)


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_a_warehouse_killed_in_the_middle_of_inserts_ends_equal(
    new_settings: NewSettings,
    tmp_path: Path,
    own_warehouse: EmbeddedClickHouse,
    assert_base: Callable[..., None],
) -> None:
    tables = ("touchpoints", "findings", "promises", "journeys", "persons")
    with (
        closing(Proxy(own_warehouse.address)) as proxy,
        cluster(new_settings(clickhouse=proxy.address), tmp_path) as running,
    ):
        workload, kills = large(), 0
        parts = workload.parts(len(tables) + 1)
        running.start()
        running.start()
        for table in tables:
            proxy.statement, proxy.in_the_middle = f"INSERT INTO {table} ".encode(), own_warehouse.kill
            send(running.settings, next(parts))
            until(lambda: not own_warehouse.alive(), f"the warehouse is killed in an insert into {table}")
            kills += 1
            time.sleep(1)
            own_warehouse.start()
        send(running.settings, next(parts))
        assert_base(
            running, workload, f"the warehouse killed {kills} times in inserts into {', '.join(tables)}"
        )


@pytest.mark.faults
@pytest.mark.timeout(DOWN_SECONDS + 900)
def test_a_warehouse_that_is_away_for_long_makes_workers_wait_with_bounded_memory(
    new_settings: NewSettings,
    tmp_path: Path,
    own_warehouse: EmbeddedClickHouse,
    assert_base: Callable[..., None],
    tell: Tell,
) -> None:
    workload = large()
    parts = workload.parts(3)
    with cluster(new_settings(clickhouse=own_warehouse.address), tmp_path) as running:
        running.session = 10.0  # nobody is to lose it here, and no short one is kept while a machine is full
        running.start()
        running.start()
        send(running.settings, next(parts))
        running.settle()
        own_warehouse.kill()
        send(running.settings, next(parts))
        time.sleep(DOWN_SECONDS / 2)
        half = memory(running)
        send(running.settings, next(parts))
        time.sleep(DOWN_SECONDS / 2)
        full = memory(running)
        assert "could not write" in running.said()
        running.require_all_running()
        own_warehouse.start()
        assert_base(
            running,
            workload,
            f"the warehouse away for {DOWN_SECONDS} s, two thirds of the records meanwhile",
        )
        tell(
            f"memory of both workers half-way {half} MB, at the end of it {full} MB, when caught up {memory(running)} MB"
        )


def rows(running: Cluster) -> int:
    """Versions of touchpoints that the warehouse was given, of which FINAL shows one each."""
    with closing(Warehouse.of(running.settings)) as warehouse:
        return int(warehouse.query("SELECT count() FROM touchpoints")[0][0])


def memory(running: Cluster) -> int:
    """Resident, in megabytes."""
    return sum(psutil.Process(worker.pid).memory_info().rss for worker in running.workers) >> 20


def lay_refused_rows(running: Cluster) -> None:
    """Records that can be read and that the table's constraint refuses, between good ones."""
    producer = Producer(running.settings.kafka_client)
    for number in range(REFUSED):
        early = {
            "id": f"early-{number}", "source": "/past", "type": "sales.order.placed", "time": "1912-04-15T02:20:00Z",
            "identities": {}, "data": {}, "person_id": "8a000000-0000-8000-8000-00000000000a", "identifier": "x",
            "domain": "sales", "owner": None, "mapped": True, "late": False, "journeys": [],
        }  # fmt: skip
        producer.produce(running.settings.topology.enriched, json.dumps(early).encode(), LAID, 0)
    assert producer.flush(10) == 0
