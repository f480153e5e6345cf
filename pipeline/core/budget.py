"""What the caches of one process may hold together, in bytes by estimate.

In: how much each holds. Out: how much each may. Partitions come and go, and one worker may have a single one or all: so the
memory is given once, and whoever is alone may have all of it. What always holds, as far as the estimates are right: together
they hold less than twice the budget, while one that had more than an even part has not been trimmed since the others grew;
and no more than the budget when each was trimmed and none grows.
"""

from __future__ import annotations

from typing import Final
from weakref import ref

DEFAULT_BYTES: Final = 256 * 1024 * 1024


class Share:
    """One cache's part; it ends with the cache. `held` is kept by the cache, which alone writes it."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.held = 0

    @property
    def room(self) -> int:
        """Bytes that the cache may hold now: what the others leave free, and an even part in any case."""
        return self._budget.room_beside(self)


class Budget:
    """Thread-safe. Asked once a batch by each cache, and never for an event."""

    def __init__(self, size: int = DEFAULT_BYTES) -> None:
        self._size = size
        self._shares: list[ref[Share]] = []
        """Added to, removed from and copied in one step of Python's each, so that threads need no lock."""

    def share(self) -> Share:
        """The part of one more cache."""
        share = Share(self)
        self._shares.append(ref(share, self._shares.remove))
        return share

    @property
    def held(self) -> int:
        """What all caches hold together."""
        return sum(share.held for share in self._living())

    def room_beside(self, share: Share) -> int:
        """See `Share.room`."""
        held = [other.held for other in self._living() if other is not share]
        return max(self._size - sum(held), self._size // (len(held) + 1))

    def _living(self) -> list[Share]:
        return [share for known in list(self._shares) if (share := known()) is not None]
