"""Bounded maps that keep what was used lately."""

from __future__ import annotations

from itertools import islice
from typing import Final, Generic, TypeVar

from pipeline.core.budget import Budget

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Holds at most `limit` entries (at least 2); what was neither read nor written for a while is forgotten.

    Two generations: a full young one becomes the old one, and an old entry that is used moves to the young.
    So a hit costs a dict look-up and no bookkeeping, and forgetting costs nothing at all.
    """

    __slots__ = ("_half", "_old", "_young")

    def __init__(self, limit: int) -> None:
        self._half = max(1, limit // 2)
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        value = self._young.get(key)
        if value is None and (value := self._old.pop(key, None)) is not None:
            self.put(key, value)
        return value

    def put(self, key: K, value: V) -> None:
        if len(self._young) >= self._half and key not in self._young:
            self._old = self._young
            self._young = {}
        self._young[key] = value

    def resize(self, limit: int) -> None:
        """Hold at most so many from now on; what is too much leaves in the order in which it came."""
        self._half = max(1, limit // 2)
        for generation in (self._old, self._young):
            excess = len(self) - 2 * self._half
            if excess > 0:
                for key in list(islice(generation, excess)):
                    del generation[key]

    def __len__(self) -> int:
        return len(self._young) + len(self._old)


class Words:
    """One object for each of the words that come again and again, such as types and sources; 10,000 of them."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def one(self, word: str) -> str:
        known = self._known.get(word)
        if known is None:
            known = word
            if len(self._known) < _WORDS:
                self._known[word] = word
        return known


class Ration(Generic[K, V]):
    """A `Recent` within a budget that others share. Each batch says how long what it saved is when packed, from which
    follows what an entry takes on average, and so how many there may be.
    """

    __slots__ = ("_entry_bytes", "_share", "recent")

    def __init__(self, budget: Budget) -> None:
        self._share = budget.share()
        self._entry_bytes = _OBJECT_BYTES
        self.recent: Recent[K, V] = Recent(self._limit())

    def fit(self, packed: int = 0, count: int = 0) -> None:
        """At the end of a batch that has saved so many entries of so many bytes together, and in quiet times."""
        if count:
            mean = _OBJECT_BYTES + _UNPACKED_BYTES * packed // count
            # few of them say little of the others
            share = min(1.0, count / max(1, len(self.recent)))
            self._entry_bytes += int((mean - self._entry_bytes) * share)
        self.recent.resize(self._limit())
        self._share.held = len(self.recent) * self._entry_bytes

    def _limit(self) -> int:
        return self._share.room // self._entry_bytes


_WORDS: Final = 10_000
_OBJECT_BYTES: Final = 500
_UNPACKED_BYTES: Final = 5
"""What an identifier's or a pair's state takes in memory, and for each byte that it is packed into. Measured with 0 to 10
links: 456 to 4,822 bytes where this says 725 to 5,825.
"""
