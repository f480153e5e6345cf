"""The BASE equality: what a pipeline came to, held against the oracle, and its parts against each other.

In: a pipeline at rest and what was expected of it. Out: every difference in a sentence, and how much was compared. Topics
are read committed, to the end that holds everything uncommitted too, so that a transaction left open can hide nothing.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition
from memory_oracle import Expected
from outcome import Outcome, outcome
from warehouse_content import warehouse_differences

from pipeline.core.dead_letters import decode_headers
from pipeline.engine.changelog import POSITION_KEY, Position
from pipeline.engine.clients import confluent_options
from pipeline.settings import Settings
from pipeline.warehouse.client import Warehouse

_SILENCE_SECONDS = 30.0
_SHOWN = 3
LAID = b"laid by the test"
"""Key of records that a test has put on a topic behind the pipeline's back: they are counted apart."""
K = TypeVar("K", bound=Hashable)
_position = msgspec.msgpack.Decoder(Position).decode
_decode = msgspec.json.Decoder().decode
TP = tuple[str, int]


@dataclass
class Topics:
    """Every committed record, partition by partition in the order of offsets."""

    records: dict[TP, list[Message]]

    def of(self, topic: str) -> Iterable[Message]:
        """Of all partitions of a topic, but for what a test has laid."""
        return (record for record in self._all(topic) if record.key() != LAID)

    def laid(self, topic: str) -> list[Message]:
        return [record for record in self._all(topic) if record.key() == LAID]

    def _all(self, topic: str) -> Iterable[Message]:
        return (
            record for (name, _), some in sorted(self.records.items()) if name == topic for record in some
        )

    def latest(self, topic: str) -> dict[TP, dict[bytes, bytes]]:
        """What a compacted topic holds: the last value of each key that has one, by partition."""
        stores: dict[TP, dict[bytes, bytes]] = {}
        for place, records in self.records.items():
            if place[0] == topic:
                store = {record.key(): record.value() for record in records}
                stores[place] = {key: value for key, value in store.items() if value is not None}
        return stores


@dataclass
class Verdict:
    """`counts`: how much was compared; equal if there are no differences."""

    differences: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return ", ".join(f"{name} {count:,}" for name, count in self.counts.items())


def compare(expected: Expected, settings: Settings, inputs: int, ticks: int, laid: int = 0) -> Verdict:
    """Everything that BASE asks for; `inputs` are the records on the source topics, of which `ticks` are ticks.

    `laid`: so many records that the warehouse refuses are on the topics, each of which must be one dead letter.
    """
    topics, verdict = read(settings), Verdict()
    found = published(topics, settings)
    verdict.differences += differences(expected.outcome, found)
    verdict.differences += _once_and_in_order(topics, settings)
    verdict.differences += _inputs_accounted_for(expected, topics, settings, inputs, ticks)
    verdict.differences += _positions(topics, settings)
    refused = {record.value() for record in topics.laid(settings.topology.dead_letter)}
    if len(refused) != laid:
        verdict.differences.append(f"{laid} rows were to be refused, {len(refused)} dead letters tell of one")
    with closing(Warehouse.of(settings)) as warehouse:
        verdict.differences += warehouse_differences(warehouse, topics, settings.topology, expected.outcome)
    verdict.counts = {
        "records in": inputs,
        "touchpoints": len(found.touchpoints),
        "duplicates": expected.duplicates,
        "dead letters": found.letters.total(),
        "findings": len(found.findings),
        "persons": len(found.persons),
        "journeys": len(found.journeys),
        "learned limits": len(found.learned),
        "trails": len(found.trails),
        "aggregated groups": sum(map(len, expected.outcome.aggregates.values())),
    }
    return verdict


def differences(expected: Outcome, found: Outcome) -> list[str]:
    """What two runs differ in."""
    parts = (
        "touchpoints", "findings", "persons", "journeys", "links", "identifiers", "learned", "letters", "trails",
        "aggregates",
    )  # fmt: skip
    said = [differs(name, getattr(expected, name), getattr(found, name)) for name in parts[:-1]]
    said += [differs(table, groups, found.aggregates[table]) for table, groups in expected.aggregates.items()]
    return [each for each in said if each]


def differs(what: str, expected: Mapping[K, Any], found: Mapping[K, Any]) -> str:
    """Empty if they are equal."""
    missing, extra = expected.keys() - found.keys(), found.keys() - expected.keys()
    other = [key for key in expected.keys() & found.keys() if expected[key] != found[key]]
    if not (missing or extra or other):
        return ""
    shown = [f"{expected[key]} is {found[key]}" for key in other[:_SHOWN]]
    shown += [f"missing: {key}" for key in list(missing)[:_SHOWN]]
    shown += [f"too much: {key}" for key in list(extra)[:_SHOWN]]
    return f"{what}: {len(missing)} missing, {len(extra)} too many, {len(other)} different; " + "; ".join(
        shown
    )


def published(topics: Topics, settings: Settings) -> Outcome:
    """What a committed reader of the topics holds, and the state behind it."""
    topology = settings.topology
    findings: dict[bytes, tuple[int, bytes]] = {}
    for record in topics.of(topology.findings):
        revision = _decode(record.value())["revision"]
        if record.key() not in findings or findings[record.key()][0] < revision:
            findings[record.key()] = (revision, record.value())
    changelog = topology.changelog("journey", topology.journeys)
    return outcome(
        (record.value() for record in topics.of(topology.enriched)),
        (value for _, value in findings.values()),
        latest_states(topics, settings),
        _letters(topics, settings),
        topics.latest(changelog).values(),
    )


def latest_states(topics: Topics, settings: Settings) -> dict[bytes, bytes]:
    """The greatest version of each key, as readers of `journeys.state` are told to take it."""
    states: dict[bytes, tuple[int, bytes]] = {}
    for record in topics.of(settings.topology.state):
        if record.value():
            version = _decode(record.value())["version"]
            if record.key() not in states or states[record.key()][0] <= version:
                states[record.key()] = (version, record.value())
    return {key: value for key, (_, value) in states.items()}


def aborted_records(settings: Settings) -> int:
    """How many records of aborted transactions the topics hold: written, and never to be seen."""
    committed, written = read(settings), read(settings, "read_uncommitted")
    return sum(map(len, written.records.values())) - sum(map(len, committed.records.values()))


def read(settings: Settings, isolation: str = "read_committed") -> Topics:
    """All records of all topics of the pipeline, the committed ones unless told otherwise."""
    names = [(spec.name, number) for spec in settings.topology.specs() for number in range(spec.partitions)]
    options = {
        **confluent_options(settings.kafka, {}),
        "group.id": "base",
        "enable.auto.commit": False,
        "isolation.level": isolation,
        "enable.partition.eof": True,
        "fetch.wait.max.ms": 10,
        "fetch.message.max.bytes": 16 * 1024 * 1024,
    }
    reader = Consumer(options)
    try:
        ends = {tp: reader.get_watermark_offsets(TopicPartition(*tp), timeout=20)[1] for tp in names}
        return Topics(_read_to(reader, ends))
    finally:
        reader.close()


def _read_to(reader: Consumer, ends: dict[TP, int]) -> dict[TP, list[Message]]:
    records: dict[TP, list[Message]] = {tp: [] for tp in ends}
    waiting = {tp for tp, end in ends.items() if end}
    reader.assign([TopicPartition(*tp, 0) for tp in waiting])
    heard = time.monotonic()
    while waiting:
        for message in reader.consume(10_000, 0.5):
            tp, error = (message.topic(), message.partition()), message.error()
            if error is None:
                records[tp].append(message)
                heard = time.monotonic()
            elif error.code() != KafkaError._PARTITION_EOF:
                raise AssertionError(error.str())
            elif message.offset() >= ends[tp]:
                waiting.discard(tp)
        silence = time.monotonic() - heard
        assert silence < _SILENCE_SECONDS, f"a transaction is still open in {sorted(waiting)}"
    return records


def _once_and_in_order(topics: Topics, settings: Settings) -> list[str]:
    """Each output id once, and the revisions of each finding in ascending order.

    A touchpoint that its source sent twice is published twice if the second copy met another person than the first, whose
    things were under way to it; the journey stage counts these when they meet. Until then both persons publish what it
    opens, each with revisions of its own. Without that count nothing published twice excuses anything.
    """
    topology, said = settings.topology, []
    touchpoints = Counter(_ids(topics.of(topology.enriched), "source", "id"))
    reunited = counted(topics, settings)["reunited"]
    twice = {f"{source}#{name}" for (source, name), count in touchpoints.items() if count > 1}
    if touchpoints.total() != len(touchpoints) + reunited:
        said += _repeated(f"enriched touchpoints, beyond the {reunited} that met again,", touchpoints)
        twice.clear()
    revisions: defaultdict[str, list[int]] = defaultdict(list)
    for finding, revision, evidence in _ids(
        topics.of(topology.findings), "finding_id", "revision", "evidence"
    ):
        if evidence[0] not in twice:
            revisions[finding].append(revision)
    said += _repeated("revisions", Counter((f, r) for f, some in revisions.items() for r in some))
    falling = [finding for finding, some in revisions.items() if some != sorted(some)]
    if falling:
        said.append(f"findings whose revisions do not ascend: {len(falling)}, such as {falling[0]}")
    refused = Counter(
        (letter.topic, letter.partition, letter.offset, letter.stage)
        for letter in (decode_headers(r.headers() or []) for r in topics.of(topology.dead_letter))
    )
    return said + _repeated("dead letters", refused)


def _ids(records: Iterable[Message], *names: str) -> Iterable[tuple[Any, ...]]:
    for record in records:
        value = _decode(record.value())
        yield tuple(value[name] for name in names)


def _repeated(what: str, counted: Counter[Any]) -> list[str]:
    twice = [each for each, count in counted.items() if count > 1]
    return [f"{what} published more than once: {len(twice)}, such as {twice[0]}"] if twice else []


def _inputs_accounted_for(
    expected: Expected, topics: Topics, settings: Settings, inputs: int, ticks: int
) -> list[str]:
    """Records in = touchpoints + duplicates + dead letters + ticks; and as the stages counted them."""
    topology, said = settings.topology, []
    on_topics = sum(1 for source in topology.sources for _ in topics.of(source))
    if on_topics != inputs:
        said.append(f"{inputs} records were sent, {on_topics} are on the source topics")
    accounted = expected.touchpoints + expected.duplicates + expected.outcome.letters.total() + ticks
    if accounted != inputs:
        said.append(f"of {inputs} records the oracle accounts for {accounted}")
    counts = counted(topics, settings)
    touchpoints = counts["touchpoints"] - counts["reunited"]
    duplicates = counts["duplicates"] + counts["reunited"]
    if (touchpoints, duplicates) != (expected.touchpoints, expected.duplicates):
        said.append(
            f"counted {touchpoints} touchpoints and {duplicates} duplicates "
            f"instead of {expected.touchpoints} and {expected.duplicates}"
        )
    return said


def counted(topics: Topics, settings: Settings) -> Counter[str]:
    """What the journey stage has counted, all partitions together."""
    counts: Counter[str] = Counter()
    for value in latest_states(topics, settings).values():
        state = _decode(value)
        if state["kind"] == "counts":
            counts.update(state["counts"])
    return counts


def _positions(topics: Topics, settings: Settings) -> list[str]:
    """Every stage's position, committed with its state, is behind the last record of its input."""
    topology, said = settings.topology, []
    stages = [("ingest", source) for source in topology.sources]
    stages += [("identity", topology.identity), ("linker", topology.links)]
    stages += [("journey", topology.journeys), ("learner", topology.stays)]
    for stage, topic in stages:
        changelogs = topics.latest(topology.changelog(stage, topic))
        for (_, partition), store in changelogs.items():
            records = topics.records[topic, partition]
            if not records:
                continue
            position = _position(store[POSITION_KEY]).offset if POSITION_KEY in store else 0
            last = records[-1].offset() or 0
            if position <= last:
                said.append(
                    f"{stage} stands at {position} of {topic}-{partition}, whose last record is {last}"
                )
    return said


def _letters(topics: Topics, settings: Settings) -> Counter[tuple[str, str, str, bytes]]:
    found: Counter[tuple[str, str, str, bytes]] = Counter()
    for record in topics.of(settings.topology.dead_letter):
        letter = decode_headers(record.headers() or [])
        found[letter.topic.rpartition(".")[2], str(letter.code), letter.path, record.value() or b""] += 1
    return found
