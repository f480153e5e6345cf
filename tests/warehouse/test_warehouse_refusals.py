"""What ClickHouse will refuse until somebody does something stops a worker with the remedy; everything else may pass."""

from __future__ import annotations

from typing import Any

import pytest
from clickhouse_driver.errors import NetworkError, ServerException, SocketTimeoutError

from pipeline.engine.errors import EXIT_STOPPED, StopWorker
from pipeline.warehouse.client import (
    Warehouse,
    WarehouseError,
    WarehouseRefusedError,
    WarehouseUnreachableError,
)

USER = "THROUGHLINE_CLICKHOUSE_USER and THROUGHLINE_CLICKHOUSE_PASSWORD"
MIGRATE = "`throughline migrate`"
REMEDIES = {
    192: USER,
    193: USER,
    194: USER,
    516: USER,
    60: MIGRATE,
    81: MIGRATE,
    16: MIGRATE,
    47: MIGRATE,
    497: "does not allow this to the user 'ada'; grant it",
}
MAY_PASS = {
    159: "timeout exceeded",
    164: "read-only",
    202: "too many queries",
    241: "memory limit",
    242: "table is read-only",
    243: "disk is full",
    252: "too many parts",
    319: "unknown status of insert",
    999: "keeper",
}


def answering(error: Exception) -> Warehouse:
    """A warehouse each of whose requests ends with `error` of the driver's."""

    class Answering(Warehouse):
        def _client(self) -> Any:
            raise error

    return Answering("127.0.0.1:9", "throughline", user="ada")


@pytest.mark.parametrize("code", REMEDIES)
def test_a_refusal_that_lasts_stops_a_worker_and_names_the_remedy(code: int) -> None:
    with pytest.raises(StopWorker) as stopped:
        answering(ServerException(f"Code: {code}. DB::Exception: no", code)).insert("t", ["a"], [[1]])
    assert REMEDIES[code] in str(stopped.value)
    assert isinstance(stopped.value, WarehouseRefusedError)
    assert (stopped.value.code, stopped.value.exit_code) == (code, EXIT_STOPPED)


@pytest.mark.parametrize("code", MAY_PASS)
def test_a_refusal_that_may_pass_is_one_to_try_again(code: int) -> None:
    with pytest.raises(WarehouseRefusedError, match=MAY_PASS[code]) as refused:
        answering(ServerException(f"Code: {code}. {MAY_PASS[code]}", code)).insert("t", ["a"], [[1]])
    assert not isinstance(refused.value, StopWorker)


@pytest.mark.parametrize(
    "error", [NetworkError("away"), SocketTimeoutError("slow"), EOFError(), ConnectionResetError()]
)
def test_silence_is_one_to_try_again(error: Exception) -> None:
    with pytest.raises(WarehouseUnreachableError) as silence:
        answering(error).insert("t", ["a"], [[1]])
    assert not isinstance(silence.value, StopWorker)


@pytest.mark.services
@pytest.mark.parametrize(
    ("table", "column", "codes"),
    [("touchpoints", "absent", {16, 47}), ("absent", "time", {60})],
    ids=["column", "table"],
)
def test_a_real_server_says_that_something_is_missing_in_the_same_way(
    warehouse: Warehouse, table: str, column: str, codes: set[int]
) -> None:
    """As after an upgrade whose migrations were forgotten."""
    with pytest.raises(StopWorker, match="throughline migrate") as written:
        warehouse.insert(table, [column], [[1]])
    assert isinstance(written.value, WarehouseRefusedError)
    assert written.value.code in codes
    with pytest.raises(StopWorker, match="throughline migrate"):
        warehouse.query(f"SELECT {column} FROM {table}")
    assert warehouse.query("SELECT 1") == [(1,)]


def test_a_command_that_is_no_worker_knows_it_as_what_clickhouse_refused() -> None:
    with pytest.raises(WarehouseError, match="grant"):
        answering(ServerException("Code: 497. DB::Exception: no", 497)).query("SELECT 1")
