"""The narrow door between the engine and a stage's logic.

The engine owns offsets, transactions, the changelog and the store; the logic owns meaning. One `StageLogic`
serves one input partition and is only ever called from one thread at a time. Whatever it changes goes
through the `Store`, and whatever it says goes through the `Outbox`: both become part of the batch's
transaction. When a transaction fails, the engine throws the logic away and builds a new one from the
changelog, so the logic may cache freely.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from pipeline.ports import Outbox, Record, Store


class StageLogic(Protocol):
    def process(self, records: Iterable[Record], outbox: Outbox) -> None:
        """One batch. Called inside a transaction; raising aborts it."""
        ...

    def quiet(self, now: int, outbox: Outbox) -> bool:
        """The input was read to its end and nothing has come for a while; `now` is the wall clock in
        microseconds.

        Returns whether anything was sent or changed (then it is committed); False costs no transaction.
        """
        ...

    @property
    def owes(self) -> bool:
        """Whether something was put off until `quiet`: work under way that no unread record shows."""
        ...


class StageFactory(Protocol):
    def __call__(self, partition: int, store: Store) -> StageLogic:
        """Build the logic of one input partition over its recovered store."""
        ...
