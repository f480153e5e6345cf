"""The whole pipeline in memory: source records in, everything published and its summary out.

The stages are the real ones; only the topics are lists and the stores dictionaries. `run` reads everything,
advances time to an instant and returns. `MemoryPipeline` lets a test decide which partition works when.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import nsmallest
from itertools import islice
from typing import Protocol

import msgspec

from pipeline.core.budget import Budget
from pipeline.core.deadlines import deadline_order
from pipeline.core.evaluation import JourneyConfig
from pipeline.core.identity import Identity, IdentityConfig
from pipeline.core.ingest import Ingest, IngestConfig, tick_headers
from pipeline.core.instants import SECOND, moment
from pipeline.core.journey_stage import JourneyStage
from pipeline.core.learner import Learner, LearnerConfig
from pipeline.core.linker import Linker, LinkerConfig
from pipeline.core.linking import rules_of
from pipeline.core.messages import Micros
from pipeline.core.plan import Plan
from pipeline.core.summary import FindingCount, Summary, promise_counts, stall_counts, value_promise_counts
from pipeline.core.tokens import Tokens
from pipeline.ports import Headers, Outbox, Record
from schemas.base import DOMAINS

IDENTITY, LINKS = "identity.touchpoints", "identity.links"
JOURNEYS, STAYS = "journeys.touchpoints", "journeys.stays"
ENRICHED, FINDINGS, STATE = "journeys.enriched", "journeys.findings", "journeys.state"
DEAD_LETTER = "touchpoints.dead-letter"
_SOURCE = "touchpoints."
Queue = tuple[str, int]
"""A topic and one of its partitions."""


class Incoming(Protocol):
    """A record for the source topic of `domain`: a CloudEvent in structured JSON."""

    @property
    def domain(self) -> str: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes: ...


@dataclass(frozen=True)
class RunConfig:
    """`now` stands for the clock (microseconds): a touchpoint more than a day later has an impossible time."""

    identity_key: str
    now: Micros
    partitions: int = 1
    lateness: Micros = 600 * SECOND
    trail_entries: int = 4096
    duplicate_ids: int = 4096
    cache_bytes: int = 4 * 1024 * 1024 * 1024
    max_touchpoint_bytes: int = 262_144
    dead_letter_window: int = 2000
    dead_letter_max_share: float = 0.5
    batch_records: int = 2000


class MemoryRecord(msgspec.Struct, frozen=True, gc=False):
    """A consumed record; `timestamp` in milliseconds."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class MemoryStore(dict[bytes, bytes]):
    """The state of one partition of one stage."""

    def put(self, key: bytes, value: bytes) -> None:
        self[key] = value

    def delete(self, key: bytes) -> None:
        self.pop(key, None)

    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        return ((key, self[key]) for key in sorted(self) if key.startswith(prefix) and key > after)

    def earliest(self, after: tuple[bytes, bytes] | None, count: int) -> list[tuple[bytes, bytes]]:
        """By the one index that a stage asks for."""
        ordered = ((order, key) for key, value in self.items() if (order := deadline_order(key, value)))
        return nsmallest(count, [entry for entry in ordered if after is None or entry > after])


class Logic(Protocol):
    counts: Counter[str]

    def process(self, records: Iterable[Record], outbox: Outbox) -> None: ...
    def quiet(self, now: Micros, outbox: Outbox) -> bool: ...


class _Detail(msgspec.Struct):
    met_at: str | None = None
    limit_kind: str = ""


class _Said(msgspec.Struct):
    """What has to be known of a published finding or state to keep the last and to count it."""

    revision: int = 0
    version: int = 0
    type: str = ""
    rule: str | None = ""
    status: str = ""
    detail: _Detail | None = None
    touchpoints: int = 0


_said = msgspec.json.Decoder(_Said).decode


class Published:
    """What a reader of the public topics holds: findings and states, the last of each by key, as JSON.

    `enriched` touchpoints are kept only if they were asked for. `records` counts by topic.
    """

    def __init__(self, keeps_enriched: bool) -> None:
        self.findings: dict[bytes, bytes] = {}
        self.states: dict[bytes, bytes] = {}
        self.enriched: list[bytes] = []
        self.dead_letters: list[MemoryRecord] = []
        self.records: Counter[str] = Counter()
        self._keeps_enriched = keeps_enriched

    def finding(self, key: bytes, value: bytes) -> None:
        known = self.findings.get(key)
        if known is None or _said(known).revision < _said(value).revision:
            self.findings[key] = value

    def state(self, key: bytes, value: bytes) -> None:
        known = self.states.get(key)
        if known is None or _said(known).version < _said(value).version:
            self.states[key] = value

    def touchpoint(self, value: bytes) -> None:
        if self._keeps_enriched:
            self.enriched.append(value)

    def counts(self) -> list[FindingCount]:
        """The findings, counted by what their last revision says."""
        found: Counter[tuple[str, str, str, bool, str]] = Counter()
        for value in self.findings.values():
            said = _said(value)
            detail = said.detail or _Detail()
            is_met = detail.met_at is not None
            found[said.type, said.rule or "", said.status, is_met, detail.limit_kind] += 1
        return [
            FindingCount(kind, rule, status, is_met, count, limit_kind)
            for (kind, rule, status, is_met, limit_kind), count in found.items()
        ]

    def persons(self) -> list[str]:
        """The ids of everyone who has touchpoints."""
        return [
            key.decode().removeprefix("person:")
            for key, value in self.states.items()
            if key.startswith(b"person:") and _said(value).touchpoints
        ]


class MemoryPipeline:
    """All partitions of all stages of one plan, with the records that wait for each. It is their outbox."""

    def __init__(
        self,
        plan: Plan,
        config: RunConfig,
        *,
        keeps_enriched: bool = False,
        published: Published | None = None,
    ) -> None:
        """`published` hears what comes out, in place of a reader that keeps the last of everything."""
        self.published = Published(keeps_enriched) if published is None else published
        self._plan = plan
        self._config = config
        self._tokens = Tokens(config.identity_key, plan.kinds)
        self._cache = Budget(config.cache_bytes)
        self._offsets: Counter[Queue] = Counter()
        self._stores: defaultdict[Queue, MemoryStore] = defaultdict(MemoryStore)
        self._sources: list[Queue] = [(_SOURCE + domain, 0) for domain in DOMAINS]
        behind = [(topic, number) for topic in (IDENTITY, JOURNEYS) for number in range(config.partitions)]
        if plan.links:
            behind.append((LINKS, 0))
        if plan.learned:
            behind.append((STAYS, 0))
        self._waiting: dict[Queue, list[Record]] = {queue: [] for queue in (*self._sources, *behind)}
        self._logics: dict[Queue, Logic] = {}
        for queue in self._waiting:
            self.restart(queue)

    def feed(
        self, domain: str, value: bytes | None, key: bytes | None = None, headers: Headers | None = None
    ) -> None:
        """Append a record to a source topic."""
        self.send(_SOURCE + domain, value, key, 0, headers)

    def tick(self, instant: Micros) -> None:
        """Append to each source the word that everything before `instant` has been sent."""
        for topic, partition in self._sources:
            self.send(topic, None, None, partition, tick_headers(instant))

    def waiting(self) -> list[Queue]:
        """The partitions that have records to process."""
        return [queue for queue, records in self._waiting.items() if records]

    def step(self, queue: Queue, count: int) -> None:
        """Let one partition process up to `count` of the records that wait for it."""
        records = self._waiting[queue][:count]
        del self._waiting[queue][:count]
        self._logics[queue].process(records, self)

    def work(self) -> None:
        """Let all partitions work until nothing waits."""
        while queues := self.waiting():
            for queue in queues:
                self.step(queue, len(self._waiting[queue]))

    def drain(self) -> None:
        """Let all partitions work until nothing waits and, in the silence, none has anything left to say."""
        self.work()
        while self._are_quiet():
            self.work()

    def restart(self, queue: Queue) -> None:
        """Build the logic of a partition anew over its store, as a new owner does."""
        topic, partition = queue
        store = self._stores[queue]
        if topic == IDENTITY:
            self._logics[queue] = Identity(partition, store, self._identity_config())
        elif topic == LINKS:
            self._logics[queue] = Linker(store, self._linker_config())
        elif topic == STAYS:
            self._logics[queue] = Learner(store, self._learner_config())
        elif topic == JOURNEYS:
            self._logics[queue] = JourneyStage(partition, store, self._journey_config(), self._plan)
        else:
            self._logics[queue] = Ingest(
                partition, store, self._ingest_config(topic), self._plan, self._tokens
            )

    def restart_under(self, plan: Plan) -> None:
        """Build all logics anew under another plan, as workers do that are started with another map."""
        self._plan = plan
        for queue in self._waiting:
            self.restart(queue)

    def store(self, topic: str, partition: int) -> MemoryStore:
        """What the stage that reads this partition keeps."""
        return self._stores[topic, partition]

    def counts(self, topic: str) -> Counter[str]:
        """What the partitions of a stage have counted since they were built; `topic` is its input."""
        found: Counter[str] = Counter()
        for (of_topic, _), logic in self._logics.items():
            if of_topic.startswith(topic):
                found.update(logic.counts)
        return found

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        partition: int | None = None,
        headers: Headers | None = None,
    ) -> None:
        """The outbox: a public record is kept as published, any other waits for its partition."""
        self.published.records[topic] += 1
        if topic == FINDINGS and key is not None and value is not None:
            self.published.finding(key, value)
        elif topic == STATE and key is not None and value is not None:
            self.published.state(key, value)
        elif topic == ENRICHED and value is not None:
            self.published.touchpoint(value)
        else:
            self._append((topic, partition or 0), key, value, headers or ())

    def _append(self, queue: Queue, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        timestamp = self._config.now // 1000
        record = MemoryRecord(*queue, self._offsets[queue], timestamp, key, value, headers)
        self._offsets[queue] += 1
        if queue[0] == DEAD_LETTER:
            self.published.dead_letters.append(record)
        else:
            self._waiting[queue].append(record)

    def _are_quiet(self) -> bool:
        """Whether a partition that has read everything had something left to say."""
        # each is asked: `any` over a generator would stop at the first
        spoke = [logic.quiet(self._config.now, self) for logic in self._logics.values()]
        return any(spoke)

    def _ingest_config(self, topic: str) -> IngestConfig:
        config = self._config
        return IngestConfig(
            topic=topic,
            identity_topic=IDENTITY,
            dead_letter_topic=DEAD_LETTER,
            partitions=config.partitions,
            lateness=config.lateness,
            mark_interval=0,
            live=False,
            max_touchpoint_bytes=config.max_touchpoint_bytes,
            dead_letter_window=config.dead_letter_window,
            dead_letter_max_share=config.dead_letter_max_share,
        )

    def _linker_config(self) -> LinkerConfig:
        return LinkerConfig(IDENTITY, STATE, self._config.partitions, rules_of(self._plan.kinds), self._cache)

    def _learner_config(self) -> LearnerConfig:
        return LearnerConfig(JOURNEYS, STATE, self._config.partitions, self._plan.learned)

    def _identity_config(self) -> IdentityConfig:
        config = self._config
        return IdentityConfig(
            identity_topic=IDENTITY,
            journeys_topic=JOURNEYS,
            partitions=config.partitions,
            sources=tuple(f"{topic}/{partition}" for topic, partition in self._sources),
            kinds=self._plan.kinds,
            links_topic=LINKS if self._plan.links else None,
            cache=self._cache,
        )

    def _journey_config(self) -> JourneyConfig:
        config = self._config
        return JourneyConfig(
            identity_topic=IDENTITY,
            stays_topic=STAYS,
            enriched_topic=ENRICHED,
            findings_topic=FINDINGS,
            state_topic=STATE,
            partitions=config.partitions,
            trail_entries=config.trail_entries,
            duplicate_ids=config.duplicate_ids,
            cache=self._cache,
        )


@dataclass(frozen=True)
class Result:
    """`counts` are those of the journey stage."""

    summary: Summary
    published: Published
    counts: Counter[str]


def run(
    plan: Plan,
    records: Iterable[Incoming],
    config: RunConfig,
    as_of: Micros,
    published: Published | None = None,
) -> Result:
    """Process all records, in whatever order they come, then advance time to `as_of` (microseconds).

    Raises TooManyDeadLettersError when the share of bad records is too large; `published` has them all the same.
    """
    pipeline = MemoryPipeline(plan, config, published=published)
    coming = iter(records)
    while batch := list(islice(coming, config.batch_records)):
        for record in batch:
            pipeline.feed(record.domain, record.value, record.key)
        pipeline.work()
    pipeline.tick(as_of)
    pipeline.drain()
    return Result(summarise(pipeline, plan, as_of), pipeline.published, pipeline.counts(JOURNEYS))


def summarise(pipeline: MemoryPipeline, plan: Plan, as_of: Micros) -> Summary:
    """The figures of what a pipeline has published."""
    counts = pipeline.counts(JOURNEYS)
    findings = pipeline.published.counts()
    return Summary(
        as_of=moment(as_of),
        # of two copies that met by a move, each was counted when it arrived
        touchpoints=counts["touchpoints"] - counts["reunited"],
        persons=len(pipeline.published.persons()),
        unmapped=counts["unmapped"] - counts["replaced_unmapped"],
        dead_letters=len(pipeline.published.dead_letters),
        duplicates=counts["duplicates"] + counts["reunited"],
        promises=promise_counts(plan, findings),
        value_promises=value_promise_counts(plan, findings),
        stalls=stall_counts(plan, findings),
    )
