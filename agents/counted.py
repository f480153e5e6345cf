"""A stage's logic whose counts are exported: what it counted in a batch is added to the metrics after the batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Protocol

from pipeline.engine.stage import Outbox, Record, StageLogic
from pipeline.metrics import Metrics


class CountingLogic(StageLogic, Protocol):
    """A logic that counts what happens, since it was built."""

    @property
    def counts(self) -> Counter[str]: ...


class Counted:
    """Passes everything on to `logic`, and its counts to `metrics`, once per batch.

    A batch whose transaction fails is counted again when it is repeated: these are rates to watch, not accounts.
    """

    def __init__(self, stage: str, logic: CountingLogic, metrics: Metrics) -> None:
        self._stage = stage
        self._logic = logic
        self._metrics = metrics
        self._told: Counter[str] = Counter()

    def process(self, records: Iterable[Record], outbox: Outbox) -> None:
        self._logic.process(records, outbox)
        self._tell()

    def quiet(self, now: int, outbox: Outbox) -> bool:
        if not self._logic.quiet(now, outbox):
            return False
        self._tell()
        return True

    def _tell(self) -> None:
        counts = Counter(self._logic.counts)
        self._metrics.count(self._stage, counts - self._told)
        self._told = counts
