"""The connection: what a user is told when it fails, and what an insert promises."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from pipeline.settings import Settings
from pipeline.warehouse.client import (
    BadDataError,
    Warehouse,
    WarehouseError,
    WarehouseRefusedError,
    WarehouseUnreachableError,
)


@pytest.fixture
def dead_port() -> Iterator[str]:
    """A port that is taken and on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.mark.parametrize("address", ["", "clickhouse", "clickhouse:", ":9000", "clickhouse:http"])
def test_an_address_that_is_not_host_and_port_names_the_setting(address: str) -> None:
    with pytest.raises(WarehouseError, match=r"THROUGHLINE_CLICKHOUSE is .* write host:port"):
        Warehouse(address, "throughline")


def test_a_missing_ca_bundle_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match=r"THROUGHLINE_CLICKHOUSE_CA is .*ca\.pem, which is no file"):
        Warehouse("127.0.0.1:9440", "throughline", secure=True, ca=tmp_path / "ca.pem")


def test_settings_name_the_warehouse(dead_port: str) -> None:
    warehouse = Warehouse.of(Settings(clickhouse=dead_port, namespace="may"))

    assert (warehouse.address, warehouse.database) == (dead_port, "throughline_may")


def test_no_answer_names_the_address_the_setting_and_the_remedy(dead_port: str) -> None:
    with pytest.raises(WarehouseUnreachableError) as caught:
        Warehouse(dead_port, "throughline").query("SELECT 1")

    assert dead_port in str(caught.value)
    assert "refused" in str(caught.value)
    assert "start it with `throughline up`, or set THROUGHLINE_CLICKHOUSE" in str(caught.value)


def test_a_server_that_hangs_up_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            listener.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(WarehouseUnreachableError, match="does not answer"):
            Warehouse(f"127.0.0.1:{listener.getsockname()[1]}", "throughline").query("SELECT 1")
        thread.join()


@pytest.mark.services
def test_a_database_that_is_not_there_names_the_command_that_makes_it(empty_warehouse: Warehouse) -> None:
    with pytest.raises(WarehouseRefusedError, match="throughline migrate") as caught:
        empty_warehouse.query("SELECT 1 FROM touchpoints")

    assert caught.value.code in {60, 81}


@pytest.mark.services
def test_a_database_is_made_once_and_dropped_once(empty_warehouse: Warehouse) -> None:
    assert not empty_warehouse.has_database()
    empty_warehouse.create_database()
    empty_warehouse.create_database()
    assert empty_warehouse.has_database()
    empty_warehouse.drop_database()
    empty_warehouse.drop_database()
    assert not empty_warehouse.has_database()


@pytest.mark.services
def test_a_refused_query_leaves_the_connection_usable(warehouse: Warehouse) -> None:
    with pytest.raises(WarehouseRefusedError, match="refused a request"):
        warehouse.query("SELECT 1 / 'a'")

    assert warehouse.query("SELECT 1") == [(1,)]


@pytest.mark.services
def test_the_settings_that_matter_are_in_force(warehouse: Warehouse) -> None:
    asked = (
        "'async_insert', 'max_partitions_per_insert_block', 'deduplicate_insert', 'insert_deduplicate', "
        "'insert_null_as_default', 'optimize_on_insert'"
    )
    rows = warehouse.query(f"SELECT name, value FROM system.settings WHERE name IN ({asked}) ORDER BY name")

    assert rows == [
        ("async_insert", "0"),
        ("deduplicate_insert", "disable"),
        ("insert_deduplicate", "0"),
        ("insert_null_as_default", "0"),
        ("max_partitions_per_insert_block", "0"),
        ("optimize_on_insert", "0"),
    ]


PERSONS = ("person_id", "version", "touchpoints", "first_at", "last_at", "identifiers")


def persons(version: int) -> list[list[object]]:
    instant = 1525255200123456
    return [[UUID(int=1)], [version], [3], [instant], [None], [["email:ö"]]]


@pytest.mark.services
def test_an_insert_leaves_its_columns_as_they_were_so_that_it_can_be_repeated(warehouse: Warehouse) -> None:
    block = persons(0)

    warehouse.insert("persons", PERSONS, block)
    warehouse.insert("persons", PERSONS, block)

    assert block == persons(0)
    assert warehouse.query("SELECT first_at, last_at, identifiers FROM persons FINAL") == [
        (datetime(2018, 5, 2, 10, 0, 0, 123456, tzinfo=UTC), None, ["email:ö"])
    ]


@pytest.mark.services
def test_a_value_that_fits_no_column_is_bad_data_and_the_connection_recovers(warehouse: Warehouse) -> None:
    with pytest.raises(BadDataError):
        warehouse.insert("persons", PERSONS, persons(-1))

    assert warehouse.query("SELECT count() FROM persons") == [(0,)]


@pytest.mark.services
def test_a_row_that_breaks_a_constraint_is_bad_data_and_is_not_stored(warehouse: Warehouse) -> None:
    with pytest.raises(BadDataError, match="time_since_1970"):
        warehouse.insert("touchpoints", ("time", "source", "id"), [[-1], ["/a"], ["1"]])

    assert warehouse.query("SELECT count() FROM touchpoints") == [(0,)]


@pytest.mark.services
def test_threads_have_connections_of_their_own(warehouse: Warehouse) -> None:
    answers: list[object] = []

    def ask(number: int) -> None:
        asked = f"SELECT {number}, sleep(0.001)"
        answers.extend(warehouse.query(asked)[0][0] == number for _ in range(20))
        warehouse.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [True] * 80


def test_an_empty_block_asks_nothing_of_the_server(dead_port: str) -> None:
    Warehouse(dead_port, "throughline").insert("persons", ["person_id"], [[]])
