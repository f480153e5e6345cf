"""chDB, ClickHouse's engine in this process: one `Engine` holds the data, one `Session` serves a client.

Queries, blocks and settings go in; `Native` chunks, or ServerErrors with ClickHouse's own codes, come out.
Sessions work side by side: chDB releases the interpreter while it computes.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from functools import lru_cache
from io import FileIO
from pathlib import Path
from typing import Final, NamedTuple

from chdb.session import Session as ChdbSession

from pipeline.embedded.clickhouse.faults import UNKNOWN_SETTING, ServerError
from pipeline.embedded.clickhouse.native import Block, read_block, read_names
from pipeline.embedded.clickhouse.statements import Statement
from pipeline.embedded.clickhouse.wire import Memory, PacketReader

PINNED: Final = {
    # rows are there when the insert returns, and an insert makes a part; newer servers gather inserts first
    "async_insert": "0",
    "wait_for_async_insert": "1",
    # a retry of the same block is dropped only where a table or a token asks for it, in views as in tables
    "deduplicate_insert": "'enable'",
    "insert_deduplicate": "1",
    "deduplicate_blocks_in_dependent_materialized_views": "1",
    # the two cores are shared with the broker and the workers
    "max_insert_threads": "1",
    # a client may send another type than the column's, such as a String for an Enum, as with a server
    "input_format_native_allow_types_conversion": "1",
    # a server takes statements only
    "implicit_select": "0",
}


_MARK: Final = "/* client query "
_INSERT: Final = re.compile(r"\s*INSERT\b", re.IGNORECASE)
_STRUCTURES: Final = 64  # of input(), whose columns a session remembers: to ask is 1 ms
_SPOOL_BYTES: Final = 64 * 1024 * 1024
_NOT_A_STREAM: Final = "Streaming query is not supported"


class Chunk(NamedTuple):
    """A block of a result, and what was read for it since the last one."""

    native: memoryview
    rows: int
    rows_read: int
    bytes_read: int


class Engine:
    """The data in `folder`, open until `close`. Raises ServerError if it can't be opened."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder / "store")
        self._spools = folder / "inserts"
        shutil.rmtree(self._spools, ignore_errors=True)  # what a crash has left
        self._spools.mkdir(parents=True)
        self._keeper = self._open()  # chDB is open as long as a session is
        major, minor, patch, *_ = str(self._keeper.query("SELECT version()", "TSVRaw")).strip().split(".")
        self.version = (int(major), int(minor), int(patch))
        self._marks = itertools.count(1)

    def _open(self) -> ChdbSession:
        try:
            return ChdbSession(self._folder)
        except RuntimeError as error:
            raise ServerError.from_chdb(error) from error

    def session(self, database: str) -> Session:
        spool = Spool(self._spools / f"{next(self._marks)}.native")
        session = Session(self._open(), spool, self._marks)
        try:
            session.set_for_good(PINNED)
            if database:
                session.command(f"USE {_identifier(database)}")
        except ServerError:
            session.close()
            raise
        return session

    def kill(self, mark: int) -> None:
        """Ends the query that carries `mark`, soon; does nothing if there is none."""
        found = f"position(query, concat('{_MARK}', '{mark} */')) > 0"  # without carrying it itself
        self._keeper.query(f"KILL QUERY WHERE {found} ASYNC", "Null")

    def close(self) -> None:
        self._keeper.close()


class Session:
    """One client's settings, database and temporary tables. Not to be used from two threads at once."""

    def __init__(self, chdb: ChdbSession, spool: Spool, marks: Iterator[int]) -> None:
        self._chdb = chdb
        self._spool = spool
        self._marks = marks
        self._applied: dict[str, str] = {}
        self._columns_of_structure = lru_cache(_STRUCTURES)(self.columns)

    def mark(self, text: str) -> tuple[int, str]:
        """A number, and the query with it in a comment, by which it can be killed.

        The comment is behind the query, so that errors name the right positions; before an INSERT, which
        may end in values that are no SQL.
        """
        mark = next(self._marks)
        comment = f"{_MARK}{mark} */"
        return mark, f"{comment} {text}" if _INSERT.match(text) else f"{text}\n{comment}"

    def apply(self, settings: Mapping[str, str], important: frozenset[str]) -> None:
        """Makes `settings` hold for the queries to come, and those of the query before hold no more."""
        if settings == self._applied:
            return
        for name in self._applied.keys() - settings.keys():
            self._set(name, PINNED.get(name, "DEFAULT"))
        self._applied = {}
        for name, value in settings.items():
            try:
                self._set(name, _quoted(value))
            except ServerError as error:
                if error.code != UNKNOWN_SETTING[0] or name in important:
                    raise
            else:
                self._applied[name] = value

    def set_for_good(self, settings: Mapping[str, str]) -> None:
        """`settings` in SQL."""
        for name, value in settings.items():
            self._set(name, value)

    def _set(self, name: str, value: str) -> None:
        if not name.isidentifier():
            raise ServerError(UNKNOWN_SETTING, f"Unknown setting '{name[:100]}'.")
        self.command(f"SET {name} = {value}")

    def rows(self, query: str) -> Iterator[Chunk]:
        """One chunk per block of the result; none if there are no rows. A chunk is valid until the next is asked for."""
        try:
            stream = self._chdb.send_query(query, "Native")
        except RuntimeError as error:
            if _NOT_A_STREAM in str(error):  # WITH … INSERT, for one
                yield from self.command(query)
                return
            raise ServerError.from_chdb(error) from error
        try:
            while (chunk := stream.fetch()) is not None:
                yield Chunk(
                    chunk.get_memview().view(),
                    chunk.rows_read(),
                    chunk.storage_rows_read(),
                    chunk.storage_bytes_read(),
                )
        except RuntimeError as error:
            raise ServerError.from_chdb(error) from error
        finally:
            stream.close()

    def command(self, query: str) -> list[Chunk]:
        """Any statement, run to its end."""
        try:
            raw = bytes(self._chdb.query(query, "Native").bytes())
        except RuntimeError as error:
            raise ServerError.from_chdb(error) from error
        reader, chunks, size = PacketReader(Memory(raw)), [], 0
        while size < len(raw):
            block = read_block(reader)
            chunks.append(Chunk(block.raw, block.rows, 0, 0))
            size += len(block.raw)
        return chunks

    def columns(self, select: str) -> list[tuple[str, str]]:
        """Names and types of a SELECT's columns; it is not run."""
        try:
            said = self._chdb.query(f"DESCRIBE ({select}\n)", "JSONCompactEachRow").bytes()
        except RuntimeError as error:
            raise ServerError.from_chdb(error) from error
        return [(row[0], row[1]) for row in map(json.loads, said.splitlines())]

    def awaited(self, insert: Statement) -> list[tuple[str, str]]:
        """Names and types of the columns that an insert's blocks have to have."""
        # a table may change at any time, a structure is all in the text
        return (self._columns_of_structure if insert.structure else self.columns)(insert.sample)

    def columns_of(self, chunk: Chunk, select: str) -> list[tuple[str, str]]:
        """Names and types of the columns in a chunk, which `select` gave."""
        try:
            return read_names(PacketReader(Memory(chunk.native)))
        except ServerError:  # a type such as AggregateFunction, whose values can't be stepped over
            return self.columns(select)

    def insert(self, statement: Statement) -> Insert:
        """`statement` is an insert."""
        return Insert(self, statement, self._spool)

    def close(self) -> None:
        self._spool.remove()
        self._chdb.close()


class Insert:
    """An INSERT under way: its blocks are gathered in a file, which the engine then takes as one.

    chDB's own stream of blocks was measured to be as fast, but it loses errors that come while writing parts:
    its end then returns as if the rows were there.
    """

    def __init__(self, session: Session, statement: Statement, spool: Spool) -> None:
        self._session = session
        self._statement = _from_file(statement, _quoted(str(spool.path)))
        self._spool = spool
        self._rows = 0

    def add(self, block: Block) -> None:
        self._spool.write(block.raw)
        self._rows += block.rows

    def commit(self) -> int:
        """Returns the number of rows. Raises ServerError as the engine does."""
        self._spool.end()
        if self._rows:
            self._session.command(self._statement)
        return self._rows

    def close(self) -> None:
        """Gives up what was not committed."""
        self._spool.rewind()


class Spool:
    """A session's file for the blocks of one INSERT after another.

    It is written over, not made anew: new files and new pages are a tenth of what an INSERT costs. One that
    has grown large is emptied.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: FileIO | None = None

    def write(self, raw: memoryview) -> None:
        if self._file is None:
            self._file = FileIO(self.path, "xb")
        written = 0
        while written < len(raw):  # the kernel takes 2 GiB at most
            written += self._file.write(raw[written:])

    def end(self) -> None:
        """Nothing of an earlier INSERT is behind what was written."""
        if self._file is not None:
            self._file.truncate()

    def rewind(self) -> None:
        if self._file is not None:
            if self._file.seek(0, os.SEEK_END) > _SPOOL_BYTES:
                self._file.truncate(0)
            self._file.seek(0)

    def remove(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            self.path.unlink()


def _from_file(insert: Statement, file: str) -> str:
    if insert.structure:
        return f"{insert.text}file({file}, 'Native', {insert.structure}){insert.settings}"
    return f"{insert.text} FROM INFILE {file} {insert.settings}\nFORMAT Native"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _identifier(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"
