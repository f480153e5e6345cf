"""Simulated records → the source topics, in order of their arrival, at full speed or paced, ticks included."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from pipeline.operations.sources import SourceWriter
from pipeline.simulate.faults import SimulatedRecord

_TELL_EVERY = 1_000


def stream(
    records: Iterable[SimulatedRecord],
    writer: SourceWriter,
    speed: float | None = None,
    sent: Callable[[int], None] = lambda _: None,
) -> int:
    """Send all records; returns how many there were, ticks not counted.

    `speed`: so many times as fast as they arrive; None is as fast as it goes. `sent` gets the count now and then.
    """
    count, began, first = 0, time.monotonic(), None
    for record in records:
        first = record.arrival if first is None else first
        if speed and (rest := (record.arrival - first) / 1e6 / speed - (time.monotonic() - began)) > 0.01:
            time.sleep(rest)
        if record.tick is not None:
            writer.tick(record.tick)
            continue
        writer.send(record.domain, record.key, record.value, record.headers)
        count += 1
        if not count % _TELL_EVERY:
            sent(count)
    writer.flush()
    sent(count)
    return count
