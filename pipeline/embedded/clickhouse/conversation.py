"""One client's conversation, from hello to goodbye: a packet in, the answer out, until the client leaves.

An error of a query is told to the client and the conversation goes on. Bytes that are no packet end it, with
a line in the log; the server and its other clients are not touched.
"""

from __future__ import annotations

import contextlib
import logging
import socket
from typing import Final

from pipeline.embedded.clickhouse import wire
from pipeline.embedded.clickhouse.engine import Engine, Session
from pipeline.embedded.clickhouse.faults import (
    NOT_IMPLEMENTED,
    QUERY_WAS_CANCELLED,
    ProtocolError,
    ServerError,
)
from pipeline.embedded.clickhouse.native import Block, column_of, read_block
from pipeline.embedded.clickhouse.statements import Statement, parse
from pipeline.embedded.clickhouse.watch import Watcher

log: Final = logging.getLogger(__name__)
_HTTP: Final = frozenset(b"GPDOHC")  # first letters of its methods
_TLS: Final = 0x16
_HTTP_ANSWER: Final = (
    b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
    b"This port speaks ClickHouse's native TCP protocol; the embedded ClickHouse does not serve HTTP.\r\n"
)


class Conversation:
    """`run` returns when the client has left, or was sent away. The caller closes the socket."""

    def __init__(self, connection: socket.socket, name: str, engine: Engine, watcher: Watcher) -> None:
        self._connection = connection
        self._name = name
        self._engine = engine
        self._watcher = watcher
        self._in = wire.PacketReader(connection)
        self._out = wire.PacketWriter(connection)
        self.busy = False

    def run(self) -> None:
        try:
            session = self._greet()
            if session:
                self._serve(session)
        except EOFError:
            pass
        except (ProtocolError, MemoryError) as error:
            log.warning(
                "%s sent what is not ClickHouse's native protocol and was disconnected: %s", self._name, error
            )
        except OSError as error:
            log.info("%s was lost: %s", self._name, error)

    def _greet(self) -> Session | None:
        kind = self._in.kind()
        if kind in _HTTP:
            self._out.raw(_HTTP_ANSWER)
            raise ProtocolError("HTTP, which is not served")
        if kind == _TLS:
            raise ProtocolError("TLS, which is not served; unset THROUGHLINE_CLICKHOUSE_SECURE")
        if kind != wire.HELLO:
            raise ProtocolError(f"packet {kind} before a hello")
        hello = self._in.hello()
        try:
            if hello.revision < wire.REVISION:
                raise ServerError(NOT_IMPLEMENTED, f"Clients of revision {hello.revision} are too old.")
            session = self._engine.session(hello.database)
        except ServerError as error:
            self._out.exception(error)
            return None
        self._out.hello(self._engine.version, "Throughline's embedded ClickHouse")
        log.debug("%s is %s as %s", self._name, hello.client, hello.user)
        return session

    def _serve(self, session: Session) -> None:
        try:
            while True:
                kind = self._in.kind()
                if kind == wire.PING:
                    self._out.pong()
                elif kind == wire.QUERY:
                    self.busy = True
                    self._answer(session)
                    self.busy = False
                elif kind != wire.CANCEL:  # a late one: its query has ended
                    raise ProtocolError(f"packet {kind} where a query is due")
        finally:
            session.close()

    def _answer(self, session: Session) -> None:
        query, compressed = self._in.query()
        if compressed:
            self._out.exception(
                ServerError(
                    NOT_IMPLEMENTED,
                    "The embedded ClickHouse takes no compressed blocks: connect without compression.",
                )
            )
            raise ProtocolError("compressed blocks, which are not taken")
        external_tables = self._skip_external_tables()
        try:
            if external_tables:
                raise ServerError(
                    NOT_IMPLEMENTED,
                    "The embedded ClickHouse takes no external tables: use a temporary table.",
                )
            session.apply(query.settings, query.important)
            statement = parse(query.text)
            if statement.kind == "insert":
                self._insert(session, statement)
            else:
                self._run(session, statement)
        except ServerError as error:
            self._out.exception(error)

    def _skip_external_tables(self) -> int:
        count = 0
        while self._next_block():
            count += 1
        return count

    def _next_block(self) -> Block | None:
        """The next block of the client; None at the end of its data."""
        if (kind := self._in.kind()) != wire.DATA:
            raise ProtocolError(f"packet {kind} where a block is due")
        self._in.text(wire.MAX_NAME_BYTES)
        self._in.skip_block_info()
        block = read_block(self._in)
        return block if block.rows or block.columns else None

    def _insert(self, session: Session, statement: Statement) -> None:
        columns = session.awaited(statement)
        for _, type_ in columns:
            column_of(type_)
        with contextlib.closing(session.insert(statement)) as insert:
            self._out.header(columns)
            while block := self._next_block():
                insert.add(block)
            rows = insert.commit()
        self._out.progress(0, 0, rows)
        self._out.end_of_stream()

    def _run(self, session: Session, statement: Statement) -> None:
        mark, text = session.mark(statement.text)
        interrupted = False

        def interrupt() -> None:
            nonlocal interrupted
            interrupted = True
            self._engine.kill(mark)

        try:
            with self._watcher.over(self._connection, interrupt):
                self._send_result(session, statement, text)
        except ServerError as error:
            if not interrupted or error.code != QUERY_WAS_CANCELLED[0]:
                raise
            self._out.end_of_stream()

    def _send_result(self, session: Session, statement: Statement, text: str) -> None:
        rows = blocks = sent = 0
        header = None
        for chunk in session.rows(text) if statement.kind == "rows" else session.command(text):
            if not header:
                header = session.columns_of(chunk, statement.text)
                self._out.header(header)
            self._out.progress(chunk.rows_read, chunk.bytes_read)
            self._out.block(chunk.native)
            rows, blocks, sent = rows + chunk.rows, blocks + 1, sent + len(chunk.native)
        if statement.kind == "rows" and not header:
            self._out.header(session.columns(statement.text))
        self._out.profile(rows, blocks, sent)
        self._out.end_of_stream()
