"""Migrations: numbered SQL files, each applied once to a database, in order.

In: files `0001_name.sql`, … and a warehouse. Out: the database at the newest version, and the table
`schema_migrations` that says which file made it so. What always holds: a file that was applied is the file
that is there (a changed or missing one is refused); nothing that destroys data runs unless the file says that
it is meant; a migration that was interrupted half-way can be run again, because each of its statements may be
repeated.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from pipeline.errors import ThroughlineError
from pipeline.warehouse.client import Warehouse

FILES: Traversable = resources.files("pipeline.warehouse.migrations")
DANGEROUS = "-- dangerous:"
"""A comment before a statement that destroys or rewrites data; the reason follows on the line."""

_NAME = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")
_TOKENS = re.compile(
    r"""(?P<quoted>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`)"""
    r"""|(?P<comment>--[^\n]*|/\*.*?\*/)|(?P<end>;)|(?P<open>['"`]|/\*)|(?P<text>[^'"`;/-]+|.)""",
    re.DOTALL,
)
_DESTROYS = re.compile(
    r"^(DROP|TRUNCATE|DELETE|UPDATE|RENAME|EXCHANGE|DETACH|REPLACE|CREATE OR REPLACE|OPTIMIZE|SYSTEM)\b"
    r"|^ALTER\b.*\b(DROP|CLEAR|DELETE|UPDATE|MODIFY|RENAME|MOVE|REPLACE|DETACH|RESET|APPLY|MATERIALIZE)\b",
    re.DOTALL,
)
_ADDS = re.compile(r"^(CREATE|ALTER\b.*\bADD)\b", re.DOTALL)
_LOG = """
CREATE TABLE IF NOT EXISTS schema_migrations
(
    number UInt32,
    name String,
    checksum String,
    applied_at DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree
ORDER BY number"""


class MigrationError(ThroughlineError):
    """The files and the database do not fit together, or a file is not safe to apply."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its number, its name, and the SQL in it."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrate(warehouse: Warehouse, files: Traversable = FILES) -> list[str]:
    """Bring the warehouse's database, which is created if need be, to the newest version.

    Returns the names of the files that were applied now. Raises MigrationError, before anything is changed,
    when a file is not what was applied or not safe; WarehouseError when ClickHouse does not do its part.
    """
    migrations = read_migrations(files)
    statements = {migration.number: _checked(migration) for migration in migrations}
    warehouse.create_database()
    warehouse.query(_LOG)
    pending = _pending(warehouse, migrations)
    for migration in pending:
        for statement in statements[migration.number]:
            warehouse.query(statement)
        row = ([migration.number], [migration.name], [migration.checksum])
        warehouse.insert("schema_migrations", ("number", "name", "checksum"), row)
    return [migration.name for migration in pending]


def read_migrations(files: Traversable) -> list[Migration]:
    """The migrations of a folder in order. Raises MigrationError for a bad name, a gap or a number used
    twice.
    """
    found: list[Migration] = []
    for file in sorted(files.iterdir(), key=lambda file: file.name):
        if not file.name.endswith(".sql"):
            continue
        match = _NAME.match(file.name)
        if match is None:
            raise MigrationError(f"{file.name}: name a migration like 0007_what_it_does.sql")
        found.append(Migration(int(match[1]), file.name, file.read_text(encoding="utf-8")))
    for expected, migration in enumerate(found, start=1):
        if migration.number != expected:
            raise MigrationError(
                f"{migration.name}: its number should be {expected:04}; there are no gaps and no doubles"
            )
    return found


def split(sql: str) -> Iterator[tuple[str, str]]:
    """Each statement of a script, with the comments that stand before and inside it: (statement, comments).

    A semicolon inside quotes or a comment ends nothing. Raises MigrationError for a quote or comment left
    open.
    """
    words: list[str] = []
    comments: list[str] = []
    for token in _TOKENS.finditer(sql):
        if token.lastgroup == "open":
            line = sql.count("\n", 0, token.start()) + 1
            raise MigrationError(f"line {line}: {token[0]} is opened and never closed")
        if token.lastgroup == "comment":
            comments.append(token[0])
            words.append(" ")
        elif token.lastgroup == "end":
            yield "".join(words).strip(), "\n".join(comments)
            words, comments = [], []
        else:
            words.append(token[0])
    yield "".join(words).strip(), "\n".join(comments)


def _checked(migration: Migration) -> list[str]:
    """The statements of a migration. Raises MigrationError for one that destroys unmarked, or can't be
    repeated.
    """
    statements = []
    try:
        parts = [(statement, comments) for statement, comments in split(migration.sql) if statement]
    except MigrationError as error:
        raise MigrationError(f"{migration.name}, {error}") from None
    for statement, comments in parts:
        bare = _bare(statement)
        if _DESTROYS.search(bare) and DANGEROUS not in comments:
            raise MigrationError(
                f"{migration.name}: {_start(statement)!r} can destroy data; if it is meant, "
                f"write a line `{DANGEROUS} <reason>` above it"
            )
        if _ADDS.search(bare) and "IF NOT EXISTS" not in bare and "OR REPLACE" not in bare:
            raise MigrationError(
                f"{migration.name}: {_start(statement)!r} can't be run twice, as after an "
                f"interruption; add IF NOT EXISTS"
            )
        statements.append(statement)
    return statements


def _bare(statement: str) -> str:
    """In capitals, single-spaced, without what stands in quotes, so that a comment's text is no keyword."""
    kept = [" " if token.lastgroup == "quoted" else token[0] for token in _TOKENS.finditer(statement)]
    return " ".join("".join(kept).upper().split())


def _start(statement: str) -> str:
    return " ".join(statement.split()[:6])


def _pending(warehouse: Warehouse, migrations: Iterable[Migration]) -> list[Migration]:
    by_number = {migration.number: migration for migration in migrations}
    applied = warehouse.query("SELECT number, name, checksum FROM schema_migrations FINAL ORDER BY number")
    for number, name, checksum in applied:
        migration = by_number.pop(number, None)
        if migration is None:
            raise MigrationError(
                f"the database {warehouse.database!r} was made with {name}, which is not here; "
                f"use the version of Throughline that made it, or a newer one"
            )
        if migration.checksum != checksum:
            raise MigrationError(
                f"{migration.name} was changed after it was applied to {warehouse.database!r}; "
                f"restore it and put the change into a new file"
            )
    return [by_number[number] for number in sorted(by_number)]
