"""The narrow door between the engine and a stage's logic.

The engine owns offsets, transactions, the changelog and the store; the logic owns meaning. One `StageLogic`
serves one input partition and is only ever called from one thread at a time. Whatever it changes goes
through the `Store`, and whatever it says goes through the `Outbox`: both become part of the batch's
transaction. When a transaction fails, the engine throws the logic away and builds a new one from the
changelog, so the logic may cache freely.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

Headers = Sequence[tuple[str, bytes | None]]
"""Names may repeat, and a producer may write a header without a value."""


class Record(Protocol):
    """A consumed record; `timestamp` is in milliseconds since 1970 (Kafka's)."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Headers: ...


class Outbox(Protocol):
    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        partition: int | None = None,
        headers: Headers | None = None,
    ) -> None:
        """Add a record to the batch's transaction; without `partition` the key's murmur2 hash chooses."""
        ...


class Store(Protocol):
    """The state of one partition of one stage: bytes by key, every change of it written to the changelog."""

    def get(self, key: bytes) -> bytes | None: ...
    def put(self, key: bytes, value: bytes) -> None: ...
    def delete(self, key: bytes) -> None: ...
    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]: ...


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
