"""What the transport says to the consumer group: how it reads, what it claims, which offsets it commits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiokafka
import pytest
from aiokafka.errors import CommitFailedError, IllegalStateError
from aiokafka.structs import OffsetAndMetadata
from faust.types import TP
from yarl import URL

from pipeline.engine.assignor import StickyAssignor
from pipeline.engine.config import EngineConfig
from pipeline.engine.opening import UNREAD, Committed
from pipeline.engine.transport import Consumer, ConsumerThread, NotOwnerError
from pipeline.engine.worker import build_app, create_sink, create_stage

ONE, TWO = TP("in", 1), TP("in", 2)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What aiokafka's consumer is made with."""
    made: dict[str, Any] = {}
    monkeypatch.setattr(aiokafka, "AIOKafkaConsumer", lambda **options: made.update(options))
    thread = ConsumerThread.__new__(ConsumerThread)
    thread.app = build_app(EngineConfig("app", "nowhere:1", tmp_path))
    thread._create_worker_consumer(SimpleNamespace(url=[URL("kafka://nowhere:1")], default_port=9092))
    return made


def test_only_what_is_committed_is_read(said: dict[str, Any]) -> None:
    assert said["isolation_level"] == "read_committed"


def test_a_position_that_is_not_there_any_more_is_an_error_and_not_a_jump(said: dict[str, Any]) -> None:
    assert said["auto_offset_reset"] == "none"


def test_a_fetch_for_a_partition_that_is_idle_holds_up_no_other_for_long(said: dict[str, Any]) -> None:
    """aiokafka has one fetch in flight for each broker."""
    assert said["fetch_max_wait_ms"] <= 100


def test_every_topic_is_spread_evenly_over_the_workers(said: dict[str, Any]) -> None:
    (strategy,) = said["partition_assignment_strategy"]
    assert isinstance(strategy, StickyAssignor) or issubclass(strategy, StickyAssignor)


def test_aiokafka_commits_nothing_by_itself(said: dict[str, Any]) -> None:
    assert said["enable_auto_commit"] is False


def test_faust_acknowledges_nothing_by_itself(tmp_path: Path) -> None:
    """It does so in a `finally`, also what failed."""
    app = build_app(EngineConfig("app", "nowhere:1", tmp_path))
    create_stage(app, "stage", "in", "log", factory=None)  # type: ignore[arg-type]
    create_sink(app, "sink", ["other"], factory=None)  # type: ignore[arg-type]
    assert [agent.channel.acks for agent in app.agents.values()] == [False, False]


class Group:
    """A consumer thread as a member of a group in `generation`; `before` are the group's offsets, `during` happens while
    they are committed.
    """

    def __init__(self, generation: int = 3) -> None:
        self.before: dict[TP, OffsetAndMetadata] = {}
        self.committed: dict[TP, OffsetAndMetadata] = {}
        self.during: Callable[[], None] = lambda: None
        self.coordinator = SimpleNamespace(generation=generation, fetch_committed_offsets=self._fetch)
        self.thread = ConsumerThread.__new__(ConsumerThread)
        member = SimpleNamespace(_coordinator=self.coordinator, commit=self._commit)
        self.thread._ensure_consumer = lambda: member
        self.thread._silenced = False

    async def _fetch(self, tps: list[TP]) -> dict[TP, OffsetAndMetadata]:
        return {tp: self.before[tp] for tp in tps if tp in self.before}

    async def _commit(self, offsets: Mapping[TP, OffsetAndMetadata]) -> None:
        self.during()
        self.committed.update(offsets)


async def test_a_claim_commits_the_offsets_as_they_are_and_tells_them() -> None:
    group = Group()
    group.before = {ONE: OffsetAndMetadata(7, "topic-id")}
    assert await group.thread.claim({ONE, TWO}, 3) == {ONE: Committed(7, "topic-id"), TWO: None}
    assert group.committed == {ONE: OffsetAndMetadata(7, "topic-id"), TWO: OffsetAndMetadata(0, UNREAD)}


async def test_a_claim_under_an_earlier_generation_commits_nothing() -> None:
    group = Group(generation=4)
    with pytest.raises(NotOwnerError):
        await group.thread.claim({ONE}, 3)
    assert group.committed == {}


async def test_a_claim_during_which_the_generation_changes_is_none() -> None:
    """The commit may have been accepted under the next one."""
    group = Group()
    group.during = lambda: setattr(group.coordinator, "generation", 4)
    with pytest.raises(NotOwnerError):
        await group.thread.claim({ONE}, 3)


@pytest.mark.parametrize("error", [CommitFailedError("rebalanced"), IllegalStateError("not assigned")])
async def test_a_claim_that_the_coordinator_does_not_accept_is_none(error: Exception) -> None:
    group = Group()

    def refuse() -> None:
        raise error

    group.during = refuse
    with pytest.raises(NotOwnerError):
        await group.thread.claim({ONE}, 3)


class Committing:
    """A consumer that owns the first partition; `accepts` says whether its commits succeed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.accepts, self.sent = True, list[dict[TP, OffsetAndMetadata]]()
        self.consumer = Consumer.__new__(Consumer)
        self.consumer._acked, self.consumer._committed_offset = defaultdict(list), {}
        self.consumer.owner = SimpleNamespace(metadata=lambda tp: "topic-id")  # type: ignore[assignment]
        self.consumer._thread = SimpleNamespace(  # type: ignore[assignment]
            run=lambda coroutine: coroutine, commit_offsets=self._commit, start_intake=self._start
        )
        monkeypatch.setattr(Consumer, "assignment", lambda consumer: {ONE})

    async def _commit(self, offsets: dict[TP, OffsetAndMetadata]) -> bool:
        self.sent.append(offsets)
        return self.accepts

    async def _start(self, tp: TP, offset: int) -> None: ...


async def test_offsets_are_committed_with_the_topic_that_they_belong_to_and_for_what_is_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    committing = Committing(monkeypatch)
    assert await committing.consumer._commit_offsets({ONE: 5, TWO: 9})
    assert committing.sent == [{ONE: OffsetAndMetadata(5, "topic-id")}]


async def test_offsets_that_were_not_accepted_are_committed_the_next_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    committing = Committing(monkeypatch)
    committing.accepts = False
    assert not await committing.consumer._commit_offsets({ONE: 5})
    assert committing.consumer._new_offset(ONE) == 5


async def test_a_later_acknowledgement_is_not_undone_by_a_commit_that_was_not_accepted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    committing = Committing(monkeypatch)
    committing.accepts = False
    committing.consumer.acknowledge(ONE, 8)
    await committing.consumer._commit_offsets({ONE: 5})
    assert committing.consumer._new_offset(ONE) == 8


async def test_what_was_acknowledged_before_a_partition_was_started_anew_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    committing = Committing(monkeypatch)
    committing.consumer.acknowledge(ONE, 8)
    await committing.consumer.start_intake(ONE, 5)
    assert committing.consumer._new_offset(ONE) is None
