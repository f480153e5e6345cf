"""What a stage's logic is given: records to read, an outbox to speak to, a store to remember in.

The engine makes them, the core and the warehouse use them; this module knows nobody, so that neither has to import the
other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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


class DamagedStateError(Exception):
    """What a store holds can't be right. Whoever opened it throws it away and rebuilds it from the changelog."""


Index = Callable[[bytes, bytes], bytes | None]
"""A pure function of a key and its value: the 8 bytes by which `Store.earliest` orders the key, None to leave it out."""


class Store(Protocol):
    """The state of one partition of one stage: bytes by key, every change of it written to the changelog."""

    def get(self, key: bytes) -> bytes | None: ...
    def put(self, key: bytes, value: bytes) -> None: ...
    def delete(self, key: bytes) -> None: ...
    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Everything under the prefix, behind the key `after`, in the order of the keys, as it is now."""
        ...

    def earliest(self, after: tuple[bytes, bytes] | None, count: int) -> list[tuple[bytes, bytes]]:
        """The next `count` of (order, key) behind `after`, by the stage's `Index`, as it is now. Without the values."""
        ...
