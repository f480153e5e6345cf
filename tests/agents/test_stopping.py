"""A frame that cannot be read stops the worker at once, and says where it is and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from agents.stopping import stopping
from pipeline.core.dead_letters import TooManyDeadLettersError
from pipeline.core.frames import FrameWriter
from pipeline.core.identity import Identity, IdentityConfig
from pipeline.core.linker import Linker, LinkerConfig
from pipeline.core.linking import rules_of
from pipeline.core.messages import Heard, Pair
from pipeline.core.run import MemoryRecord, MemoryStore
from pipeline.core.tokens import Tokens
from pipeline.engine.errors import EXIT_STOPPED, StopWorker
from pipeline.engine.stage import StageLogic
from pipeline.ports import Headers, Store
from schemas.identifiers import DEFAULT_IDENTIFIERS, IdentifierKind

CONFIG = IdentityConfig(
    identity_topic="identity.touchpoints",
    journeys_topic="journeys.touchpoints",
    partitions=4,
    sources=("touchpoints.sales/0",),
    kinds=DEFAULT_IDENTIFIERS,
)


class Told:
    """An outbox that hears whatever is said."""

    def __init__(self) -> None:
        self.records: list[MemoryRecord] = []

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        partition: int | None = None,
        headers: Headers | None = None,
    ) -> None:
        self.records.append(MemoryRecord(topic, partition or 0, 0, 0, key, value, headers or ()))


def links() -> Sequence[MemoryRecord]:
    """One link of a cookie and an address."""
    tokens = Tokens("a test's key", DEFAULT_IDENTIFIERS)
    one, other = sorted((tokens.token("cookie", "1"), tokens.token("email", "a@b.c")))
    frames = Told()
    writer = FrameWriter(frames, "identity.links", 1)
    writer.add(0, Heard(one, other, Pair((1, "shop", "e"))))
    writer.flush()
    return frames.records


class NoOutbox:
    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        partition: int | None = None,
        headers: Headers | None = None,
    ) -> None:
        raise AssertionError("nothing is sent of what cannot be read")


def identity(store: Store) -> StageLogic:
    def factory(partition: int, store: Store) -> StageLogic:
        return Identity(partition, store, CONFIG)

    return stopping(factory)(3, store)


def frame(value: bytes) -> Sequence[MemoryRecord]:
    return [MemoryRecord("identity.touchpoints", 3, 17, 0, None, value, ())]


def test_a_frame_that_cannot_be_read_stops_the_worker_and_is_named() -> None:
    with pytest.raises(StopWorker, match=r"^identity\.touchpoints/3 holds a record at offset 17") as stopped:
        identity(MemoryStore()).process(frame(b"\xc1"), NoOutbox())
    assert stopped.value.exit_code == EXIT_STOPPED


def test_too_many_dead_letters_stop_the_worker_in_their_own_words() -> None:
    class Full:
        owes = False

        def process(self, records: object, outbox: object) -> None:
            raise TooManyDeadLettersError("half of them were refused")

        def quiet(self, now: int, outbox: object) -> bool:
            raise ValueError("a defect, and so to be tried again")

    logic = stopping(lambda partition, store: Full())(0, MemoryStore())
    with pytest.raises(StopWorker, match=r"^half of them were refused$"):
        logic.process([], NoOutbox())
    with pytest.raises(ValueError, match="a defect"):
        logic.quiet(0, NoOutbox())


def test_what_can_be_read_passes() -> None:
    logic = identity(MemoryStore())
    logic.process([], NoOutbox())
    assert logic.quiet(0, NoOutbox()) is False
    assert logic.owes is False


def test_persons_that_were_linked_by_other_rules_stop_the_worker() -> None:
    def linker(store: Store, kinds: Mapping[str, IdentifierKind]) -> StageLogic:
        config = LinkerConfig("identity.touchpoints", "journeys.state", 4, rules_of(kinds))
        return stopping(lambda _, store: Linker(store, config))(0, store)

    store = MemoryStore()
    linker(store, DEFAULT_IDENTIFIERS).process(links(), Told())
    other = {**DEFAULT_IDENTIFIERS, "cookie": IdentifierKind(kind="personal", strength=200, most_links=60)}
    with pytest.raises(StopWorker, match="replay the sources"):
        linker(store, other)
