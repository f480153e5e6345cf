"""What a stage's logic is given: records to read, an outbox to speak to, a store to remember in.

The engine's own protocols (`pipeline/engine/stage.py`) have the same shapes; they are restated here, as far
as the core uses them, because the core imports nothing of the engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
        """Add a record to the batch's transaction; without `partition` the key's hash chooses."""
        ...


class Store(Protocol):
    """The state of one partition of one stage: bytes by key."""

    def get(self, key: bytes) -> bytes | None: ...
    def put(self, key: bytes, value: bytes) -> None: ...
    def delete(self, key: bytes) -> None: ...
    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]: ...
