"""Events in one global order by time, across files, in bounded memory: an external merge sort.

In: events in any order. Out: the same events by (time, sequence, source, id). Always holds: about
`in_memory` events and one chunk of each spilled run are in memory; the spill file has no name, so that
nothing is left behind however the process ends.
"""

from __future__ import annotations

import heapq
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import IO

import msgspec

Sortable = tuple[int, str, str, str, str, bytes, bytes]
"""(time in microseconds, sequence as sorted, source, id, domain, key, value)"""

_CHUNK = 256
_FAN_IN = 64
_DIGITS = re.compile(r"\d+")


def sequence_order(sequence: str) -> str:
    """Text that sorts as the sequence does: numbers within it by their size, the rest as text."""
    if sequence.isdigit() and sequence[0] != "0":
        return f"{len(sequence):04d}{sequence}"
    return _DIGITS.sub(lambda found: f"{len(digits := found.group().lstrip('0')):04d}{digits}", sequence)


class Sorter:
    """Takes events with `add`, then gives them all, in order, once, with `drain`."""

    def __init__(self, in_memory: int = 100_000) -> None:
        self._in_memory = in_memory
        self._held: list[Sortable] = []
        self._spill: _Spill | None = None
        self.add = self._held.append

    def relieve(self) -> None:
        """Spill what is held if it is as much as may be in memory; call it every so often while adding."""
        if len(self._held) >= self._in_memory:
            self._spill = self._spill or _Spill()
            self._held.sort()
            self._spill.write(self._held)
            self._held.clear()

    def drain(self) -> Iterator[Sortable]:
        """All events in order. The sorter is empty afterwards."""
        self._held.sort()
        if self._spill is None:
            yield from self._held
        else:
            with self._spill as spill:
                yield from heapq.merge(*spill.runs(), self._held)
        self._held.clear()


class _Spill:
    """Sorted runs, one after another in one unnamed file; each a series of length-prefixed msgpack chunks."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(prefix="throughline-import-")  # noqa: SIM115
        self._runs: list[tuple[int, int]] = []
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(list[Sortable]).decode

    def __enter__(self) -> _Spill:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, events: Iterable[Sortable]) -> None:
        """Append a run of events that are in order."""
        start = self._file.seek(0, os.SEEK_END)
        rest = iter(events)
        while chunk := list(islice(rest, _CHUNK)):
            packed = self._encode(chunk)
            self._file.write(len(packed).to_bytes(4, "big") + packed)
        self._file.flush()
        self._runs.append((start, self._file.tell()))

    def runs(self) -> list[Iterator[Sortable]]:
        """Every run as an iterator; many runs are merged first, because each needs a chunk in memory."""
        while len(self._runs) > _FAN_IN:
            first, self._runs = self._runs[:_FAN_IN], self._runs[_FAN_IN:]
            self.write(heapq.merge(*(self._read(*run) for run in first)))
        return [self._read(*run) for run in self._runs]

    def _read(self, start: int, end: int) -> Iterator[Sortable]:
        number = self._file.fileno()
        while start < end:
            size = int.from_bytes(os.pread(number, 4, start), "big")
            yield from self._decode(os.pread(number, size, start + 4))
            start += 4 + size
