"""A stage's logic whose counts and watermark are exported, once per batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Protocol

from pipeline.engine.stage import StageLogic
from pipeline.metrics import Metrics
from pipeline.ports import Outbox, Record


class CountingLogic(StageLogic, Protocol):
    """A logic that counts what happens, and knows how far time has come (µs since 1970)."""

    @property
    def counts(self) -> Counter[str]: ...
    @property
    def watermark(self) -> int | None: ...


class Counted:
    """Passes everything on to `logic`, and what it says of itself to `metrics`: when it is opened, and after each batch.

    A batch whose transaction fails is counted again when it is repeated: these are rates to watch, not accounts.
    """

    def __init__(
        self, stage: str, topic: str, partition: int, logic: CountingLogic, metrics: Metrics
    ) -> None:
        self._stage = stage
        self._topic = topic
        self._partition = partition
        self._logic = logic
        self._metrics = metrics
        # what was counted before it was opened here has been told by whoever counted it
        self._told = Counter(logic.counts)
        # nobody else tells of the partition now, and it may be long until its next batch
        self._tell()

    def process(self, records: Iterable[Record], outbox: Outbox) -> None:
        self._logic.process(records, outbox)
        self._tell()

    def quiet(self, now: int, outbox: Outbox) -> bool:
        if not self._logic.quiet(now, outbox):
            return False
        self._tell()
        return True

    @property
    def owes(self) -> bool:
        return self._logic.owes

    def _tell(self) -> None:
        counts = Counter(self._logic.counts)
        self._metrics.count(self._stage, counts - self._told)
        self._told = counts
        if (reached := self._logic.watermark) is not None:
            self._metrics.watermark(self._stage, self._topic, self._partition, reached)
