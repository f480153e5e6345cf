"""The state of one partition in memory, and what a batch has changed of it.

In: the changelog's records, then the logic's puts and deletes. Out: values by key, and the changes since
they were last taken, once per key. The store is thrown away with its unit when a transaction fails, so
nothing is ever rolled back.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator

RESERVED = 0
"""Keys that begin with this byte belong to the engine."""


class MemoryStore:
    """Bytes by key. `size` is the length of all keys and values."""

    def __init__(self) -> None:
        self._values: dict[bytes, bytes] = {}
        self._changes: dict[bytes, bytes | None] = {}
        self._order: list[bytes] | None = None
        self.size = 0

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: bytes) -> bytes | None:
        return self._values.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        """Raises ValueError for an empty or a reserved key."""
        if not key or key[0] == RESERVED:
            raise ValueError(f"A state key must not be empty or begin with a zero byte: {key!r}.")
        self._set(key, value)
        self._changes[key] = value

    def delete(self, key: bytes) -> None:
        if key in self._values:
            self._remove(key)
            self._changes[key] = None

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """All keys that begin with `prefix`, in ascending order, as they are now."""
        if self._order is None:
            self._order = sorted(self._values)
        start = bisect_left(self._order, prefix)
        end = start
        while end < len(self._order) and self._order[end].startswith(prefix):
            end += 1
        values = self._values
        return iter([(key, values[key]) for key in self._order[start:end]])

    def restore(self, key: bytes, value: bytes | None) -> None:
        """A record of the changelog; not a change."""
        if value is not None:
            self._set(key, value)
        elif key in self._values:
            self._remove(key)

    @property
    def changed(self) -> bool:
        return bool(self._changes)

    def take_changes(self) -> Iterable[tuple[bytes, bytes | None]]:
        """What was changed since the last call: the newest value of each key, None where it was deleted."""
        changes, self._changes = self._changes, {}
        return changes.items()

    def _set(self, key: bytes, value: bytes) -> None:
        old = self._values.get(key)
        if old is None:
            self._order = None
            self.size += len(key) + len(value)
        else:
            self.size += len(value) - len(old)
        self._values[key] = value

    def _remove(self, key: bytes) -> None:
        self.size -= len(key) + len(self._values.pop(key))
        self._order = None
