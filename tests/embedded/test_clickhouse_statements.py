"""What a query is, by its text."""

from __future__ import annotations

import pytest

from pipeline.embedded.clickhouse.faults import ServerError
from pipeline.embedded.clickhouse.statements import Statement, parse


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("SELECT 1", "SELECT 1"),
        (" ( select 1 ) ", " ( select 1 )"),
        ("WITH 1 AS x SELECT x FORMAT Native;", "WITH 1 AS x SELECT x"),
        ("FROM t SELECT a ;", "FROM t SELECT a"),
        ("-- a remark; with a semicolon\nSELECT ';' ;", "-- a remark; with a semicolon\nSELECT ';'"),
        ("SELECT 'FORMAT CSV'", "SELECT 'FORMAT CSV'"),
        ("SELECT `INTO OUTFILE`", "SELECT `INTO OUTFILE`"),
        ("SELECT $$a; b$$", "SELECT $$a; b$$"),
    ],
)
def test_a_select_streams_less_its_format_and_semicolon(query: str, text: str) -> None:
    assert parse(query) == Statement("rows", text)


@pytest.mark.parametrize(
    ("query", "text", "settings", "sample"),
    [
        ("INSERT INTO t VALUES", "INSERT INTO t", "", "SELECT * FROM t"),
        ("insert into table d.t (a) values ", "insert into table d.t (a)", "", "SELECT a FROM d.t"),
        ("INSERT INTO `(`. c (`)`) FORMAT X", "INSERT INTO `(`. c (`)`)", "", "SELECT `)` FROM `(`. c"),
        ("INSERT INTO t (f(a), b) VALUES", "INSERT INTO t (f(a), b)", "", "SELECT f(a), b FROM t"),
        ("INSERT INTO t SETTINGS x = 1 VALUES", "INSERT INTO t", "SETTINGS x = 1", "SELECT * FROM t"),
        ("/* y */ INSERT INTO t FORMAT Values;", "/* y */ INSERT INTO t", "", "SELECT * FROM t"),
    ],
)  # fmt: skip
def test_an_insert_without_data_waits_for_blocks(query: str, text: str, settings: str, sample: str) -> None:
    assert parse(query) == Statement("insert", text, settings, sample)


def test_an_insert_from_input_waits_for_blocks_of_its_structure() -> None:
    structure = "'b UInt8, c Enum8(\\'x\\' = 1)'"
    query = f"INSERT INTO t (a) SELECT b + 1 FROM Input( {structure} ) WHERE c != 'input(1)' FORMAT Native;"
    assert parse(query) == Statement(
        "insert",
        "INSERT INTO t (a) SELECT b + 1 FROM ",
        " WHERE c != 'input(1)'",
        f"SELECT * FROM null({structure})",
        structure,
    )


@pytest.mark.parametrize(
    "query",
    [
        "INSERT INTO t SELECT 'x' FROM input",
        "INSERT INTO t SELECT ' FROM input(\\'a UInt8\\')'",
        "INSERT INTO t VALUES (1, 'VALUES')",
        "INSERT INTO t SELECT 1",
        "CREATE TABLE t (a UInt8) ENGINE = Memory",
        "SHOW TABLES",
        "EXPLAIN SELECT 1",
        "",
    ],
)
def test_any_other_statement_is_run_as_it_is(query: str) -> None:
    assert parse(query) == Statement("other", query)


@pytest.mark.parametrize(
    ("query", "code", "complaint"),
    [
        ("SELECT 1; SELECT 2", 62, "Multi-statements are not allowed.*position 9"),
        ("DROP TABLE a;DROP TABLE b", 62, "Multi-statements"),
        ("SELECT 1 INTO OUTFILE 'x'", 48, "INTO OUTFILE"),
        ("SELECT a, count() FROM t GROUP BY a WITH TOTALS", 48, "returns no totals"),
        ("INSERT INTO FUNCTION file('x') VALUES", 48, "takes blocks only for INSERT INTO"),
    ],
)
def test_what_is_refused_says_why(query: str, code: int, complaint: str) -> None:
    with pytest.raises(ServerError, match=complaint) as refused:
        parse(query)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("said", "code", "message"),
    [
        ("Code: 60. DB::Exception: No table x. (UNKNOWN_TABLE)", 60, "No table x. (UNKNOWN_TABLE)"),
        ("Streaming query failed: Code: 395. DB::Exception: no (A_B) (version 26.9.2.1)", 395, "no (A_B)"),
        ("Code: 210. DB::NetException: refused. (NETWORK_ERROR)", 210, "refused. (NETWORK_ERROR)"),
        ("something else", 1002, "something else (UNKNOWN_EXCEPTION)"),
    ],
)
def test_the_engine_s_words_become_code_and_message(said: str, code: int, message: str) -> None:
    error = ServerError.from_chdb(RuntimeError(said))
    assert (error.code, error.message) == (code, f"DB::Exception: {message}")
