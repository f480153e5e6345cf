"""Events in order of their times → the source topics, at full speed or paced, with ticks between them.

Because the events come in order, everything before the one that was just sent has been sent: that is what a tick says.
It lets time pass in sources that have nothing to say, and it is the only clock of a replay.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

from pipeline.operations.sources import SourceWriter

_TICK_EVENTS = 5_000
_TICK_SECONDS = 0.5


class Event(Protocol):
    """An event to be sent; `time` in microseconds."""

    @property
    def time(self) -> int: ...
    @property
    def domain(self) -> str: ...
    @property
    def key(self) -> bytes: ...
    @property
    def value(self) -> bytes: ...


def feed(
    events: Iterable[Event],
    writer: SourceWriter,
    end: int,
    speed: float | None = None,
    sent: Callable[[int], None] = lambda _: None,
) -> int:
    """Send all events, then one tick to `end` (µs since 1970); returns how many there were.

    `speed`: so many times as fast as it happened; None is as fast as it goes. `sent` gets the count now and then,
    also while nothing is due.
    """
    pace = _Pace(speed) if speed else None
    send, count, last_tick, ticked_at = writer.send, 0, 0, time.monotonic()
    for event in events:
        if pace is not None:
            pace.wait(event.time, writer, partial(sent, count))
        send(event.domain, event.key, event.value)
        count += 1
        if count - last_tick >= _TICK_EVENTS or (pace and time.monotonic() - ticked_at >= _TICK_SECONDS):
            writer.tick(event.time)
            sent(count)
            last_tick, ticked_at = count, time.monotonic()
    writer.tick(end)
    writer.flush()
    sent(count)
    return count


class _Pace:
    """Holds events back until their time has come, and lets time pass meanwhile."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._began: tuple[float, int] | None = None

    def wait(self, event_time: int, writer: SourceWriter, watch: Callable[[], None]) -> None:
        began = self._began = self._began or (time.monotonic(), event_time)
        due = began[0] + (event_time - began[1]) / 1e6 / self._speed
        while (rest := due - time.monotonic()) > 0:
            if rest > _TICK_SECONDS:
                watch()
                writer.tick(event_time - round(rest * self._speed * 1e6))
            time.sleep(min(rest, _TICK_SECONDS))
