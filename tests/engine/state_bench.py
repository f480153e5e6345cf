"""State folders of a worker, without a broker."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from pipeline.engine.logs import Bounds
from pipeline.engine.rocks_store import RocksStore
from pipeline.engine.warm_state import Source, WarmStates

MEMORY = 32 * 1024 * 1024
HOUR = 3_600_000
SOURCE = Source("log", 0, "topic-id", Bounds(0, 1_000_000), retention=10**15)


def order_of(key: bytes, value: bytes) -> bytes | None:
    """Values of eight bytes and more are in the order of these."""
    return value[:8] if len(value) >= 8 else None


class States:
    """The state folders in `folder`; `crash` leaves of one what a killed process does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.warm = WarmStates(folder, MEMORY)
        self._open: dict[str, RocksStore] = {}

    def open(self, name: str, source: Source = SOURCE) -> RocksStore:
        store = self._open[name] = self.warm.open(name, source, order_of)
        return store

    def crash(self, name: str) -> None:
        """What is on disk now stays, and nothing else: closing would write what is in memory."""
        left = self.folder / f"{name}.left"
        self._open[name]._database._rocks.cancel_all_background(True)  # files that go while they are copied
        shutil.copytree(self.folder / name, left)
        (left / "LOCK").unlink()
        self._open.pop(name).close()
        with suppress(FileNotFoundError):
            shutil.rmtree(self.folder / name)
        left.rename(self.folder / name)
