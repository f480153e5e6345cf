"""Partitions of identity and a plain journey stage, wired by in-memory logs, for the laws of identity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from random import Random

from pipeline.core.budget import Budget
from pipeline.core.frames import IDENTITY_FRAMES, JOURNEY_FRAMES, FrameWriter
from pipeline.core.identity import Identity, IdentityConfig
from pipeline.core.messages import (
    Arrive,
    Carry,
    Claim,
    Entry,
    IdentityMark,
    IdentityMessage,
    JourneyMark,
    Origin,
    Parcel,
    Receive,
    Release,
    Route,
    Steps,
    Touchpoint,
)
from pipeline.core.tokens import Tokens, partition_of_token, person_of
from pipeline.core.watermark import Watermark
from schemas.identifiers import IdentifierKind

KINDS = {
    "customer": IdentifierKind(kind="personal", strength=900),
    "order": IdentifierKind(kind="reference", strength=500),
    "ticket": IdentifierKind(kind="reference", strength=400),
    "parcel": IdentifierKind(kind="reference", strength=300),
}
STRONGEST_FIRST = list(KINDS)
TOKENS = Tokens("a test's key", KINDS)
IDENTITY, JOURNEYS = "identity.touchpoints", "journeys.touchpoints"


class DictStore(dict[bytes, bytes]):
    """A store of one partition, in memory."""

    def put(self, key: bytes, value: bytes) -> None:
        self[key] = value

    def delete(self, key: bytes) -> None:
        self.pop(key, None)

    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        return iter([(key, value) for key, value in self.items() if key.startswith(prefix) and key > after])

    def earliest(self, after: tuple[bytes, bytes] | None, count: int) -> list[tuple[bytes, bytes]]:
        raise AssertionError("nothing here is kept in another order")


@dataclass
class FakeRecord:
    value: bytes | None
    topic: str = IDENTITY
    partition: int = 0
    offset: int = 0
    timestamp: int = 1_767_225_600_000
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass
class Logs:
    """An outbox whose topics are lists of records."""

    records: dict[tuple[str, int], list[FakeRecord]] = field(default_factory=dict)

    def log(self, topic: str, partition: int) -> list[FakeRecord]:
        return self.records.setdefault((topic, partition), [])

    def send(self, topic, value, key=None, partition=None, headers=None) -> None:
        log = self.log(topic, partition or 0)
        log.append(FakeRecord(value, topic, partition or 0, len(log), key=key, headers=tuple(headers or ())))


@dataclass(frozen=True)
class Event:
    """What a source says: a touchpoint at `time` seconds, known by some identifiers."""

    id: str
    time: int
    identities: dict[str, str]

    def messages(self) -> list[IdentityMessage]:
        """The route and the claims of the event, as ingest makes them."""
        tokens = [TOKENS.token(k, self.identities[k]) for k in STRONGEST_FIRST if k in self.identities]
        touchpoint = Touchpoint(Entry(self.time, "", "shop", self.id, "a.b.c", b"", {}), b"{}")
        claims = [Claim(weaker, tokens[0], self.time, "shop", self.id) for weaker in tokens[1:]]
        return [Route(tokens[0], (), touchpoint), *claims]


@dataclass
class Journeys:
    """A journey stage that only holds touchpoints and answers releases."""

    partition: int
    partitions: int
    trails: dict[str, dict[str, Steps]] = field(default_factory=dict)
    released: dict[str, dict[str, tuple[int, str]]] = field(default_factory=dict)
    born: set[str] = field(default_factory=set)
    behind: list[tuple[str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.watermark = Watermark(f"identity/{number}" for number in range(self.partitions))

    def process(self, records: Iterable[FakeRecord], outbox: Logs) -> None:
        self.carries = FrameWriter(outbox, IDENTITY, self.partitions)
        for record in records:
            for message in JOURNEY_FRAMES.decode(record):
                self.apply(message)
        self.carries.flush()

    def apply(self, message: Arrive | Receive | Release | JourneyMark) -> None:
        if isinstance(message, Arrive):
            if self.watermark.time is not None and message.touchpoint.entry.time < self.watermark.time:
                self.behind.append((message.touchpoint.entry.id, message.touchpoint.entry.time))
            self.hold(message.person, message.touchpoint.entry.id, message.path)
        elif isinstance(message, Receive):
            for entry in message.parcel.entries:
                self.hold(message.person, entry.id, message.parcel.origins[entry.path].steps)
        elif isinstance(message, Release):
            self.release(message)
        else:
            self.watermark.advance(message.channel, message.time)

    def hold(self, person: str, touchpoint: str, steps: Steps) -> None:
        released = self.released.get(person, {})
        for index, (identifier, version) in enumerate(steps):
            if version < released.get(identifier, (0, ""))[0]:
                self.carry(touchpoint, steps[:index], identifier)
                return
        self.trails.setdefault(person, {})[touchpoint] = steps

    def release(self, message: Release) -> None:
        if person_of(message.identifier) != message.person:
            memory = self.released.setdefault(message.person, {})
            known = memory.get(message.identifier, (0, ""))
            memory[message.identifier] = max(known, (message.version, message.via))
        trail = self.trails.get(message.person, {})
        for touchpoint, steps in list(trail.items()):
            for index, (identifier, version) in enumerate(steps):
                if identifier == message.identifier and version < message.version:
                    del trail[touchpoint]
                    self.carry(touchpoint, steps[:index], identifier)
                    break

    def carry(self, touchpoint: str, before: Steps, identifier: str) -> None:
        entry = Entry(0, "", "shop", touchpoint, "a.b.c", b"", {}, 0, ())
        origin = Origin(before, "", 0)
        parcel = Parcel([origin], [entry], 0, [])
        self.carries.add(partition_of_token(identifier, self.partitions), Carry(identifier, parcel))


class World:
    """All partitions. `step` lets one of them, chosen by `random`, process a few records."""

    def __init__(self, random: Random, partitions: int = 3, sources: int = 1) -> None:
        self.random = random
        self.partitions = partitions
        self.config = IdentityConfig(
            IDENTITY,
            JOURNEYS,
            partitions,
            tuple(f"shop/{n}" for n in range(sources)),
            KINDS,
            cache=Budget(2_000),
        )
        self.logs = Logs()
        self.stores = [DictStore() for _ in range(partitions)]
        self.identity = [Identity(p, self.stores[p], self.config) for p in range(partitions)]
        self.journeys = [Journeys(p, partitions) for p in range(partitions)]
        self.read: dict[tuple[str, int], int] = {}

    def say(self, messages: Iterable[IdentityMessage]) -> None:
        """An ingest partition sends, each message in a frame of its own, so that all may come between."""
        writer = FrameWriter(self.logs, IDENTITY, self.partitions)
        for message in messages:
            if isinstance(message, IdentityMark):
                writer.add_to_all(message)
            else:
                writer.add(partition_of_token(message.to, self.partitions), message)
            writer.flush()

    def restart(self, partition: int) -> None:
        """What a failed transaction or a new owner does: the same store, a new logic."""
        self.identity[partition] = Identity(partition, self.stores[partition], self.config)

    def behind(self, topics: tuple[str, ...]) -> list[tuple[str, int]]:
        return [
            (topic, p)
            for topic in topics
            for p in range(self.partitions)
            if self.read.get((topic, p), 0) < len(self.logs.log(topic, p))
        ]

    def step(self, only: str | None = None) -> bool:
        """Whether there was anything to do."""
        waiting = self.behind((only,) if only else (IDENTITY, JOURNEYS))
        if not waiting:
            return False
        topic, partition = self.random.choice(waiting)
        start = self.read.get((topic, partition), 0)
        records = self.logs.log(topic, partition)[start : start + self.random.randint(1, 5)]
        logic = (self.identity if topic == IDENTITY else self.journeys)[partition]
        logic.process(records, self.logs)
        self.read[topic, partition] = start + len(records)
        if topic == IDENTITY and self.random.random() < 0.1:
            self.restart(partition)
        return True

    def settle(self, only: str | None = None) -> None:
        for _ in range(20_000):
            if not self.step(only):
                return
        raise AssertionError("touchpoints keep moving")

    def homes(self) -> dict[str, list[str]]:
        """touchpoint → the persons that hold it."""
        found: dict[str, list[str]] = {}
        for stage in self.journeys:
            for person, trail in stage.trails.items():
                for touchpoint in trail:
                    found.setdefault(touchpoint, []).append(person)
        return found

    def departures(self, partition: int) -> list[IdentityMessage]:
        """Everything that the identity partition's log holds, in order."""
        return [m for r in self.logs.log(IDENTITY, partition) for m in IDENTITY_FRAMES.decode(r)]


def expected_homes(events: Iterable[Event]) -> dict[str, list[str]]:
    """Whose each touchpoint is, by the set of events alone: the least claimant owns, chains are followed."""
    events = list(events)
    claims = [m for event in events for m in event.messages() if isinstance(m, Claim)]
    owner: dict[str, tuple[int, str, str, str]] = {}
    for claim in claims:
        value = (claim.time, claim.source, claim.id, claim.owner)
        owner[claim.to] = min(owner.get(claim.to, value), value)

    def resolve(token: str) -> str:
        return resolve(owner[token][3]) if token in owner else token

    routes = [m for event in events for m in event.messages() if isinstance(m, Route)]
    return {route.touchpoint.entry.id: [person_of(resolve(route.to))] for route in routes}
