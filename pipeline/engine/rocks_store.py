"""The state of one partition on disk: what a batch changes in memory, what is committed in RocksDB.

In: as `MemoryStore`. Out: the same, answer for answer. What always holds: the database is a prefix of the *committed*
changelog, and it says which: values, the offset reached, the input's position, the counts and the index are one write.
Changes are kept in memory until their transaction has committed, and for a while longer, so that what changes in every
batch is written now and then; a process that dies in between reads them again from the changelog, which changes nothing
that is there already.

Keys of the engine: `\\0m`, see `Kept`, and `\\0i` + order + key, the index.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from heapq import merge
from itertools import islice
from shutil import rmtree
from typing import Final

import msgspec
from mode import get_logger

from pipeline.engine.database import Database, StateMemory, new_batch, typed
from pipeline.engine.store import Reached, require_own_key
from pipeline.ports import DamagedStateError, Index

log = get_logger(__name__)

FORMAT: Final = 1
_KEPT: Final = b"\x00m"
_INDEX: Final = b"\x00i"
_FIRST: Final = b"\x01"
"""No key of a logic is before it."""
_ORDER_BYTES: Final = 8
_CHUNK: Final = 1000
"""Rows read at a time, so that no iterator of RocksDB outlives a call."""
_KEY_BYTES: Final = 150
"""What Python adds to a key and its value."""
_UNWRITTEN_KEYS: Final = 20_000
"""More of them would hold Python's lock for longer than a few hundredths of a second."""
_WRITE_SECONDS: Final = 30.0
"""How old the oldest change may become before everything is flushed: what a killed process has to read again."""


class Kept(msgspec.Struct, array_like=True, frozen=True):
    """What a database says of itself. `topic_id` is the changelog's; `at` is in milliseconds since 1970."""

    format: int
    topic_id: str
    offset: int
    position: bytes | None
    at: int
    keys: int
    size: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Kept).decode


def read_kept(database: Database) -> Kept | None:
    """None in a database that nothing was ever written to. Raises DamagedStateError."""
    (value,) = database.get_many([_KEPT])
    if value is None:
        return None
    try:
        return _decode(value)
    except msgspec.MsgspecError as error:
        raise DamagedStateError(
            f"the state folder {database.folder} is of another version ({error})"
        ) from error


class RocksStore:
    """Bytes by key over an open database, which it closes. `kept` is what the database says of itself."""

    def __init__(
        self, database: Database, memory: StateMemory, topic_id: str, kept: Kept | None, index: Index | None
    ) -> None:
        self._database, self._memory = database, memory
        self._topic_id, self._index = topic_id, index
        self.reached: Reached | None = None
        self._keys = self.size = 0
        if kept is not None:
            self.reached = Reached(kept.offset, kept.position, kept.at)
            self._keys, self.size = kept.keys, kept.size
        self._changes: dict[bytes, bytes | None] = {}
        self._committed: dict[bytes, bytes | None] = {}
        """Committed, but not yet in the database."""
        self._replaced: list[bytes] = []
        """Entries of the database's index that do not hold any more."""
        self._known: dict[bytes, bytes | None] = {}
        """What the batch has seen of the database."""
        self._bytes = 0
        self._unflushed_since: float | None = None
        self._closed = self._damaged = False
        memory.join()

    def __len__(self) -> int:
        return self._keys

    def get(self, key: bytes) -> bytes | None:
        if key in self._changes:
            return self._changes[key]
        if key in self._committed:
            return self._committed[key]
        if key in self._known:
            return self._known[key]
        try:
            value: bytes | None = self._database.get(key)
        except Exception as error:
            raise typed(error, self._database.folder) from error
        self._known[key] = value
        return value

    def put(self, key: bytes, value: bytes) -> None:
        """Raises ValueError for an empty or a reserved key."""
        require_own_key(key)
        self._changes[key] = value

    def delete(self, key: bytes) -> None:
        if self.get(key) is not None:
            self._changes[key] = None

    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        newer = {
            key: value
            for layer in (self._committed, self._changes)
            for key, value in layer.items()
            if key > after and key.startswith(prefix)
        }
        start = max(prefix, after + b"\x00" if after else b"", _FIRST)
        stored = (row for row in self._rows(start, prefix) if row[0] not in newer)
        return merge(stored, sorted((key, value) for key, value in newer.items() if value is not None))

    def earliest(self, after: tuple[bytes, bytes] | None, count: int) -> list[tuple[bytes, bytes]]:
        index = self._index
        if index is None:
            return []
        newer = self._committed | self._changes
        ordered = [
            (order, key)
            for key, value in newer.items()
            if value is not None and (order := index(key, value)) is not None
        ]
        fresh = sorted(entry for entry in ordered if after is None or entry > after)
        start = _INDEX if after is None else b"".join([_INDEX, *after, b"\x00"])
        stored = (entry for entry in self._entries(start) if entry[1] not in newer)
        return list(islice(merge(stored, fresh), count))

    def restore(self, key: bytes, value: bytes | None) -> None:
        self._changes[key] = value

    @property
    def changed(self) -> bool:
        return bool(self._changes)

    def changes(self) -> Iterable[tuple[bytes, bytes | None]]:
        return self._changes.items()

    def committed(self, reached: Reached) -> None:
        """Raises DamagedStateError or StateUnusableError; the unit is then of no use."""
        self._take_in(self._changes)
        self._changes, self.reached = {}, reached
        if len(self._committed) > _UNWRITTEN_KEYS or self._bytes > self._memory.unwritten:
            self._write()
        self._known = {}
        if self._unflushed_since is None:
            self._unflushed_since = time.monotonic()
        self.rest()

    def rest(self) -> None:
        if (
            self._unflushed_since is not None
            and time.monotonic() - self._unflushed_since > _WRITE_SECONDS
            and not self._changes
        ):
            self._write()
            self._known = {}
            self._database.flush(wait=False)
            self._unflushed_since = None

    def distrust(self) -> None:
        self._damaged = True

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._memory.leave()
        folder = self._database.folder
        try:
            if not self._damaged and self._unflushed_since is not None:
                self._write()
                self._database.flush(wait=True)
        except Exception as error:
            self._damaged |= isinstance(error, DamagedStateError)
            log.warning("the state could not be written (%s); it is read from the changelog again", error)
        with suppress(Exception):
            self._database.close()
        if self._damaged:
            rmtree(folder, ignore_errors=True)

    def _take_in(self, changes: dict[bytes, bytes | None]) -> None:
        """Count what changes, and note which index entries it replaces."""
        committed, known, index = self._committed, self._known, self._index
        unknown = [key for key in changes if key not in committed and key not in known]
        if unknown:
            known.update(zip(unknown, self._database.get_many(unknown), strict=True))
        keys = size = extra = 0
        for key, value in changes.items():
            if key in committed:
                old = committed[key]
                extra -= len(old or b"")
            else:
                old = known[key]
                extra += len(key) + _KEY_BYTES
                if index is not None and old is not None and (order := index(key, old)) is not None:
                    self._replaced.append(order + key)
            if old is not None:
                keys -= 1
                size -= len(key) + len(old)
            if value is not None:
                keys += 1
                size += len(key) + len(value)
                extra += len(value)
            committed[key] = value
        self._keys += keys
        self.size += size
        self._bytes += extra

    def _write(self) -> None:
        """Everything committed, and how far that is, in one batch."""
        if self.reached is None:
            return
        batch, index = new_batch(), self._index
        put, delete = batch.put, batch.delete
        for entry in self._replaced:
            delete(_INDEX + entry)
        for key, value in self._committed.items():
            if value is None:
                delete(key)
            else:
                put(key, value)
                if index is not None and (order := index(key, value)) is not None:
                    put(b"".join([_INDEX, order, key]), b"")
        put(_KEPT, _encode(Kept(FORMAT, self._topic_id, *self.reached, self._keys, self.size)))
        self._database.write(batch)
        if self._memory.is_short:
            self._database.flush(wait=True)
        self._committed, self._replaced, self._bytes = {}, [], 0

    def _rows(self, start: bytes, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        while True:
            rows = self._database.read(start, _CHUNK)
            for row in rows:
                if not row[0].startswith(prefix):
                    return
                yield row
            if len(rows) < _CHUNK:
                return
            start = rows[-1][0] + b"\x00"

    def _entries(self, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        behind = len(_INDEX) + _ORDER_BYTES
        for row, _ in self._rows(start, _INDEX):
            yield row[len(_INDEX) : behind], row[behind:]
