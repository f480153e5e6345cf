"""RocksDB: one folder of bytes in the order of their keys, within a memory that all folders of a worker share.

In: batches of puts and deletes. Out: values, and ranges of them. What always holds: a batch is seen whole or not at
all, and after a crash of the process or the machine the database is what it was after some batch, with all before it and
none behind it. For that it needs no log of its own (the changelog is one): a batch goes to one memtable, memtables are
written in their order, as whole files, synced and checksummed. Every error is typed: damage is told from a disk that is
full and from a folder that somebody else has open.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

from rocksdict import (
    BlockBasedOptions,
    Cache,
    DBCompressionType,
    Options,
    Rdict,
    WriteBatch,
    WriteBufferManager,
    WriteOptions,
)

from pipeline.engine.errors import EngineError
from pipeline.ports import DamagedStateError

_MIB: Final = 1024 * 1024
_BLOCK_BYTES: Final = 8 * 1024
"""A cold person costs one block to read and unpack; smaller ones need more memory for their index."""
_MEMTABLE_BYTES: Final = 16 * _MIB
_NEVER_SLOWED: Final = 1_000_000
"""Files that wait to be merged; see `StateMemory.is_short` for why no write waits for that."""
_OUTSIDE: Final = (
    "No space left",
    "Disk quota",
    "Permission denied",
    "Read-only file system",
    "Too many open files",
)


class StateUnusableError(EngineError):
    """The state folder can't be read or written, although what is in it may be right."""


class StateBusyError(EngineError):
    """Another process has the state folder open."""


class StateMemory:
    """What the databases of one worker may take, in bytes.

    Half is cache, with index and filter blocks in it; memtables, up to a quarter, are charged to it. A quarter is for what
    is committed and not yet written, see `RocksStore`, shared out evenly. The rest is for memtables on their way to disk.
    """

    def __init__(self, size: int) -> None:
        self.cache = Cache(size // 2)
        self.write_buffers = WriteBufferManager.new_write_buffer_manager_with_cache(
            size // 4, False, self.cache
        )
        self._unwritten = self._memtables = size // 4
        self._stores = 0

    def join(self) -> None:
        self._stores += 1

    def leave(self) -> None:
        self._stores -= 1

    @property
    def is_short(self) -> bool:
        """Whether more is written than reaches the disk: a store then has to wait for its own.

        RocksDB would make writes wait by itself, but these hold Python's lock, so that the worker would miss its
        heartbeats; a flush gives it free.
        """
        return self.write_buffers.get_usage() > self._memtables

    @property
    def unwritten(self) -> int:
        """Bytes that one store may hold back."""
        return self._unwritten // max(1, self._stores)


def new_batch() -> WriteBatch:
    """Takes `put(key, value)` and `delete(key)`; of two about one key the later one counts."""
    return WriteBatch(raw_mode=True)


class Database:
    """An open folder. Calls come from one thread at a time."""

    def __init__(self, folder: Path, memory: StateMemory) -> None:
        """Opens it, or makes it. Raises DamagedStateError, StateUnusableError or StateBusyError."""
        self.folder = folder
        self._unlogged = WriteOptions()
        self._unlogged.disable_wal = True  # type: ignore[method-assign, assignment] # the stubs have it as a method
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unusable(folder, str(error)) from error
        with self._typed():
            self._rocks = Rdict(str(folder), _options(memory))
        self.get = self._rocks.get

    def read(self, start: bytes, count: int) -> list[tuple[bytes, bytes]]:
        """Up to `count` keys with their values, from `start` on."""
        with self._typed():
            rows, taken = self._rocks.iter(), list[tuple[bytes, bytes]]()
            rows.seek(start)
            while len(taken) < count and rows.valid():
                taken.append((rows.key(), rows.value()))
                rows.next()
            rows.status()  # a damaged block ends the iteration like the last one does
            return taken

    def get_many(self, keys: list[bytes]) -> list[bytes | None]:
        with self._typed():
            return cast("list[bytes | None]", self._rocks.get(cast("Any", keys)))

    def write(self, batch: WriteBatch) -> None:
        with self._typed():
            self._rocks.write(batch, self._unlogged)

    def flush(self, wait: bool) -> None:
        """Write to disk what has been written."""
        with self._typed():
            self._rocks.flush(wait)

    def close(self) -> None:
        with self._typed():
            self._rocks.close()

    @contextmanager
    def _typed(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # rocksdict has no types of its own
            raise typed(error, self.folder) from error


def typed(error: Exception, folder: Path) -> Exception:
    """What RocksDB says, as one of our errors. What is not known to come from outside is damage."""
    said = str(error)
    if "lock" in said and "/LOCK:" in said:
        return StateBusyError(
            f"the state folder {folder} is in use by another process; stop the other worker with this index, or "
            "give each its own THROUGHLINE_HOME"
        )
    if any(outside in said for outside in _OUTSIDE):
        return _unusable(folder, said)
    return DamagedStateError(f"the state folder {folder} is damaged ({said})")


def _unusable(folder: Path, said: str) -> StateUnusableError:
    return StateUnusableError(
        f"the state folder {folder} can't be used ({said}); make room and see to its permissions, or set "
        "THROUGHLINE_HOME to another disk"
    )


def _options(memory: StateMemory) -> Options:
    table = BlockBasedOptions()
    table.set_block_cache(memory.cache)
    table.set_cache_index_and_filter_blocks(True)
    table.set_pin_l0_filter_and_index_blocks_in_cache(True)
    table.set_block_size(_BLOCK_BYTES)
    table.set_bloom_filter(10, False)
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_block_based_table_factory(table)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_write_buffer_manager(memory.write_buffers)
    options.set_write_buffer_size(_MEMTABLE_BYTES)
    options.set_max_write_buffer_number(6)
    options.set_max_background_jobs(2)
    options.set_max_open_files(64)
    options.set_level_zero_slowdown_writes_trigger(_NEVER_SLOWED)
    options.set_level_zero_stop_writes_trigger(_NEVER_SLOWED)
    options.set_soft_pending_compaction_bytes_limit(0)
    options.set_hard_pending_compaction_bytes_limit(0)
    options.set_keep_log_file_num(2)
    options.set_max_log_file_size(_MIB)
    options.set_stats_dump_period_sec(0)
    options.set_stats_persist_period_sec(0)
    return options
