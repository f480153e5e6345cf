"""Feeding: events in order, ticks that say only what is true, and a pace that follows their times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import pytest

from pipeline.operations import feeding, streaming
from pipeline.operations.sources import SourceWriter
from pipeline.simulate.faults import SimulatedRecord

SECOND = 1_000_000


@dataclass(frozen=True)
class Event:
    time: int
    domain: str = "sales"
    key: bytes = b"k"
    value: bytes = b"v"


class Topics:
    """What was written, in order: `(time,)` of an event by its value, `tick` with its instant."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.written: list[tuple[str, Any]] = []
        self.at: list[float] = []
        self.clock = clock
        self.flushed_after = -1

    def _add(self, what: str, value: Any) -> None:
        self.written.append((what, value))
        self.at.append(self.clock.now if self.clock else 0)

    def send(self, domain: str, key: bytes | None, value: bytes, headers: Any = ()) -> None:
        self._add(domain, value)

    def tick(self, instant: int) -> None:
        self._add("tick", instant)

    def flush(self) -> None:
        self.flushed_after = len(self.written)

    def ticks(self) -> list[int]:
        return [value for what, value in self.written if what == "tick"]


class Clock:
    """Time that passes only by sleeping."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (feeding, streaming):
        monkeypatch.setattr(module, "time", clock)
    return clock


def writer(topics: Topics) -> SourceWriter:
    return cast("SourceWriter", topics)


def test_all_events_are_sent_in_order_then_time_is_told_to_the_end() -> None:
    topics, counts = Topics(), list[int]()
    events = [Event(n * SECOND, value=str(n).encode()) for n in range(3)]
    assert feeding.feed(events, writer(topics), 60 * SECOND, sent=counts.append) == 3
    assert topics.written == [("sales", b"0"), ("sales", b"1"), ("sales", b"2"), ("tick", 60 * SECOND)]
    assert topics.flushed_after == 4
    assert counts == [3]


def test_without_events_the_end_is_told_all_the_same() -> None:
    topics = Topics()
    assert feeding.feed([], writer(topics), 5) == 0
    assert topics.written == [("tick", 5)]


def test_ticks_come_now_and_then_and_never_before_what_they_speak_of() -> None:
    topics = Topics()
    feeding.feed((Event(n) for n in range(12_000)), writer(topics), 12_000)
    assert topics.ticks() == [4_999, 9_999, 12_000]
    sent = 0
    for what, value in topics.written:
        if what == "tick":
            assert (
                value <= sent
            )  # events 0 … sent - 1 were sent, and the next one is not earlier than `sent` - 1
        else:
            sent += 1


def test_a_pace_sends_each_event_when_its_time_has_come(clock: Clock) -> None:
    topics = Topics(clock)
    times = [0, 10, 10, 40]
    feeding.feed([Event(t * SECOND) for t in times], writer(topics), 40 * SECOND, speed=10)
    sent = [at - 1000 for (what, _), at in zip(topics.written, topics.at, strict=True) if what == "sales"]
    assert sent == pytest.approx([0, 1, 1, 4])


def test_a_pace_lets_time_pass_while_nothing_happens(clock: Clock) -> None:
    topics = Topics(clock)
    feeding.feed([Event(0), Event(100 * SECOND)], writer(topics), 100 * SECOND, speed=20)
    waiting = topics.ticks()[:-2]
    assert len(waiting) > 5
    assert waiting == sorted(waiting)
    assert all(0 <= tick < 100 * SECOND for tick in waiting)
    for (what, value), at in zip(topics.written, topics.at, strict=True):
        if what == "tick" and value in waiting:
            assert value == pytest.approx((at - 1000) * 20 * SECOND)


def record(arrival: int, domain: str = "sales", tick: int | None = None) -> SimulatedRecord:
    return SimulatedRecord(arrival, domain if tick is None else "", b"k", b"v", (), tick)


def test_a_simulation_is_sent_with_its_ticks_where_they_belong() -> None:
    topics = Topics()
    records = [record(1), record(2, "service"), record(3, tick=2), record(4)]
    assert streaming.stream(records, writer(topics)) == 3
    assert topics.written == [("sales", b"v"), ("service", b"v"), ("tick", 2), ("sales", b"v")]
    assert topics.flushed_after == 4


def test_a_simulation_keeps_its_pace(clock: Clock) -> None:
    topics, counts = Topics(clock), list[int]()
    records = [record(n * 60 * SECOND) for n in range(1, 2_001)]
    streaming.stream(records, writer(topics), 600, counts.append)
    assert topics.at[0] == 1000
    assert topics.at[-1] - 1000 == pytest.approx(199.9)
    assert counts == [1_000, 2_000, 2_000]
