"""The connection to ClickHouse, over its native protocol.

In: an address, a user, a database. Out: rows of queries, confirmed inserts, and errors that say what to do.
What always holds: an insert that returned is stored; every thread has a connection of its own
(clickhouse-driver's are not for sharing); nothing here blocks for longer than the time-outs below.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clickhouse_driver import Client
from clickhouse_driver.errors import CannotParseUuidError, LogicalError, ServerException, TypeMismatchError
from clickhouse_driver.errors import Error as DriverError

from pipeline.engine.errors import StopWorker
from pipeline.errors import ThroughlineError

if TYPE_CHECKING:
    from pipeline.settings import Settings

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 60.0  # the driver's own 300 s would hold a partition for longer than a consumer group waits

SETTINGS: dict[str, Any] = {
    # the default is 1 since 26.3: an insert would be confirmed before it is stored
    "async_insert": 0,
    # the default is on since 26.2. A retry is harmless without it (ReplacingMergeTree), and a block that is
    # rightly inserted again, such as a bucket that has returned to an earlier content, must not be dropped in
    # silence
    "insert_deduplicate": 0,
    "deduplicate_insert": "disable",
    "deduplicate_insert_select": "disable",
    # rows that replace one another meet at the next merge, and FINAL knows it; to merge each block beforehand as well
    # is two thirds of what an insert costs
    "optimize_on_insert": 0,
    # the default puts a column's default in the place of a NULL that an INSERT … SELECT has for it, in silence
    "insert_null_as_default": 0,
    # a replay's block may span more months than the default of 100
    "max_partitions_per_insert_block": 0,
    # every partition key here is a function of the sorting key, so no two partitions hold versions of one row
    "do_not_merge_across_partitions_select_final": 1,
    # a skip index must not hide the newest version of a row from FINAL
    "use_skip_indexes_if_final": 1,
    "use_skip_indexes_if_final_exact_mode": 1,
}

_AUTHENTICATION = {192, 193, 194, 516}
_UNKNOWN = {60: "table", 81: "database", 16: "column", 47: "column"}
_NOT_ALLOWED = 497
_BAD_DATA = {6, 26, 27, 38, 41, 53, 69, 70, 72, 117, 131, 190, 321, 349, 441, 469, 691}
"""Server errors that are about a row's content: parse, range, type, UTF-8, sizes, NULL, enum, constraint."""
_CODE = re.compile(r"Code: (\d+)")


class WarehouseError(ThroughlineError):
    """Something about ClickHouse that the sentence explains, with the remedy."""


class WarehouseUnreachableError(WarehouseError):
    """No answer; nothing is known about what was sent. Worth another try with the same block."""


class WarehouseRefusedError(WarehouseError):
    """ClickHouse answered with an error; `code` is its number."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class LastingRefusalError(WarehouseRefusedError, StopWorker):
    """A refusal that lasts until somebody does what the message says; so a worker stops instead of trying again."""


class BadDataError(WarehouseError):
    """A row of a block cannot be stored; which one is not known."""

    quotes_values = True


class Warehouse:
    """One database of one ClickHouse, for any number of threads.

    `address` is `host:port` of the native protocol. Raises WarehouseError if it is not, or if there is no
    file `ca`.
    """

    def __init__(
        self,
        address: str,
        database: str,
        *,
        user: str = "default",
        password: str = "",
        secure: bool = False,
        ca: Path | None = None,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        host, separator, port = address.rpartition(":")
        if not (separator and host and port.isdigit()):
            raise WarehouseError(
                f"THROUGHLINE_CLICKHOUSE is {address!r}; write host:port of ClickHouse's native protocol"
            )
        if ca is not None and not ca.is_file():
            raise WarehouseError(
                f"THROUGHLINE_CLICKHOUSE_CA is {ca}, which is no file; name a CA bundle in PEM"
            )
        self.address = address
        self.database = database
        self._user = user
        self._arguments: dict[str, Any] = {
            "host": host.strip("[]"),
            "port": int(port),
            "database": database,
            "user": user,
            "password": password,
            "secure": secure,
            "ca_certs": str(ca) if ca else None,
            "connect_timeout": CONNECT_SECONDS,
            "send_receive_timeout": answer_seconds,
            "sync_request_timeout": CONNECT_SECONDS,
            "client_name": "throughline",
        }
        self._thread = threading.local()

    @classmethod
    def of(cls, settings: Settings, answer_seconds: float = ANSWER_SECONDS) -> Warehouse:
        """The warehouse that the settings name; a request fails when nothing is heard for `answer_seconds`."""
        return cls(
            settings.clickhouse,
            settings.database,
            user=settings.clickhouse_user,
            password=settings.clickhouse_password.get_secret_value(),
            secure=settings.clickhouse_secure,
            ca=settings.clickhouse_ca,
            answer_seconds=answer_seconds,
        )

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """The rows of a query; `%(name)s` in it are the parameters. Also for statements, which have no rows.

        Raises WarehouseUnreachableError, WarehouseRefusedError.
        """
        rows = self._run(lambda: self._client().execute(sql, dict(parameters) if parameters else None))
        return rows if isinstance(rows, list) else []

    def columns(
        self, sql: str, parameters: Mapping[str, Any] | None = None
    ) -> tuple[list[tuple[Any, ...]], list[tuple[str, str]]]:
        """The rows of a query, and each column's (name, type). Raises as `query` does."""
        rows, columns = self._run(
            lambda: self._client().execute(
                sql, dict(parameters) if parameters else None, with_column_types=True
            )
        )
        return rows, columns

    def insert(self, table: str, names: Sequence[str], columns: Sequence[Sequence[Any]]) -> None:
        """Store one block: a sequence of values for each name. Returns and raises as `send` does."""
        self.send(f"INSERT INTO {table} ({', '.join(names)}) VALUES", columns)

    def send(self, sql: str, columns: Sequence[Sequence[Any]]) -> None:
        """Store one block: a sequence of values for each column that an INSERT takes, from `input()` if it has
        that; returns when ClickHouse has confirmed it.

        Instants may be integers in the column's unit. The columns are left as they are, so that the very same
        block can be sent again. Raises WarehouseUnreachableError, WarehouseRefusedError, and BadDataError,
        after which nothing of the block is stored.
        """
        if not columns or not columns[0]:
            return
        # copied because the driver converts in place
        block = [list(column) for column in columns]
        self._run(lambda: self._client().execute(sql, block, columnar=True))

    def create_database(self) -> None:
        """Create the database unless it exists. Raises as `query` does."""
        self._server_command(f"CREATE DATABASE IF NOT EXISTS `{self.database}`")

    def drop_database(self) -> None:
        """Delete the database and everything in it, if it exists. Raises as `query` does."""
        self._server_command(f"DROP DATABASE IF EXISTS `{self.database}` SYNC")

    def has_database(self) -> bool:
        """Whether the database exists. Raises as `query` does."""
        return bool(
            self._server_command("SELECT 1 FROM system.databases WHERE name = %(name)s", name=self.database)
        )

    def databases(self, prefix: str) -> set[str]:
        """Those of the server whose names begin so. Raises as `query` does."""
        sql = "SELECT name FROM system.databases WHERE startsWith(name, %(prefix)s)"
        return {name for (name,) in self._server_command(sql, prefix=prefix)}

    def close(self) -> None:
        """Close the calling thread's connection; the next request opens another."""
        client = getattr(self._thread, "client", None)
        if client is not None:
            client.disconnect()
            del self._thread.client

    def _server_command(self, sql: str, **parameters: str) -> list[tuple[Any, ...]]:
        """Run outside the database, which may not exist."""
        arguments = {**self._arguments, "database": "default"}
        with Client(settings=SETTINGS, **arguments) as client:
            rows = self._run(lambda: client.execute(sql, parameters or None))
        return rows if isinstance(rows, list) else []

    def _client(self) -> Client:
        client = getattr(self._thread, "client", None)
        if client is None:
            client = self._thread.client = Client(settings=SETTINGS, **self._arguments)
        return client

    def _run(self, request: Callable[[], Any]) -> Any:
        try:
            return request()
        except ServerException as error:
            raise self._refused(error) from error
        except (TypeMismatchError, CannotParseUuidError, LogicalError, UnicodeEncodeError) as error:
            raise BadDataError(str(error)) from error
        except (DriverError, EOFError, OSError) as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> WarehouseUnreachableError:
        return WarehouseUnreachableError(
            f"ClickHouse at {self.address} does not answer ({error or type(error).__name__}); start it with "
            f"`throughline up`, or set THROUGHLINE_CLICKHOUSE to where its native protocol listens"
        )

    def _refused(self, error: ServerException) -> WarehouseError:
        found = _CODE.search(error.message or "")
        code = int(found.group(1)) if found else int(error.code or 0)
        said = (error.message or str(error)).split("Stack trace")[0].strip()
        if code in _BAD_DATA:
            return BadDataError(said)
        if code in _AUTHENTICATION:
            said = (
                f"ClickHouse at {self.address} does not accept the user {self._user!r}; "
                f"set THROUGHLINE_CLICKHOUSE_USER and THROUGHLINE_CLICKHOUSE_PASSWORD"
            )
        elif code in _UNKNOWN:
            said = (
                f"ClickHouse at {self.address} lacks a {_UNKNOWN[code]} of the database {self.database!r}; "
                f"create it with `throughline migrate` ({said})"
            )
        elif code == _NOT_ALLOWED:
            said = f"ClickHouse at {self.address} does not allow this to the user {self._user!r}; grant it ({said})"
        else:
            return WarehouseRefusedError(f"ClickHouse at {self.address} refused a request: {said}", code)
        return LastingRefusalError(said, code)
