"""The learner's one partition, told of stays and of time; what it tells is kept for each journey partition."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import TypeAdapter

from pipeline.core.frames import JOURNEY_FRAMES, FrameWriter
from pipeline.core.instants import DAY
from pipeline.core.learner import Learner, LearnerConfig, channel
from pipeline.core.messages import JourneyMark, Limits, StayMessage
from pipeline.core.rules import LearnedRule
from pipeline.core.run import MemoryRecord, MemoryStore
from schemas.state import LearnedState

_state: TypeAdapter[LearnedState] = TypeAdapter(LearnedState)
FIRST = 20_000
"""The number of day 0, long after 1970."""


class LearnerWorld:
    """`told` are the limits that each journey partition has heard, `states` the last state of each key."""

    def __init__(self, rules: Iterable[LearnedRule], partitions: int = 1) -> None:
        self.store = MemoryStore()
        self.told: list[list[Limits]] = [[] for _ in range(partitions)]
        self.states: dict[bytes, LearnedState] = {}
        self.open(rules)

    def open(self, rules: Iterable[LearnedRule]) -> None:
        """Begin, or begin again, over the state that is there."""
        self.learner = Learner(self.store, LearnerConfig("journeys", "state", len(self.told), tuple(rules)))

    def hears(self, messages: Iterable[StayMessage]) -> None:
        """A batch of what journey partitions tell."""
        values: list[bytes] = []
        writer = FrameWriter(_Collector(values), "stays", 1)
        for message in messages:
            writer.add(0, message)
        writer.flush()
        self.learner.process([MemoryRecord("stays", 0, 0, 0, None, value, ()) for value in values], self)

    def marks(self, day: int, partition: int = 0) -> None:
        """A partition has told of everything before this day."""
        self.hears([JourneyMark(channel(partition), (FIRST + day) * DAY)])

    def quiet(self) -> bool:
        return self.learner.quiet(0, self)

    def send(self, topic: str, value: bytes, key: bytes = b"", partition: int = 0, **_: Any) -> None:
        if topic == "state":
            state = _state.validate_json(value)
            assert key not in self.states or self.states[key].version < state.version
            self.states[key] = state
            return
        messages = JOURNEY_FRAMES.decode(MemoryRecord(topic, partition, 0, 0, None, value, ()))
        self.told[partition] += [each for each in messages if isinstance(each, Limits)]


class _Collector:
    def __init__(self, values: list[bytes]) -> None:
        self.values = values

    def send(self, topic: str, value: bytes, **_: Any) -> None:
        self.values.append(value)
