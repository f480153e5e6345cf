"""What a unit keeps its state in, and the one that keeps all of it in memory.

In: the changelog's records, then the logic's puts and deletes. Out: values by key, and the changes of the batch under
way, once per key. The store is thrown away with its unit when a transaction fails, so nothing is ever rolled back.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from heapq import nsmallest
from typing import NamedTuple, Protocol

from pipeline.ports import Index, Store

RESERVED = 0
"""Keys that begin with this byte belong to the engine."""


class Reached(NamedTuple):
    """How far in its changelog a state is: every committed record before `offset`, and none behind it.

    `position` is the last one of the input among them, as it stands there; `at` is a moment (milliseconds since 1970) at
    which nothing before `offset` was missing.
    """

    offset: int
    position: bytes | None
    at: int


class StateStore(Store, Protocol):
    """A store as its unit and the recovery see it."""

    @property
    def reached(self) -> Reached | None:
        """How far the changelog has been taken in; None: read it from its start."""
        ...

    @property
    def size(self) -> int:
        """The length of all keys and values."""
        ...

    def __len__(self) -> int: ...

    def restore(self, key: bytes, value: bytes | None) -> None:
        """A record of the changelog; `committed` follows."""
        ...

    @property
    def changed(self) -> bool:
        """Whether there are changes that are not committed."""
        ...

    def changes(self) -> Iterable[tuple[bytes, bytes | None]]:
        """What was changed since the last commit: the newest value of each key, None where it was deleted."""
        ...

    def committed(self, reached: Reached) -> None:
        """The changes are in the changelog, before `reached.offset`. Not before they are."""
        ...

    def rest(self) -> None:
        """There is nothing to do for the moment."""
        ...

    def distrust(self) -> None:
        """What is kept outside of the process can't be right: it is removed when the store is closed."""
        ...

    def close(self) -> None:
        """Let go of everything, uncommitted changes included. Never raises; may be called twice."""
        ...


def require_own_key(key: bytes) -> None:
    """Raises ValueError for an empty or a reserved key."""
    if not key or key[0] == RESERVED:
        raise ValueError(f"A state key must not be empty or begin with a zero byte: {key!r}.")


class MemoryStore:
    """Bytes by key. `size` is the length of all keys and values."""

    def __init__(self, index: Index | None = None) -> None:
        self._index = index
        self._values: dict[bytes, bytes] = {}
        self._changes: dict[bytes, bytes | None] = {}
        self._order: list[bytes] | None = None
        self.size = 0
        self.reached: Reached | None = None

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: bytes) -> bytes | None:
        return self._values.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        """Raises ValueError for an empty or a reserved key."""
        require_own_key(key)
        self._set(key, value)
        self._changes[key] = value

    def delete(self, key: bytes) -> None:
        if key in self._values:
            self._remove(key)
            self._changes[key] = None

    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        if self._order is None:
            self._order = sorted(self._values)
        start = max(bisect_left(self._order, prefix), bisect_right(self._order, after))
        end = start
        while end < len(self._order) and self._order[end].startswith(prefix):
            end += 1
        values = self._values
        return iter([(key, values[key]) for key in self._order[start:end]])

    def earliest(self, after: tuple[bytes, bytes] | None, count: int) -> list[tuple[bytes, bytes]]:
        """Looks at everything: there is no need for another order in memory."""
        index = self._index
        if index is None:
            return []
        ordered = ((order, key) for key, value in self._values.items() if (order := index(key, value)))
        return nsmallest(count, [entry for entry in ordered if after is None or entry > after])

    def restore(self, key: bytes, value: bytes | None) -> None:
        if value is not None:
            self._set(key, value)
        elif key in self._values:
            self._remove(key)

    @property
    def changed(self) -> bool:
        return bool(self._changes)

    def changes(self) -> Iterable[tuple[bytes, bytes | None]]:
        return self._changes.items()

    def committed(self, reached: Reached) -> None:
        self._changes = {}
        self.reached = reached

    def rest(self) -> None: ...
    def distrust(self) -> None: ...
    def close(self) -> None: ...

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
