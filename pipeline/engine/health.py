"""Whether a worker is alive, and whether it works: what /livez and /readyz answer, asked from any thread.

In: beats of the worker's two event loops and of its polling. Out: how long each was silent, and what is not ready yet.
What always holds: a loop whose beats lie further apart than the session has sent no heartbeat meanwhile, so the group
may have given its partitions to others.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pipeline.engine.partitions import Partitions

BEAT_SECONDS: Final = 0.5
LOOP: Final = "event loop"
"""Where batches are handed out and partitions opened."""
CONSUMER: Final = "consumer"
"""The thread that fetches and sends the heartbeats."""
POLL: Final = "poll"
"""The event loop's asking the consumer for batches."""
_CLOCK: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_STALE_SECONDS: Final = 60.0


def steady() -> float:
    """Seconds of a clock that never goes back, and counts while the machine is suspended."""
    return time.clock_gettime(_CLOCK)


class Pulse:
    """When each part of a worker showed life; each part is beaten by one thread."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def beat(self, part: str) -> float:
        """Returns how many seconds ago the part's last beat was, 0 for its first."""
        now = steady()
        before = self._last.get(part, now)
        self._last[part] = now
        return now - before

    def silences(self) -> dict[str, float]:
        """For how many seconds each part that has ever beaten was silent."""
        now = steady()
        return {part: max(0.0, now - last) for part, last in list(self._last.items())}


@dataclass(frozen=True)
class NotReady:
    """What keeps a worker from being ready; the place is empty if it is the worker as a whole."""

    why: str
    stage: str = ""
    topic: str = ""
    partition: int = -1


def not_ready(partitions: Partitions) -> list[NotReady]:
    """Empty when the worker is a member of its group, and each partition that it has was given is recovered and its
    lag known. A worker that was given none is ready as well.
    """
    if partitions.draining:
        return [NotReady("the worker is ending")]
    if not partitions.joined:
        return [NotReady("the group is handing out its partitions")]
    waiting = []
    for state in partitions.states():
        place = (state.stage, state.topic, state.partition)
        if not state.ready:
            waiting.append(NotReady("its state is not recovered yet", *place))
        elif state.lag is None:
            waiting.append(NotReady("its lag is not known yet", *place))
        elif state.lag_age > _STALE_SECONDS:
            waiting.append(NotReady(f"its lag was last known {state.lag_age:.0f} s ago", *place))
    return waiting
