"""Look-ups between tables: the value of one column by the value of another, in bounded memory.

In: key and value of every row of a table. Out: the value of a key, `ABSENT`, or `AMBIGUOUS` when rows with
the key differ. Always holds: up to `in_memory` keys are in a dict; beyond that all of them are in a
temporary SQLite file, which goes when the look-up is closed; what comes out does not tell which it was.
"""

from __future__ import annotations

import pickle
import sqlite3
import tempfile
from enum import Enum, auto
from pathlib import Path
from typing import Any

_BATCH = 10_000
_EXACT = 2.0**53


class Missing(Enum):
    """Why a key has no value."""

    ABSENT = auto()
    AMBIGUOUS = auto()


ABSENT = Missing.ABSENT
AMBIGUOUS = Missing.AMBIGUOUS


class Index:
    """One look-up. Fill it with `add`, then ask `get`."""

    def __init__(self, in_memory: int) -> None:
        self._in_memory = in_memory
        self._held: dict[str, Any] = {}
        self._disk: _Disk | None = None

    def add(self, key: str, value: Any) -> None:
        if type(value) is float and value.is_integer() and abs(value) < _EXACT:
            value = int(value)  # the same number in one row and the other
        known = self._held.setdefault(key, value)
        if known is not value and known != value:
            self._held[key] = AMBIGUOUS
        if len(self._held) > self._in_memory or (self._disk and len(self._held) >= _BATCH):
            self._disk = self._disk or _Disk()
            self._disk.put(self._held)
            self._held.clear()

    def get(self, key: str) -> Any:
        if self._disk is None:
            return self._held.get(key, ABSENT)
        if self._held:
            self._disk.put(self._held)
            self._held.clear()
        return self._disk.get(key)

    def count(self) -> int:
        """How many keys there are."""
        if self._disk is None:
            return len(self._held)
        self._disk.put(self._held)
        self._held.clear()
        return self._disk.count()

    def close(self) -> None:
        if self._disk:
            self._disk.close()


class _Disk:
    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="throughline-lookup-")
        self._database = sqlite3.connect(Path(self._folder.name) / "index.sqlite", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute("CREATE TABLE pairs (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID")

    def put(self, pairs: dict[str, Any]) -> None:
        rows = ((key, None if value is AMBIGUOUS else pickle.dumps(value)) for key, value in pairs.items())
        self._database.execute("BEGIN")
        self._database.executemany(
            "INSERT INTO pairs VALUES (?, ?) ON CONFLICT (key) DO UPDATE "
            "SET value = CASE WHEN value = excluded.value THEN value END",
            rows,
        )
        self._database.execute("COMMIT")

    def get(self, key: str) -> Any:
        row = self._database.execute("SELECT value FROM pairs WHERE key = ?", (key,)).fetchone()
        if row is None:
            return ABSENT
        return AMBIGUOUS if row[0] is None else pickle.loads(row[0])  # noqa: S301 - the file is our own

    def count(self) -> int:
        [counted] = self._database.execute("SELECT count(*) FROM pairs").fetchone()
        return int(counted)

    def close(self) -> None:
        self._database.close()
        self._folder.cleanup()
