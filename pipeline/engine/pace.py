"""How much of a batch goes into one transaction, so that none outlasts its timeout.

In: how long the last transactions of a partition took. Out: a batch in parts. A batch is bounded in records and bytes,
but not in time: what a record costs depends on what is in it, on the machine and on its neighbours. A transaction that takes
too long is aborted by the broker, and the same batch, tried again whole, takes as long again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from pipeline.ports import Record

SHARE: Final = 0.3
"""Of the transaction's timeout: what one may take before the next ones get less."""


class Part(NamedTuple):
    """Records and the offsets [start, end) that they cover."""

    records: Sequence[Record]
    start: int
    end: int


class Pace:
    """Of one partition. A whole batch is one part until one took too long."""

    def __init__(self, transaction_timeout: float) -> None:
        self._most = transaction_timeout * SHARE
        self._limit: int | None = None
        """Records of one part; None: all of a batch."""

    def parts(self, records: Sequence[Record], start: int, end: int) -> Iterator[Part]:
        """Cover the whole range in order. Each part is cut when its turn comes, with what is known of those before."""
        taken = 0
        while self._limit is not None and len(records) - taken > self._limit:
            behind = taken + self._limit
            cut = records[behind].offset
            yield Part(records[taken:behind], start, cut)
            taken, start = behind, cut
        yield Part(records[taken:] if taken else records, start, end)

    def took(self, records: int, seconds: float) -> None:
        """A transaction of so many records took so long, whether it was committed or failed."""
        if seconds > self._most:
            self._limit = max(1, int(records * self._most / seconds))
        elif self._limit is not None and records >= self._limit:
            # it was full, and there was time left
            self._limit = 2 * self._limit if seconds < self._most / 2 else self._limit
