"""The native protocol's packets: bytes of a socket in, typed packets out, and back.

Revision 54431 is spoken, whatever newer one a client offers: it has settings as strings, and a block, behind
its info, is exactly ClickHouse's `Native` format, so that blocks pass through unread.
A client can't make this module allocate much more than it has sent; the bounds are below.
"""

from __future__ import annotations

import socket
from typing import Final, NamedTuple, Protocol

from clickhouse_driver.bufferedreader import BufferedSocketReader

from pipeline.embedded.clickhouse.faults import ProtocolError, ServerError

REVISION: Final = 54431
MAX_NAME_BYTES: Final = 64 * 1024
MAX_QUERY_BYTES: Final = 64 * 1024 * 1024
MAX_BLOCK_BYTES: Final = 1024 * 1024 * 1024
MAX_SETTINGS: Final = 10_000
_BUFFER_BYTES: Final = 256 * 1024
_NO_INFO: Final = b"\x01\x00\x02\xff\xff\xff\xff\x00"  # a block's info: no overflow row, no bucket

_MORE_FOLLOWS: Final = getattr(socket, "MSG_MORE", 0)

HELLO, QUERY, DATA, CANCEL, PING = range(5)
"""Client packets."""

_DATA, _EXCEPTION, _PROGRESS, _PONG, _END_OF_STREAM, _PROFILE_INFO = range(1, 7)
"""Server packets; the hello is 0."""


class Hello(NamedTuple):
    client: str
    revision: int
    database: str
    user: str


class Query(NamedTuple):
    text: str
    settings: dict[str, str]
    important: frozenset[str]
    """Settings that must be known here, or the query fails."""


class Source(Protocol):
    """A socket, or bytes in memory."""

    def recv_into(self, buffer: bytearray, /) -> int: ...


class Memory:
    """A source of bytes that are all there."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._left = memoryview(data)

    def recv_into(self, buffer: bytearray, /) -> int:
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size


class PacketReader:
    """Reads one client's packets. Raises EOFError when the client has gone, ProtocolError on nonsense."""

    def __init__(self, connection: Source) -> None:
        self._tape = _Tape(connection)
        self.buffer = BufferedSocketReader(self._tape, _BUFFER_BYTES)

    def kind(self) -> int:
        """The next packet's."""
        return self.varint()

    def hello(self) -> Hello:
        client = self.text(MAX_NAME_BYTES)
        self.varint(), self.varint()  # its version
        revision = self.varint()
        database, user = self.text(MAX_NAME_BYTES), self.text(MAX_NAME_BYTES)
        self.text(MAX_NAME_BYTES)  # the password: loopback is the only guard here
        return Hello(client, revision, database, user)

    def query(self) -> tuple[Query, bool]:
        """The query, and whether the client's blocks are compressed."""
        self.text(MAX_NAME_BYTES)  # its id
        self._skip_client_info()
        settings, important = self._settings()
        self.varint()  # stage: clients want the complete one
        compressed = self.varint() != 0
        return Query(self.text(MAX_QUERY_BYTES), settings, important), compressed

    def _skip_client_info(self) -> None:
        if self.byte() == 0:
            return
        for _ in range(3):  # initial user, query id, address
            self.text(MAX_NAME_BYTES)
        self.byte()  # interface
        for _ in range(3):  # system user, host, client
            self.text(MAX_NAME_BYTES)
        for _ in range(3):  # version, revision
            self.varint()
        self.text(MAX_NAME_BYTES)  # quota key
        self.varint()  # patch version

    def _settings(self) -> tuple[dict[str, str], frozenset[str]]:
        settings: dict[str, str] = {}
        important = set()
        while name := self.text(MAX_NAME_BYTES):
            if self.byte() & 1:
                important.add(name)
            settings[name] = self.text(MAX_QUERY_BYTES)
            if len(settings) > MAX_SETTINGS:
                raise ProtocolError(f"more than {MAX_SETTINGS} settings in a query")
        return settings, frozenset(important)

    def skip_block_info(self) -> None:
        """Fields by number, ended by 0: 1 is a byte, 2 an Int32."""
        while field := self.varint():
            if field > 2:
                raise ProtocolError(f"field {field} in a block's info")
            self.skip(1 if field == 1 else 4)

    def varint(self) -> int:
        """Seven bits a byte, the least first; 64 bits at most."""
        value = 0
        for shift in range(0, 70, 7):
            byte = self.buffer.read_one()
            value |= (byte & 127) << shift
            if byte < 128:
                return int(value)
        raise ProtocolError("a number of more than 64 bits")

    def byte(self) -> int:
        return int(self.buffer.read_one())

    def text(self, limit: int) -> str:
        size = self.varint()
        if size > limit:
            raise ProtocolError(f"a text of {size} bytes, where {limit} are allowed")
        try:
            return bytes(self.buffer.read(size)).decode("utf-8")
        except UnicodeDecodeError as error:
            raise ProtocolError(f"a text that is not UTF-8 ({error})") from error

    def unsigned(self) -> int:
        """A little-endian UInt64."""
        return int.from_bytes(self.buffer.read(8), "little")

    def skip(self, size: int) -> None:
        while size > 0:
            self.buffer.read(min(size, _BUFFER_BYTES))
            size -= _BUFFER_BYTES

    def skip_strings(self, count: int) -> None:
        while count > 0:
            self.buffer.read_strings(min(count, 65536))
            count -= 65536

    def start_copy(self) -> None:
        """From here on, what is read is kept too."""
        self._tape.start(self._unread())

    def end_copy(self) -> memoryview:
        """What was read since `start_copy`."""
        return self._tape.end(len(self._unread()))

    def _unread(self) -> memoryview:
        return memoryview(self.buffer.buffer)[self.buffer.position : self.buffer.current_buffer_size]


class _Tape:
    """Stands before the socket and keeps what passes, between `start` and `end`."""

    def __init__(self, connection: Source) -> None:
        self._connection = connection
        self._kept: bytearray | None = None

    def recv_into(self, buffer: bytearray) -> int:
        received = self._connection.recv_into(buffer)
        if self._kept is not None:
            self._kept += memoryview(buffer)[:received]
            if len(self._kept) > MAX_BLOCK_BYTES:
                raise ProtocolError(f"a block of more than {MAX_BLOCK_BYTES} bytes")
        return received

    def start(self, unread: memoryview) -> None:
        self._kept = bytearray(unread)

    def end(self, unread: int) -> memoryview:
        kept, self._kept = self._kept, None
        assert kept is not None
        return memoryview(kept)[: len(kept) - unread]


class PacketWriter:
    """Writes one client's answers."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def hello(self, version: tuple[int, int, int], name: str) -> None:
        major, minor, patch = version
        self._send(
            b"\0", _text("ClickHouse"), _varint(major), _varint(minor), _varint(REVISION),
            _text("UTC"), _text(name), _varint(patch),
        )  # fmt: skip

    def pong(self) -> None:
        self._send(_varint(_PONG))

    def end_of_stream(self) -> None:
        self._send(_varint(_END_OF_STREAM))

    def block(self, native: bytes | memoryview) -> None:
        """One block in `Native` format: any bytes-like object."""
        self._connection.sendall(b"\x01\0" + _NO_INFO, _MORE_FOLLOWS)
        self._connection.sendall(native)

    def header(self, columns: list[tuple[str, str]]) -> None:
        """A block of no rows: names and types."""
        self.block(
            _varint(len(columns)) + b"\0" + b"".join(_text(name) + _text(type_) for name, type_ in columns)
        )

    def progress(self, rows_read: int, bytes_read: int, rows_written: int = 0) -> None:
        """What was done since the last one; total rows and written bytes are not known."""
        self._send(*map(_varint, (_PROGRESS, rows_read, bytes_read, 0, rows_written, 0)))

    def profile(self, rows: int, blocks: int, sent: int) -> None:
        """The whole result: its rows, blocks and bytes. No limit was applied that is known of."""
        self._send(*map(_varint, (_PROFILE_INFO, rows, blocks, sent)), b"\0\0\0")

    def exception(self, error: ServerError) -> None:
        code = error.code.to_bytes(4, "little", signed=True)
        self._send(_varint(_EXCEPTION), code, _text("DB::Exception"), _text(error.message), _text(""), b"\0")

    def raw(self, data: bytes) -> None:
        self._send(data)

    def _send(self, *parts: bytes) -> None:
        self._connection.sendall(b"".join(parts))


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _text(value: str) -> bytes:
    raw = value.encode()
    return _varint(len(raw)) + raw
