"""Migrations: applied once, never changed, never destroying by accident."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.migrate import FILES, MigrationError, migrate, read_migrations, split


def folder(path: Path, **files: str) -> Path:
    """Migrations `_0001_name='SQL'` as files."""
    for name, sql in files.items():
        (path / f"{name.removeprefix('_')}.sql").write_text(sql, encoding="utf-8")
    return path


UNTOUCHED = Warehouse("127.0.0.1:1", "never_reached")
TABLE = "CREATE TABLE IF NOT EXISTS a (x UInt8) ENGINE = MergeTree ORDER BY x;"


@pytest.mark.services
def test_all_of_ours_apply_to_an_empty_server_and_a_second_run_does_nothing(
    empty_warehouse: Warehouse,
) -> None:
    applied = migrate(empty_warehouse)

    assert applied == [migration.name for migration in read_migrations(FILES)]
    assert migrate(empty_warehouse) == []


@pytest.mark.services
@pytest.mark.parametrize(
    ("view", "table", "left_out"),
    [
        ("promise_ledger", "promises", set()),
        ("links", "identity_links", set()),
        ("living_persons", "persons", set()),
        ("touchpoints_resolved", "touchpoints", {"moved_to", "moved_version"}),
    ],
)
def test_a_view_has_every_column_of_its_table_those_added_later_too(
    warehouse: Warehouse, view: str, table: str, left_out: set[str]
) -> None:
    names = {
        name: {column for column, *_ in warehouse.query(f"DESCRIBE TABLE {name}")} for name in (view, table)
    }

    assert names[table] - left_out <= names[view]


@pytest.mark.services
def test_what_is_new_is_applied_and_what_was_applied_is_not_repeated(
    empty_warehouse: Warehouse, tmp_path: Path
) -> None:
    migrate(empty_warehouse, folder(tmp_path, _0001_a=TABLE))
    empty_warehouse.insert("a", ["x"], [[7]])

    files = folder(tmp_path, _0002_b="ALTER TABLE a ADD COLUMN IF NOT EXISTS y UInt8 DEFAULT 3;")

    assert migrate(empty_warehouse, files) == ["0002_b.sql"]
    assert empty_warehouse.query("SELECT x, y FROM a") == [(7, 3)]


@pytest.mark.services
def test_a_file_changed_after_it_was_applied_is_refused(empty_warehouse: Warehouse, tmp_path: Path) -> None:
    migrate(empty_warehouse, folder(tmp_path, _0001_a=TABLE))

    with pytest.raises(MigrationError, match=r"0001_a\.sql was changed after it was applied .* restore it"):
        migrate(empty_warehouse, folder(tmp_path, _0001_a=TABLE.replace("UInt8", "UInt16")))


@pytest.mark.services
def test_a_database_made_by_a_newer_version_is_refused(empty_warehouse: Warehouse, tmp_path: Path) -> None:
    migrate(empty_warehouse, folder(tmp_path, _0001_a=TABLE, _0002_b=TABLE))
    (tmp_path / "0002_b.sql").unlink()

    with pytest.raises(MigrationError, match=r"was made with 0002_b\.sql, which is not here"):
        migrate(empty_warehouse, tmp_path)


@pytest.mark.services
def test_a_migration_that_was_interrupted_is_taken_up_again(
    empty_warehouse: Warehouse, tmp_path: Path
) -> None:
    broken = folder(tmp_path, _0001_a=TABLE + "SELECT * FROM not_there;")
    with pytest.raises(Exception, match="not_there"):
        migrate(empty_warehouse, broken)

    assert migrate(empty_warehouse, folder(tmp_path, _0001_a=TABLE)) == ["0001_a.sql"]


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE a",
        "drop view a",
        "TRUNCATE TABLE a",
        "DELETE FROM a WHERE 1",
        "RENAME TABLE a TO b",
        "EXCHANGE TABLES a AND b",
        "DETACH TABLE a",
        "CREATE OR REPLACE TABLE a (x UInt8) ENGINE = MergeTree ORDER BY x",
        "ALTER TABLE a DROP COLUMN x",
        "ALTER TABLE a\n  MODIFY COLUMN x UInt16",
        "ALTER TABLE a DELETE WHERE x = 1",
        "ALTER TABLE a /* why */ UPDATE x = 1 WHERE 1",
        "OPTIMIZE TABLE a FINAL CLEANUP",
    ],
)
def test_a_statement_that_can_destroy_data_is_refused_before_anything_runs(
    statement: str, tmp_path: Path
) -> None:
    files = folder(tmp_path, _0001_a=TABLE, _0002_b=statement)

    with pytest.raises(MigrationError, match=r"0002_b\.sql: .* can destroy data; .*-- dangerous: <reason>"):
        migrate(UNTOUCHED, files)


@pytest.mark.services
def test_a_statement_that_is_marked_as_dangerous_runs(empty_warehouse: Warehouse, tmp_path: Path) -> None:
    files = folder(
        tmp_path, _0001_a=TABLE, _0002_b="-- dangerous: nobody has data in it yet\nDROP TABLE IF EXISTS a;"
    )

    migrate(empty_warehouse, files)

    assert empty_warehouse.query("EXISTS TABLE a") == [(0,)]


def test_a_mark_counts_for_its_own_statement_alone(tmp_path: Path) -> None:
    files = folder(tmp_path, _0001_a="-- dangerous: meant\nDROP TABLE a; DROP TABLE b;")

    with pytest.raises(MigrationError, match="'DROP TABLE b' can destroy data"):
        migrate(UNTOUCHED, files)


def test_destructive_words_in_quotes_and_comments_are_no_danger(tmp_path: Path) -> None:
    files = folder(tmp_path, _0001_a=TABLE[:-1] + " COMMENT 'ALTER it; DROP it' -- TRUNCATE later\n;")

    with pytest.raises(Exception, match="does not answer"):  # it got as far as the server
        migrate(UNTOUCHED, files)


def test_a_statement_that_could_not_be_repeated_is_refused(tmp_path: Path) -> None:
    files = folder(tmp_path, _0001_a="CREATE TABLE a (x UInt8) ENGINE = MergeTree ORDER BY x")

    with pytest.raises(MigrationError, match=r"0001_a\.sql: .* can't be run twice.*IF NOT EXISTS"):
        migrate(UNTOUCHED, files)


def test_a_gap_a_double_and_a_bad_name_are_refused(tmp_path: Path) -> None:
    gap, double, name = (tmp_path / kind for kind in ("gap", "double", "name"))
    for path in (gap, double, name):
        path.mkdir()

    with pytest.raises(MigrationError, match=r"0003_b\.sql: its number should be 0002"):
        read_migrations(folder(gap, _0001_a=TABLE, _0003_b=TABLE))
    with pytest.raises(MigrationError, match=r"0001_b\.sql: its number should be 0002"):
        read_migrations(folder(double, _0001_a=TABLE, _0001_b=TABLE))
    with pytest.raises(MigrationError, match=r"1_a\.sql: name a migration like"):
        read_migrations(folder(name, _1_a=TABLE))


def test_semicolons_in_quotes_and_comments_end_no_statement() -> None:
    script = "-- first; one\nSELECT ';', \"a;b\", `c;d`, 'it''s \\';' /* not ; here */ , 4 - 3 / 1;\nSELECT 2"

    statements = [statement for statement, _ in split(script)]

    assert statements == ["SELECT ';', \"a;b\", `c;d`, 'it''s \\';'   , 4 - 3 / 1", "SELECT 2"]


def test_an_open_quote_is_refused_with_its_line(tmp_path: Path) -> None:
    files = folder(tmp_path, _0001_a="SELECT 1;\nSELECT 'never closed;\n")

    with pytest.raises(MigrationError, match=r"0001_a\.sql, line 2: ' is opened and never closed"):
        migrate(UNTOUCHED, files)


@pytest.mark.services
def test_touchpoints_are_merged_column_by_column_before_clickhouse_would_by_default(
    warehouse: Warehouse,
) -> None:
    ((made,),) = warehouse.query(
        "SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = 'touchpoints'"
    )
    assert "vertical_merge_algorithm_min_rows_to_activate = 10000" in made
