"""One process at a time works in a data folder: a lock that ends with its holder, however that ends."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import IO, Final

from pipeline.embedded.errors import FolderUnusableError

_PATIENCE_SECONDS: Final = 1.0  # a holder that was killed this instant may be around still


class FolderLock:
    """The lock of `folder`, which is made if it is not there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._handle: IO[str] | None = None

    def acquire(self, service: str) -> None:
        """Takes the lock. Raises FolderUnusableError, naming the holder, if it has not ended in a second."""
        self.folder.mkdir(parents=True, exist_ok=True)
        handle = (self.folder / "lock").open("a+", encoding="ascii")
        limit = time.monotonic() + _PATIENCE_SECONDS
        while not _try_lock(handle):
            if time.monotonic() >= limit:
                handle.seek(0)
                holder = handle.read().strip() or "another process"
                handle.close()
                raise FolderUnusableError(
                    f"{service} can't use {self.folder}: {holder} works in it; "
                    "end that one or set THROUGHLINE_HOME to another folder."
                )
            time.sleep(0.05)
        handle.truncate(0)
        handle.write(f"process {os.getpid()}\n")
        handle.flush()
        self._handle = handle

    def release(self) -> None:
        if self._handle:
            self._handle.close()
            self._handle = None


def _try_lock(handle: IO[str]) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
