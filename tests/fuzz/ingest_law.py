"""The law of ingest: one record in; a route, a dead letter or a tick out, and nothing else.

`check` is given any record and raises AssertionError if the law does not hold.
"""

from __future__ import annotations

from fuzzed_map import COMPANY, TOKENS
from records import TIMESTAMP, FuzzedRecord

from pipeline.core.dead_letters import (
    MESSAGE_CHARACTERS,
    PATH_CHARACTERS,
    PREFIX,
    decode_headers,
    original_headers,
)
from pipeline.core.frames import IDENTITY_FRAMES
from pipeline.core.identity import Identity, IdentityConfig
from pipeline.core.ingest import Ingest, IngestConfig
from pipeline.core.messages import Claim, Heard, IdentityMark, Route
from pipeline.core.run import MemoryStore
from pipeline.ports import Headers, Record
from schemas.dead_letter import ErrorCode

LETTERS, IDENTITY = "touchpoints.dead-letter", "identity.touchpoints"
_CONFIG = IngestConfig(
    topic="touchpoints.sales",
    identity_topic=IDENTITY,
    dead_letter_topic=LETTERS,
    partitions=2,
    lateness=600_000_000,
    mark_interval=0,
    live=False,
    max_touchpoint_bytes=65_536,
    dead_letter_window=10,
    dead_letter_max_share=1.0,
)
_IDENTITY_CONFIG = IdentityConfig(
    identity_topic=IDENTITY,
    journeys_topic="journeys.touchpoints",
    partitions=2,
    sources=("touchpoints.sales/0",),
    kinds=COMPANY.kinds,
)


class Sent:
    """An outbox that keeps what was sent, as records."""

    def __init__(self) -> None:
        self.records: list[FuzzedRecord] = []

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        partition: int | None = None,
        headers: Headers | None = None,
    ) -> None:
        at = len(self.records)
        self.records.append(
            FuzzedRecord(value, topic, partition or 0, at, TIMESTAMP, key, list(headers or ()))
        )

    def of(self, topic: str) -> list[FuzzedRecord]:
        return [record for record in self.records if record.topic == topic]


def check(record: FuzzedRecord) -> str:
    """What became of it: `route`, `tick`, or the code of its dead letter."""
    ingest = Ingest(0, MemoryStore(), _CONFIG, COMPANY, TOKENS)
    outbox = Sent()
    before = ingest.watermark
    ingest.process([record], outbox)
    letters = outbox.of(LETTERS)
    frames = outbox.of(IDENTITY)
    messages = [message for frame in frames for message in IDENTITY_FRAMES.decode(frame)]
    routes = [message for message in messages if isinstance(message, Route)]
    ticks = ingest.counts["ticks"]
    assert len(letters) + len(routes) + ticks == 1, "a record is one route, one dead letter or one tick"
    if letters:
        assert messages == [], "nothing of a refused record goes on"
        assert ingest.watermark == before, "a refused record does not move time"
        return _letter(record, letters[0])
    if routes:
        assert all(isinstance(message, Route | Claim | Heard | IdentityMark) for message in messages)
        _is_resolved(frames)
        return "route"
    return "tick"


def _letter(record: FuzzedRecord, stored: FuzzedRecord) -> str:
    told = decode_headers(stored.headers)
    assert told.code is not ErrorCode.UNEXPECTED, told.message
    assert (stored.key, stored.value) == (record.key, record.value)
    assert original_headers(stored.headers) == original_headers(record.headers)
    assert 0 < len(told.message) <= MESSAGE_CHARACTERS, f"a message of {len(told.message)} characters"
    assert len(told.path) <= PATH_CHARACTERS, f"a path of {len(told.path)} characters"
    assert (told.stage, told.topic, told.partition, told.offset) == ("ingest", record.topic, 0, 41)
    names = [name for name, _ in stored.headers if name.startswith(PREFIX)]
    assert len(names) == len(set(names)), "a reason is told once"
    return told.code


def _is_resolved(frames: list[FuzzedRecord]) -> None:
    """The identity stage takes what ingest has sent, to the end."""
    waiting: list[Record] = list(frames)
    identities = [Identity(number, MemoryStore(), _IDENTITY_CONFIG) for number in range(2)]
    arrived = 0
    while waiting:
        outbox = Sent()
        for number, identity in enumerate(identities):
            identity.process([frame for frame in waiting if frame.partition == number], outbox)
        waiting = list(outbox.of(IDENTITY))
        arrived += len(outbox.of("journeys.touchpoints"))
    assert arrived >= 1, "a route reaches the journeys"
