"""What clickhouse-driver can do with the embedded ClickHouse: it should not notice the difference."""

from __future__ import annotations

import datetime
import socket
import threading
import time
import uuid
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import ServerException
from driver_connections import Connect

from pipeline.embedded.clickhouse import EmbeddedClickHouse

pytestmark = pytest.mark.services
NOON = datetime.datetime(2024, 5, 17, 12, 0, 0, 123456)  # noqa: DTZ001 - the driver's are naive UTC

COLUMNS: dict[str, list[Any]] = {
    "UUID": [uuid.UUID(int=1), uuid.UUID(int=2**127), uuid.UUID(int=3)],
    "String": ["", "ü" * 200, "plain"],
    "FixedString(3)": ["abc", "xyz", "123"],
    "Bool": [True, False, True],
    "UInt8": [0, 255, 7],
    "Int64": [-(2**63), 2**63 - 1, 0],
    "UInt256": [0, 2**256 - 1, 5],
    "Float64": [0.5, -1e300, 0.0],
    "Decimal(18, 4)": [Decimal("1.5000"), Decimal("-2.2500"), Decimal("0.0001")],
    "Decimal(76, 2)": [Decimal("1.50"), Decimal("-2.25"), Decimal("0.01")],
    "Date": [datetime.date(2024, 1, 1), datetime.date(1970, 1, 1), datetime.date(2100, 12, 31)],
    "Date32": [datetime.date(1950, 1, 1), datetime.date(1970, 1, 1), datetime.date(2200, 12, 31)],
    "DateTime": [NOON.replace(microsecond=0)] * 3,
    "DateTime64(6)": [NOON, NOON.replace(year=1975), NOON.replace(microsecond=0)],
    "Enum8('open' = 1, 'it\\'s, (kept)' = 2)": ["open", "it's, (kept)", "open"],
    "Enum16('a' = 300)": ["a", "a", "a"],
    "IPv4": [IPv4Address("10.0.0.1")] * 3,
    "IPv6": [IPv6Address("::1")] * 3,
    "Nullable(String)": [None, "", "x"],
    "Nullable(DateTime64(3))": [None, NOON.replace(microsecond=123000), None],
    "LowCardinality(String)": ["a", "b", "a"],
    "LowCardinality(Nullable(String))": [None, "b", "b"],
    "Array(String)": [[], ["a"], ["b", "c" * 300]],
    "Array(LowCardinality(String))": [[], ["a"], ["b", "a"]],
    "Array(Array(UInt32))": [[], [[]], [[1, 2], [3]]],
    "Array(Nullable(Int16))": [[], [None], [1, None]],
    "Map(String, String)": [{}, {"a": "b"}, {"c": "", "d": "e"}],
    "Map(LowCardinality(String), Array(UInt64))": [{}, {"a": []}, {"b": [1, 2]}],
    "Tuple(String, UInt8)": [("a", 1), ("b", 2), ("", 0)],
    "Tuple(name String, at Tuple(x Float32, y Float32))": [
        ("a", (1.0, 2.0)),
        ("b", (0.0, 0.0)),
        ("", (0.5, 0.5)),
    ],
    "Array(Tuple(LowCardinality(String), UInt8))": [[], [("a", 1)], [("b", 2), ("a", 3)]],
    "SimpleAggregateFunction(sum, UInt64)": [1, 2, 3],
}


@pytest.mark.parametrize("type_", COLUMNS)
def test_a_column_comes_back_as_it_was_inserted(client: Client, type_: str) -> None:
    client.execute(f"CREATE TABLE t (n UInt8, v {type_}) ENGINE = MergeTree ORDER BY n")
    client.execute("INSERT INTO t VALUES", [[1, 2, 3], COLUMNS[type_]], columnar=True)
    (rows, columns) = client.execute("SELECT v FROM t ORDER BY n", columnar=True, with_column_types=True)
    assert list(rows[0]) == COLUMNS[type_]
    assert columns == [("v", type_)]


def test_all_these_types_fit_in_one_block(client: Client) -> None:
    names = [f"c{at}" for at in range(len(COLUMNS))]
    declared = ", ".join(f"{name} {type_}" for name, type_ in zip(names, COLUMNS, strict=True))
    client.execute(f"CREATE TABLE t (n UInt8, {declared}) ENGINE = MergeTree ORDER BY n")
    client.execute(
        f"INSERT INTO t (n, {', '.join(names)}) VALUES", [[1, 2, 3], *COLUMNS.values()], columnar=True
    )
    rows = client.execute(f"SELECT {', '.join(names)} FROM t ORDER BY n", columnar=True)
    assert [list(column) for column in rows] == list(COLUMNS.values())


def test_an_insert_of_a_column_that_cannot_be_stepped_over_is_refused_before_any_block(
    client: Client,
) -> None:
    client.execute(
        "CREATE TABLE t (v AggregateFunction(uniq, String)) ENGINE = AggregatingMergeTree ORDER BY tuple()"
    )
    with pytest.raises(
        ServerException, match=r"can't take inserts into columns of type AggregateFunction"
    ) as refused:
        client.execute("INSERT INTO t VALUES", [["x"]])
    assert refused.value.code == 48
    assert client.execute("SELECT 1") == [(1,)]


def test_the_hello_says_what_chdb_says(client: Client) -> None:
    [(version, zone)] = client.execute("SELECT version(), timezone()")
    assert version.startswith(".".join(map(str, client.connection.server_info.version_tuple())) + ".")
    assert zone == client.connection.server_info.timezone == "UTC"


def test_an_unknown_database_is_refused_at_the_hello(connect: Connect) -> None:
    with pytest.raises(ServerException) as refused:
        connect(database="nobody").execute("SELECT 1")
    assert refused.value.code == 81


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT nope", 47),
        ("SELECT * FROM nope", 60),
        ("SELEC 1", 62),
        ("SELECT 1; SELECT 2", 62),
        ("SELECT throwIf(1)", 395),
        ("SELECT throwIf(number = 500000) FROM numbers(1000000)", 395),
        ("DROP TABLE nope", 60),
        ("SELECT 1 INTO OUTFILE 'x' FORMAT CSV", 48),
        ("SELECT number, count() FROM numbers(3) GROUP BY number WITH TOTALS", 48),
    ],
)
def test_an_error_has_clickhouse_s_own_code_and_the_connection_goes_on(
    client: Client, query: str, code: int
) -> None:
    with pytest.raises(ServerException) as failed:
        client.execute(query)
    assert failed.value.code == code
    assert client.execute("SELECT 1") == [(1,)]


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("SELECT 1 + 1", [(2,)]),
        ("SELECT 1;", [(1,)]),
        ("SELECT ';', 'a''b' -- ; SELECT 2", [(";", "a'b")]),
        ("/* first */ WITH 1 AS x SELECT x + 1 FORMAT CSV", [(2,)]),
        ("(SELECT 1) UNION ALL (SELECT 1)", [(1,), (1,)]),
        ("SHOW DATABASES LIKE 'nobody'", []),
        ("EXISTS TABLE nope", [(0,)]),
        (
            "SELECT number FROM numbers(200000) WHERE number % 50000 = 0 ORDER BY number",
            [(0,), (50000,), (100000,), (150000,)],
        ),
    ],
)
def test_a_statement_gives_its_rows(client: Client, query: str, rows: list[tuple[Any, ...]]) -> None:
    assert client.execute(query) == rows


def test_no_rows_still_have_names_and_types(client: Client) -> None:
    client.execute("CREATE TABLE t (a UInt8, b LowCardinality(String)) ENGINE = Memory")
    assert client.execute("SELECT b, a FROM t", with_column_types=True) == (
        [],
        [("b", "LowCardinality(String)"), ("a", "UInt8")],
    )


def test_many_rows_come_in_blocks(client: Client) -> None:
    total = sum(
        row[0] for row in client.execute_iter("SELECT number FROM numbers(300000)", {"max_block_size": 10000})
    )
    assert total == 300_000 * 299_999 // 2


def test_parameters_and_an_insert_of_rows_work(client: Client) -> None:
    client.execute("CREATE TABLE t (a String, b Array(UInt8)) ENGINE = Memory")
    assert client.execute("INSERT INTO t (b, a) VALUES", [([1], "it's"), ([], "")]) == 2
    assert client.execute("SELECT a FROM t WHERE a = %(a)s", {"a": "it's"}) == [("it's",)]


def test_values_in_the_text_and_insert_select_need_no_blocks(client: Client) -> None:
    client.execute("CREATE TABLE t (a UInt8) ENGINE = Memory")
    client.execute("INSERT INTO t VALUES (1), (2)")
    client.execute("INSERT INTO t SELECT a + 10 FROM t")
    client.execute("INSERT INTO t WITH 5 AS x SELECT x")
    assert client.execute("SELECT a FROM t ORDER BY a") == [(1,), (2,), (5,), (11,), (12,)]


def test_an_insert_of_no_rows_is_one(client: Client) -> None:
    client.execute("CREATE TABLE t (a UInt8) ENGINE = Memory")
    assert client.execute("INSERT INTO t VALUES", []) == 0
    assert client.execute("SELECT count() FROM t") == [(0,)]


def test_an_insert_may_have_several_blocks_under_one_token(client: Client) -> None:
    remembering = "SETTINGS non_replicated_deduplication_window = 100"
    client.execute(f"CREATE TABLE t (a UInt32) ENGINE = MergeTree ORDER BY a {remembering}")
    settings = {"insert_block_size": 10, "insert_deduplication_token": "once"}
    for _ in range(2):
        client.execute("INSERT INTO t VALUES", [(n,) for n in range(35)], settings=settings)
    assert client.execute("SELECT count(), uniqExact(a) FROM t") == [(35, 35)]


READ = "INSERT INTO t (a) SELECT toUInt8(text) FROM input('text String') WHERE text != '' FORMAT Native"


def test_an_insert_from_input_takes_blocks_of_its_structure(client: Client) -> None:
    client.execute("CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a")
    blocks = {"insert_block_size": 2}
    assert client.execute(READ, [("7",), ("",), ("9",)], settings=blocks) == 3
    assert client.execute("SELECT a FROM t ORDER BY a") == [(7,), (9,)]


def test_an_insert_from_input_that_fails_leaves_nothing_and_the_connection_goes_on(client: Client) -> None:
    client.execute("CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a")
    with pytest.raises(ServerException) as failed:
        client.execute(READ, [("1",), ("two",)])
    assert failed.value.code == 6
    client.execute(READ, [("3",)])
    assert client.execute("SELECT a FROM t") == [(3,)]


def test_each_insert_of_a_connection_has_its_own_rows_alone_however_long_the_one_before(
    client: Client,
) -> None:
    client.execute("CREATE TABLE t (a String) ENGINE = MergeTree ORDER BY a")
    sizes = [100_000, 1, 0, 70_000, 2]
    for n, size in enumerate(sizes):
        client.execute("INSERT INTO t VALUES", [[f"{n} {'x' * 900}"] * size], columnar=True)
    found = client.execute("SELECT toUInt8(substring(a, 1, 1)) AS n, count() FROM t GROUP BY n ORDER BY n")
    assert found == [(n, size) for n, size in enumerate(sizes) if size]


def test_a_connection_asks_anew_what_columns_a_table_has(client: Client) -> None:
    client.execute("CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a")
    client.execute("INSERT INTO t VALUES", [(1,)])
    client.execute("ALTER TABLE t ADD COLUMN b String")
    client.execute("INSERT INTO t VALUES", [(2, "x")])
    assert client.execute("SELECT a, b FROM t ORDER BY a") == [(1, ""), (2, "x")]


def test_a_block_that_the_table_refuses_leaves_nothing_of_its_insert(client: Client) -> None:
    client.execute("CREATE TABLE t (a UInt32, CONSTRAINT small CHECK a < 100) ENGINE = MergeTree ORDER BY a")
    with pytest.raises(ServerException) as failed:
        client.execute("INSERT INTO t VALUES", [(1,), (2,), (1000,)], settings={"insert_block_size": 1})
    assert failed.value.code == 469
    assert client.execute("SELECT count() FROM t") == [(0,)]


def test_settings_hold_for_their_query_alone(client: Client) -> None:
    asked = "SELECT value FROM system.settings WHERE name = 'max_block_size'"
    default = client.execute(asked)
    assert client.execute(asked, settings={"max_block_size": 123}) == [("123",)]
    assert client.execute(asked) == default


def test_pinned_settings_come_back_after_a_query_that_changed_them(client: Client) -> None:
    asked = "SELECT value FROM system.settings WHERE name = 'async_insert'"
    assert client.execute(asked) == [("0",)]
    assert client.execute(asked, settings={"async_insert": 1}) == [("1",)]
    assert client.execute(asked) == [("0",)]


def test_an_unknown_setting_is_ignored_unless_it_is_important(connect: Connect) -> None:
    settings = {"nonsense": 1, "max_block_size": 77}
    asked = "SELECT value FROM system.settings WHERE name = 'max_block_size'"
    assert connect().execute(asked, settings=settings) == [("77",)]
    with pytest.raises(ServerException) as refused:
        connect(settings_is_important=True).execute(asked, settings=settings)
    assert refused.value.code == 115


def test_temporary_tables_belong_to_their_connection(connect: Connect) -> None:
    first, second = connect(), connect()
    first.execute("CREATE TEMPORARY TABLE mine (a UInt8)")
    first.execute("INSERT INTO mine VALUES", [(1,)])
    assert first.execute("SELECT a FROM mine") == [(1,)]
    with pytest.raises(ServerException):
        second.execute("SELECT a FROM mine")


def test_external_tables_are_refused_and_the_connection_goes_on(client: Client) -> None:
    table = {"name": "ext", "structure": [("a", "String")], "data": [{"a": "x"}]}
    with pytest.raises(ServerException, match="takes no external tables") as refused:
        client.execute("SELECT * FROM ext", external_tables=[table])
    assert refused.value.code == 48
    assert client.execute("SELECT 1") == [(1,)]


LONG = "SELECT count() FROM numbers(100000000000) WHERE sipHash64(number) = 1"


def running(client: Client) -> int:
    return int(
        client.execute(
            "SELECT count() FROM system.processes WHERE query LIKE 'SELECT count() FROM numbers(1000000%'"
        )[0][0]
    )


def await_running(client: Client, wanted: int) -> None:
    limit = time.monotonic() + 30
    while running(client) != wanted:
        assert time.monotonic() < limit, f"{wanted} long queries were to run"
        time.sleep(0.05)


def test_a_cancelled_query_ends_and_its_connection_goes_on(connect: Connect) -> None:
    worker, other = connect(), connect()
    generator = worker.execute_iter(LONG, settings={"max_threads": 1})
    puller = threading.Thread(target=lambda: list(generator), daemon=True)
    puller.start()
    await_running(other, 1)
    worker.connection.send_cancel()
    puller.join(30)
    assert not puller.is_alive()
    await_running(other, 0)


def test_a_query_ends_when_its_client_has_gone(connect: Connect) -> None:
    gone, other = connect(), connect()
    gone.connection.connect()
    gone.connection.context.client_settings["server_side_params"] = False
    gone.connection.send_query(LONG + " SETTINGS max_threads = 1")
    gone.connection.send_external_tables(None)
    await_running(other, 1)
    gone.disconnect()
    await_running(other, 0)


def test_a_query_whose_client_left_at_once_ends_too(connect: Connect) -> None:
    gone, other = connect(), connect()
    gone.execute("SELECT 1")
    gone.connection.send_query(LONG + " SETTINGS max_threads = 1")
    gone.connection.send_external_tables(None)
    gone.disconnect()
    time.sleep(0.5)
    await_running(other, 0)


def test_clients_are_served_side_by_side(connect: Connect) -> None:
    slow, quick = connect(), connect()
    quick.execute("SELECT 1")
    thread = threading.Thread(target=slow.execute, args=("SELECT sleep(2)",))
    thread.start()
    assert quick.execute("SELECT 1") == [(1,)]
    assert thread.is_alive()
    thread.join()


def test_a_client_that_leaves_within_a_block_leaves_nothing_of_it(client: Client, connect: Connect) -> None:
    client.execute("CREATE TABLE t (a UInt32) ENGINE = MergeTree ORDER BY a")
    database = client.connection.database
    leaver = connect(database=database)
    leaver.execute("SELECT 1")
    leaver.connection.send_query("INSERT INTO t VALUES")
    leaver.connection.send_external_tables(None)
    leaver.receive_sample_block()
    info = b"\x01\x00\x02\xff\xff\xff\xff\x00"
    ten_rows = b"\x02\x00" + info + b"\x01\x0a\x01a\x06UInt32" + bytes(40)
    leaver.connection.socket.sendall(ten_rows + ten_rows[:-1])
    leaver.disconnect()
    time.sleep(0.3)
    assert client.execute("SELECT count() FROM t") == [(0,)]


def raw(server: EmbeddedClickHouse, data: bytes) -> bytes:
    """What the server answers to `data` before it hangs up."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(data)
        said = b""
        while more := connection.recv(65536):
            said += more
    return said


def test_http_is_told_that_it_is_not_served(clickhouse: EmbeddedClickHouse) -> None:
    said = raw(clickhouse, b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
    assert said.startswith(b"HTTP/1.0 400")
    assert b"does not serve HTTP" in said


def test_tls_is_hung_up_with_a_line_in_the_log(clickhouse: EmbeddedClickHouse, connect: Connect) -> None:
    assert raw(clickhouse, b"\x16\x03\x01\x02\x00") == b""
    assert "TLS, which is not served" in clickhouse.log.read_text()
    assert connect().execute("SELECT 1") == [(1,)]


HELLO = b"\x00\x05probe\x01\x01\x9f\xa9\x03\x00\x07default\x00"


def test_compressed_blocks_are_refused_with_the_remedy(clickhouse: EmbeddedClickHouse) -> None:
    query = b"\x01\x00\x00\x00\x02\x01\x08SELECT 1"
    assert b"connect without compression" in raw(clickhouse, HELLO + query)


def test_a_client_too_old_is_told_so(clickhouse: EmbeddedClickHouse) -> None:
    assert b"too old" in raw(clickhouse, b"\x00\x03old\x01\x01\x90\x4e\x00\x07default\x00")


@pytest.mark.parametrize(
    "data", [b"\x63", HELLO + b"\x63", HELLO + b"\x01" + b"\xff" * 20, b"\x00" + b"\xff" * 9 + b"\x01"]
)
def test_nonsense_costs_its_sender_the_connection_and_nobody_else(
    clickhouse: EmbeddedClickHouse, connect: Connect, data: bytes
) -> None:
    raw(clickhouse, data)
    assert connect().execute("SELECT 1") == [(1,)]
