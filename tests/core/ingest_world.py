"""Builders of events and records, and an ingest partition with all that it sends."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from identity_world import DictStore, FakeRecord, Logs

from pipeline.core.dead_letters import decode_headers
from pipeline.core.frames import IDENTITY_FRAMES
from pipeline.core.ingest import Ingest, IngestConfig
from pipeline.core.instants import parse_instant
from pipeline.core.messages import IdentityMark, Route
from pipeline.core.tokens import Tokens
from schemas.dead_letter import DeadLetter
from schemas.identifiers import DEFAULT_IDENTIFIERS

SOURCE, IDENTITY, LETTERS = "touchpoints.sales", "identity.touchpoints", "touchpoints.dead-letter"
NOW = parse_instant("2026-03-01T12:00:00Z")
TOKENS = Tokens("a test's key", DEFAULT_IDENTIFIERS)
SECOND = 1_000_000


class FakePlan:
    kinds = DEFAULT_IDENTIFIERS

    def projection(self, touchpoint_type: str) -> tuple[tuple[str, bool], ...]:
        key = ("identities.order_id", False)
        if touchpoint_type == "own.order.promised":
            return (
                key,
                ("data.due", True),
                ("data.shop.city", False),
                ("subject", False),
                ("outcome", False),
            )
        return (key,)


def config(**changes: Any) -> IngestConfig:
    values: dict[str, Any] = {
        "topic": SOURCE,
        "identity_topic": IDENTITY,
        "dead_letter_topic": LETTERS,
        "partitions": 3,
        "lateness": 600 * SECOND,
        "mark_interval": SECOND // 4,
        "live": False,
        "max_touchpoint_bytes": 4096,
        "dead_letter_window": 10,
        "dead_letter_max_share": 1.0,
    }
    return IngestConfig(**(values | changes))


def event(**changes: Any) -> dict[str, Any]:
    valid = {
        "specversion": "1.0",
        "id": "e1",
        "source": "/shop",
        "type": "own.order.promised",
        "time": "2026-03-01T11:59:00Z",
        "identities": {"order_id": "O-1"},
    }
    return {name: value for name, value in (valid | changes).items() if value is not ...}


def record(content: Any, timestamp: int = NOW, headers: Iterable[tuple[str, bytes]] = ()) -> FakeRecord:
    value = content if isinstance(content, bytes | None) else json.dumps(content).encode()
    return FakeRecord(value, SOURCE, 0, 41, timestamp // 1000, b"the key", tuple(headers))


class Source:
    """An ingest partition with what it has sent."""

    def __init__(self, **changes: Any) -> None:
        self.config = config(**changes)
        self.store = DictStore()
        self.logs = Logs()
        self.restart()

    def restart(self) -> None:
        self.ingest = Ingest(0, self.store, self.config, FakePlan(), TOKENS)

    def process(self, *records: FakeRecord) -> Source:
        self.ingest.process(records, self.logs)
        return self

    def sent(self, kind: type[Any]) -> list[Any]:
        return [
            message
            for partition in range(self.config.partitions)
            for frame in self.logs.log(IDENTITY, partition)
            for message in IDENTITY_FRAMES.decode(frame)
            if isinstance(message, kind)
        ]

    def marks(self) -> list[str | int]:
        """The marks as the first partition hears them."""
        return [
            message.levels[0]
            for frame in self.logs.log(IDENTITY, 0)
            for message in IDENTITY_FRAMES.decode(frame)
            if isinstance(message, IdentityMark)
        ]

    def letters(self) -> list[DeadLetter]:
        return [decode_headers(letter.headers) for letter in self.logs.log(LETTERS, 0)]


def one_route(**changes: Any) -> Route:
    source = Source().process(record(event(**changes)))
    assert source.letters() == []
    (route,) = source.sent(Route)
    return route


def refusal(content: Any, **more: Any) -> DeadLetter:
    source = Source().process(record(content, **more))
    assert source.sent(Route) == []
    (letter,) = source.letters()
    return letter


BINARY = [
    ("ce_specversion", b"1.0"),
    ("ce_id", b"e1"),
    ("ce_source", b"/shop"),
    ("ce_type", b"own.order.promised"),
    ("ce_time", b"2026-03-01T11:59:00Z"),
    ("ce_identities", b'{"order_id": "O-1"}'),
    ("content-type", b"application/json; charset=utf-8"),
]
