"""What can be observed of the engine: callbacks per batch, never per record.

All methods are called from the unit's thread or the event loop and must be quick and thread-safe; the
defaults do nothing, so a subclass overrides what it exports. `stage`, `topic` and `partition` are safe as
metric labels.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PartitionState:
    """One partition of one stage or sink. Offsets: `position` is 0 until it is ready, `stable_end` None until the
    broker has told it; `lag` is in records, as it was `lag_age` seconds ago. While a partition rests, because its
    unit is behind, nothing is asked and its lag does not age.
    """

    stage: str
    topic: str
    partition: int
    ready: bool
    position: int
    stable_end: int | None
    lag_age: float = 0.0

    @property
    def lag(self) -> int | None:
        return None if self.stable_end is None else max(0, self.stable_end - self.position)


class Hooks:
    """Override what you want to know."""

    def on_batch(self, stage: str, topic: str, partition: int, records: int, seconds: float) -> None:
        """A batch of `records` was processed and committed (or written); `seconds` in all."""

    def on_rebalance(self) -> None:
        """The group has handed out its partitions anew."""

    def on_write(self, stage: str, records: int, seconds: float) -> None:
        """A sink has written what it had gathered, in one call."""

    def on_retry(self, stage: str) -> None:
        """A sink's write has failed and will be tried again with the same records."""

    def on_commit(self, stage: str, topic: str, partition: int, seconds: float) -> None:
        """A transaction was committed; `seconds` from flush to the broker's answer."""

    def on_abort(self, stage: str, topic: str, partition: int) -> None:
        """A transaction was aborted, its batch will be tried again."""

    def on_fence(self, stage: str, topic: str, partition: int) -> None:
        """The unit's producer was fenced, or its transaction timed out."""

    def on_gap(self, stage: str, topic: str, partition: int) -> None:
        """A batch began after the unit's position: it seeks back."""

    def on_recovery(self, stage: str, topic: str, partition: int, offset: int, end: int) -> None:
        """Recovery has read the changelog up to `offset` of `end`; equal when done."""

    def on_state(self, stage: str, topic: str, partition: int, keys: int, size: int) -> None:
        """The store holds `keys` values of `size` bytes (keys included)."""

    def on_close(self, stage: str, topic: str, partition: int) -> None:
        """The unit is closed: its partition has left, or is opened anew. What was told of its state holds no
        more, and nothing is told until it is opened.
        """
