"""Which state a partition opens with: the database that its worker left, or a new one that the changelog fills.

In: the folder of a stage's partition and what the broker says of its changelog. Out: an open store, with what it may be
trusted with. What always holds: a database is used only if what it lacks is still in the changelog; anything else is said,
removed and rebuilt, and is never a reason to stop.

Folders belong to one worker. A partition that moves is recovered by its new worker from the changelog, or from the folder
that it left there last time; workers never share one, so that one which is frozen holds up nobody.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Final

from mode import get_logger

from pipeline.engine.database import Database, StateBusyError, StateMemory
from pipeline.engine.logs import Bounds
from pipeline.engine.rocks_store import FORMAT, Kept, RocksStore, read_kept
from pipeline.ports import DamagedStateError, Index

log = get_logger(__name__)

_BUSY_SECONDS: Final = 10.0
"""A worker that was started anew waits so long for the end of the one before it."""
_HOUR: Final = 3_600_000
"""In milliseconds."""


@dataclass(frozen=True)
class Source:
    """The changelog partition that a state is rebuilt from. `retention`: milliseconds for which it keeps deletions."""

    topic: str
    partition: int
    topic_id: str
    bounds: Bounds
    retention: int


def why_not(kept: Kept, source: Source, now: int) -> str | None:
    """Why a database can't be brought up to date from its changelog; None if it can. `now` in milliseconds."""
    if kept.format != FORMAT:
        return f"it has format {kept.format}, this version writes {FORMAT}"
    if kept.topic_id != source.topic_id:
        return "it belongs to a topic that was deleted or made anew"
    start, end = source.bounds
    if not start <= kept.offset <= end:
        return f"its offset {kept.offset} is outside of the changelog [{start}, {end}]"
    age = now - kept.at
    if not 0 <= age <= source.retention // 2:
        # what was deleted since may have left the changelog, and would be back
        return f"it is {age / _HOUR:.1f} h old, and deletions leave the changelog after {source.retention / _HOUR:.1f} h"
    return None


class WarmStates:
    """The state folders of one worker. Thread-safe, as long as nobody opens a partition twice."""

    def __init__(self, folder: Path, memory_bytes: int) -> None:
        self._folder = folder
        self._memory = StateMemory(memory_bytes)

    def open(
        self, name: str, source: Source, index: Index | None, cancelled: Callable[[], bool] = lambda: False
    ) -> RocksStore:
        """The state `name`, as far as it can be trusted. Raises StateBusyError or StateUnusableError."""
        folder = self._folder / name
        try:
            return self._open(folder, source, index, cancelled)
        except DamagedStateError as error:
            _tell(folder, source, str(error))
        rmtree(folder, ignore_errors=True)
        return self._open(folder, source, index, cancelled)

    def _open(
        self, folder: Path, source: Source, index: Index | None, cancelled: Callable[[], bool]
    ) -> RocksStore:
        database = self._when_free(folder, cancelled)
        try:
            kept = read_kept(database)
            why = (
                _why_not_begun(database)
                if kept is None
                else why_not(kept, source, time.time_ns() // 1_000_000)
            )
            if why is not None:
                raise DamagedStateError(why)
        except BaseException:
            database.close()
            raise
        return RocksStore(database, self._memory, source.topic_id, kept, index)

    def _when_free(self, folder: Path, cancelled: Callable[[], bool]) -> Database:
        deadline = time.monotonic() + _BUSY_SECONDS
        while True:
            try:
                return Database(folder, self._memory)
            except StateBusyError:
                if time.monotonic() > deadline or cancelled():
                    raise
            time.sleep(0.1)


def _why_not_begun(database: Database) -> str | None:
    """A database that does not say what it is has to be empty."""
    return "it does not say how far it has come" if database.read(b"", 1) else None


def _tell(folder: Path, source: Source, why: str) -> None:
    log.warning(
        "the state in %s is not used (%s): it is removed and rebuilt from %s-%d",
        folder,
        why,
        source.topic,
        source.partition,
    )
