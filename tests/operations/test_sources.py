"""Writing to source topics and watching a pipeline, on a real broker."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from command_line import NOWHERE
from confluent_kafka import Consumer, Producer, TopicPartition

from pipeline.core.dead_letters import FOREIGN
from pipeline.core.ingest import TICK_HEADER
from pipeline.engine.topics import ensure_topics
from pipeline.operations.caught_up import NotCaughtUpError, Watcher
from pipeline.operations.clients import KafkaProblemError
from pipeline.operations.dead_letters import (
    REPLAYED_FROM,
    DeadLetterError,
    StoredLetter,
    find_letter,
    read_letters,
    send_again,
)
from pipeline.operations.sources import SourceNotWritableError, SourceWriter
from pipeline.settings import Settings
from schemas.dead_letter import DeadLetter

pytestmark = pytest.mark.services

Read = list[tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]]


@pytest.fixture
def settings(kafka: str) -> Settings:
    """A pipeline's topics, and nobody who works on them."""
    settings = Settings(
        kafka=kafka, namespace=f"ops-{uuid.uuid4().hex[:8]}", source_partitions=2, partitions=1
    )
    ensure_topics(settings.kafka_admin, settings.topology.specs())
    return settings


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Settings:
    return Settings(kafka=NOWHERE)


def read(settings: Settings, topic: str, partition: int = 0) -> Read:
    # an end is told once nothing has come for as long as a fetch waits
    more = {"group.id": "test", "enable.partition.eof": True, "fetch.wait.max.ms": 10}
    reader = Consumer({**settings.kafka_client, **more})
    try:
        reader.assign([TopicPartition(topic, partition, 0)])
        found: Read = []
        while (message := reader.poll(10)) is not None and message.error() is None:
            found.append((message.key(), message.value(), list(message.headers() or [])))
        return found
    finally:
        reader.close()


def test_records_arrive_as_they_are_and_ticks_on_every_partition_of_every_source(settings: Settings) -> None:
    topology = settings.topology
    with SourceWriter(settings.kafka_client, topology) as writer:
        writer.send("sales", b"o-1", b"\x00not json", [("ce_id", b"1")])
        writer.tick(1_525_168_800_000_000)
    tick = (None, b"", [(TICK_HEADER, b"1525168800000000")])
    on_sales = [read(settings, topology.source("sales"), partition) for partition in (0, 1)]
    assert sorted(map(len, on_sales)) == [1, 2]
    assert max(on_sales, key=len) == [(b"o-1", b"\x00not json", [("ce_id", b"1")]), tick]
    for domain in topology.domains:
        if domain != "sales":
            assert [read(settings, topology.source(domain), p) for p in (0, 1)] == [[tick], [tick]]


def test_a_record_that_no_topic_takes_is_told_at_once(settings: Settings) -> None:
    with (
        pytest.raises(SourceNotWritableError, match=r"ops-\w+\.touchpoints\.sales: .*MSG_SIZE_TOO_LARGE"),
        SourceWriter(settings.kafka_client, settings.topology) as writer,
    ):
        writer.send("sales", b"", b"x" * (12 * 1024 * 1024))


def test_an_error_while_writing_is_not_hidden_by_the_end_of_the_writer(elsewhere: Settings) -> None:
    def spoilt() -> Iterator[bytes]:
        yield b"never sent"
        raise ZeroDivisionError

    def write() -> None:
        with SourceWriter(elsewhere.kafka_client, elsewhere.topology) as writer:
            for value in spoilt():
                writer.send("sales", b"", value)

    with pytest.raises(ZeroDivisionError):
        write()


def test_an_untouched_pipeline_is_at_rest(settings: Settings) -> None:
    watcher = Watcher(settings.kafka_client, settings.topology)
    looks: list[int] = []
    try:
        watcher.wait(20, lambda lags: looks.append(len(lags)), every=0.01)
        assert looks == [18 + 1 + 1 + 1 + 6] * 2
        assert {lag.records for lag in watcher.lags()} == {0}
    finally:
        watcher.close()


def test_an_unread_record_keeps_a_pipeline_from_rest_and_is_named(settings: Settings) -> None:
    with SourceWriter(settings.kafka_client, settings.topology) as writer:
        for _ in range(3):
            writer.send("service", b"t-1", b"{}")
    watcher = Watcher(settings.kafka_client, settings.topology)
    try:
        assert not watcher.at_rest()
        with pytest.raises(
            NotCaughtUpError, match=r"has not caught up after 0 s: 3 records are unread, most of them"
        ):
            watcher.wait(0)
    finally:
        watcher.close()


def test_of_many_partitions_the_unread_ones_are_named(settings: Settings) -> None:
    topics = [settings.topology.source(domain) for domain in ("sales", "service", "billing")]
    producer = Producer({**settings.kafka_client, "transactional.id": settings.namespace})
    producer.init_transactions()
    producer.begin_transaction()
    for topic in topics:
        for partition in (0, 1):
            producer.produce(topic, b"{}", partition=partition)
    producer.commit_transaction()
    while not all(read(settings, topic, partition) for topic in topics for partition in (0, 1)):
        """The markers of a commit are written after its answer."""
    watcher = Watcher(settings.kafka_client, settings.topology)
    group = Consumer({**settings.kafka_client, "group.id": settings.topology.app})
    try:
        past = [TopicPartition(topic, partition, 1) for topic in topics for partition in (0, 1)]
        group.commit(offsets=past[1:], asynchronous=False)
        with pytest.raises(NotCaughtUpError, match=rf"most of them \(2\) in {topics[0]}/0"):
            watcher.wait_past(topics, 0)
        group.commit(offsets=past[:1], asynchronous=False)
        watcher.wait_past(topics, 20)
    finally:
        group.close()
        watcher.close()
        producer.close()


def test_what_lies_beyond_the_read_position_counts_only_if_it_is_a_record(settings: Settings) -> None:
    """A transaction ends with a marker, which has an offset and is nothing to read. While it is open there is no rest."""
    topic = settings.topology.identity
    producer = Producer({**settings.kafka_client, "transactional.id": settings.namespace})
    producer.init_transactions()
    producer.begin_transaction()
    producer.produce(topic, b"frame")
    producer.commit_transaction()
    watcher = Watcher(settings.kafka_client, settings.topology)
    group = Consumer({**settings.kafka_client, "group.id": settings.topology.app})
    try:
        assert not watcher.at_rest()
        while not read(settings, topic):
            """The marker of a commit is written after its answer."""
        assert not watcher.at_rest()
        group.commit(offsets=[TopicPartition(topic, 0, 1)], asynchronous=False)
        assert [(lag.topic, lag.records) for lag in watcher.lags() if lag.records] == [(topic, 1)]
        watcher.wait(20, every=0.01)
        producer.begin_transaction()
        producer.produce(topic, b"aborted")
        producer.flush()
        assert not watcher.at_rest()
        producer.abort_transaction()
        watcher.wait(20, every=0.01)
    finally:
        group.close()
        watcher.close()
        producer.close()


def letter(settings: Settings, offset: int, topic: str = "", path: str = "id") -> StoredLetter:
    told = DeadLetter.model_validate(
        {
            "code": "wrong_type",
            "path": path,
            "message": f"{path} has to be text",
            "stage": "ingest",
            "topic": topic or settings.topology.source("sales"),
            "partition": 1,
            "offset": 5,
            "time": "2018-05-01T10:00:00Z",
        }
    )
    return StoredLetter(offset, told, b"o-1", b"bad bytes", [("ce_id", b"1"), ("region", b"eu")])


def sent_to_sales(settings: Settings) -> Read:
    return [
        row for partition in (0, 1) for row in read(settings, settings.topology.source("sales"), partition)
    ]


def test_a_letter_sent_again_has_its_key_value_headers_and_where_it_came_from(settings: Settings) -> None:
    assert send_again(settings.kafka_client, settings.topology, [letter(settings, 3)]) == 1
    origin = f"{settings.topology.dead_letter}/0/3".encode()
    assert sent_to_sales(settings) == [
        (b"o-1", b"bad bytes", [("ce_id", b"1"), ("region", b"eu"), (REPLAYED_FROM, origin)])
    ]


def test_a_corrected_event_is_sent_in_structured_mode_under_the_key_and_the_other_headers(
    settings: Settings,
) -> None:
    event = b'{"specversion": "1.0", "id": "1"}'
    assert send_again(settings.kafka_client, settings.topology, [letter(settings, 4)], event) == 1
    structured = ("content-type", b"application/cloudevents+json")
    origin = f"{settings.topology.dead_letter}/0/4".encode()
    assert sent_to_sales(settings) == [
        (b"o-1", event, [("region", b"eu"), structured, (REPLAYED_FROM, origin)])
    ]


def test_nothing_is_sent_when_a_correction_cannot_mend_one_of_the_letters(settings: Settings) -> None:
    letters = [letter(settings, 3, path="data.value"), letter(settings, 4)]
    with pytest.raises(
        DeadLetterError, match="dead letter 4 was refused for id, which was told in its headers"
    ):
        send_again(settings.kafka_client, settings.topology, letters, b'{"value": 7}')
    assert sent_to_sales(settings) == []


def test_nothing_is_sent_when_one_of_the_letters_came_from_no_source(settings: Settings) -> None:
    letters = [letter(settings, 0), letter(settings, 1, settings.topology.state)]
    with pytest.raises(
        DeadLetterError, match=r"dead letter 1 came from \S+ which is no source of this pipeline"
    ):
        send_again(settings.kafka_client, settings.topology, letters)
    assert sent_to_sales(settings) == []


def test_a_record_that_is_no_dead_letter_is_listed_as_such_and_never_sent_again(settings: Settings) -> None:
    producer = Producer(settings.kafka_client)
    producer.produce(settings.topology.dead_letter, b"stray")
    producer.flush()
    producer.close()
    (stray,) = read_letters(settings.kafka_client, settings.topology)
    assert (stray.offset, stray.value, stray.letter.stage) == (0, b"stray", FOREIGN)
    assert stray.letter.topic == settings.topology.dead_letter
    assert "something else writes to this topic" in stray.letter.message
    with pytest.raises(DeadLetterError, match=r"record 0 of \S+ is no dead letter, and is not sent again"):
        send_again(settings.kafka_client, settings.topology, [stray])


def test_a_letter_that_is_not_there_is_named(settings: Settings) -> None:
    assert list(read_letters(settings.kafka_client, settings.topology)) == []
    with pytest.raises(DeadLetterError, match="there is no dead letter 7; `throughline dlq list` shows"):
        find_letter(settings.kafka_client, settings.topology, 7)


def test_without_a_broker_watching_says_so(elsewhere: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.operations.caught_up._TIMEOUT", 1.0)
    watcher = Watcher(elsewhere.kafka_client, elsewhere.topology)
    try:
        with pytest.raises(
            KafkaProblemError, match=f"asking how far the pipeline is: Kafka at {NOWHERE} does not"
        ):
            watcher.lags()
    finally:
        watcher.close()
