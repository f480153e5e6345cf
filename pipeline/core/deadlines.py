"""Whose deadline comes next: the earliest ones in memory, all of them in the store's order.

In: a person's next deadline whenever it is saved. Out: the persons whose deadlines the watermark has reached, the
earliest first. What always holds: everything up to the horizon is in memory, and whatever is behind it is found in the
store, which orders the heads of persons by their first eight bytes (`deadline_order`). So memory is bounded, opening a
partition reads a few thousand deadlines however many persons it has, and no deadline is written twice.
"""

from __future__ import annotations

import heapq
from typing import Final

from pipeline.core.instants import NEVER
from pipeline.core.messages import Micros
from pipeline.core.persons import HEAD, head_key, person_id
from pipeline.ports import Store

LOADED: Final = 10_000
"""Deadlines taken from the store at a time; memory holds at most twice as many."""
_VOID: Final = 1000
"""Replaced deadlines that the heap may hold beside as many as there are persons with one."""


def deadline_order(key: bytes, value: bytes) -> bytes | None:
    """The store's index: a person's head by its next deadline, unless it has none. See `pipeline.ports.Index`."""
    if key[:1] != HEAD:
        return None
    order = value[:8]
    return None if order == _NEVER else order


_NEVER: Final = NEVER.to_bytes(8, "big")


class Deadlines:
    """The deadlines of one partition. A person has to be saved before `take_due` is asked again."""

    def __init__(self, store: Store, loaded: int = LOADED) -> None:
        self._store, self._loaded = store, loaded
        self._deadlines: dict[str, Micros] = {}
        self._heap: list[tuple[Micros, str]] = []
        self._horizon: tuple[Micros, str] | None = None
        """The last one in memory; None while all are."""
        self._load(None)

    def schedule(self, person: str, deadline: Micros) -> None:
        """Let `take_due` name the person when time reaches the deadline, in place of an earlier word."""
        if deadline == NEVER or (self._horizon is not None and (deadline, person) > self._horizon):
            self._deadlines.pop(person, None)
        elif self._deadlines.get(person) != deadline:
            self._deadlines[person] = deadline
            heapq.heappush(self._heap, (deadline, person))
            if len(self._deadlines) > 2 * self._loaded:
                self._forget_the_latest()
            elif len(self._heap) > 2 * len(self._deadlines) + _VOID:
                self._heap = [(at, person) for person, at in self._deadlines.items()]
                heapq.heapify(self._heap)

    def has_due(self, time: Micros) -> bool:
        """Whether time has reached a deadline that was not taken."""
        while not self._has_due_in_memory(time):
            if self._horizon is None or self._horizon[0] > time:
                return False
            self._load(self._horizon)
        return True

    def take_due(self, time: Micros, count: int) -> list[str]:
        """Up to `count` persons whose deadlines time has reached, the earliest first."""
        taken: list[str] = []
        while len(taken) < count and self.has_due(time):
            _, person = heapq.heappop(self._heap)
            del self._deadlines[person]
            taken.append(person)
        return taken

    def _has_due_in_memory(self, time: Micros) -> bool:
        heap, deadlines = self._heap, self._deadlines
        while heap and heap[0][0] <= time:
            deadline, person = heap[0]
            if deadlines.get(person) == deadline:
                return True
            heapq.heappop(heap)
        return False

    def _load(self, after: tuple[Micros, str] | None) -> None:
        """Take the next ones from the store."""
        start = None if after is None else (after[0].to_bytes(8, "big"), head_key(after[1]))
        found = [
            (int.from_bytes(order, "big"), person_id(key))
            for order, key in self._store.earliest(start, self._loaded)
        ]
        for deadline, person in found:
            self._deadlines[person] = deadline
            heapq.heappush(self._heap, (deadline, person))
        self._horizon = found[-1] if len(found) == self._loaded else None

    def _forget_the_latest(self) -> None:
        """Keep the earliest half; the others are in the store."""
        held = [(at, person) for person, at in self._deadlines.items()]
        self._heap = heapq.nsmallest(self._loaded, held)
        self._deadlines = {person: at for at, person in self._heap}
        self._horizon = self._heap[-1]
