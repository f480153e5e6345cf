"""Past touchpoints out of source topics, on a real broker: everything committed, once, and an end."""

from __future__ import annotations

import json
import uuid
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from command_line import NOWHERE
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from pipeline.core.instants import micros
from pipeline.engine.topics import ensure_topics
from pipeline.operations.clients import KafkaProblemError
from pipeline.operations.past_touchpoints import PastInKafka
from pipeline.operations.sources import SourceWriter
from pipeline.settings import Settings

pytestmark = pytest.mark.services


@pytest.fixture
def settings(kafka: str) -> Settings:
    """A pipeline's topics, and nobody who works on them."""
    settings = Settings(
        kafka=kafka, namespace=f"past-{uuid.uuid4().hex[:8]}", source_partitions=2, partitions=1
    )
    ensure_topics(settings.kafka_admin, settings.topology.specs())
    return settings


def event(name: str, when: str = "2018-05-01T10:00:00Z", **more: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": name,
        "source": "shop",
        "type": "sales.order.paid",
        "time": when,
        "identities": {"order_id": name},
        **more,
    }


def read(settings: Settings, first: int | None = None, last: int | None = None) -> list[dict[str, Any]]:
    """What is read of the topics as they are now, in the order of ids."""
    with closing(PastInKafka(settings.kafka_client, settings.topology)) as past:
        found = [json.loads(each.event) for each in past.read(first, last)]
    return sorted(found, key=lambda each: str(each["id"]))


def test_every_touchpoint_of_every_topic_and_partition_comes_once_as_it_was_sent(settings: Settings) -> None:
    sent = [event(f"{number:03}", sequence="7", shop="online") for number in range(200)]
    with SourceWriter(settings.kafka_client, settings.topology) as writer:
        for number, each in enumerate(sent):
            domain = settings.topology.domains[number % 9]
            writer.send(domain, f"{number}".encode(), json.dumps(each).encode())
        writer.tick(micros(datetime(2018, 6, 1, tzinfo=UTC)))
    assert read(settings) == sent
    with closing(PastInKafka(settings.kafka_client, settings.topology)) as past:
        assert len(list(past.read(None, None))) == len(sent)
        assert past.unreadable == 0, "a tick is no touchpoint, and no record that was refused"


def test_an_event_in_binary_mode_is_the_same_event(settings: Settings) -> None:
    headers = [
        (f"ce_{name}", value.encode()) for name, value in event("1", identities='{"order_id": "1"}').items()
    ]
    with SourceWriter(settings.kafka_client, settings.topology) as writer:
        writer.send("sales", None, b'{"amount": 7}', [*headers, ("content-type", b"application/json")])
    (found,) = read(settings)
    assert found == event("1", datacontenttype="application/json", data={"amount": 7})


def test_bounds_are_of_event_time_and_inclusive(settings: Settings) -> None:
    with SourceWriter(settings.kafka_client, settings.topology) as writer:
        for number, hour in enumerate((12, 9, 10, 11)):
            writer.send(
                "sales", None, json.dumps(event(str(number), f"2018-05-01T{hour:02}:00:00Z")).encode()
            )
    ten, eleven = (micros(datetime(2018, 5, 1, hour, tzinfo=UTC)) for hour in (10, 11))
    assert [each["id"] for each in read(settings, ten, eleven)] == ["2", "3"]


def test_what_every_map_refuses_is_counted_and_left_out(settings: Settings) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    with SourceWriter(settings.kafka_client, settings.topology) as writer:
        for value in (event("1"), {"id": "2"}, event("3", "1969-12-31T00:00:00Z"), event("4", tomorrow)):
            writer.send("sales", None, json.dumps(value).encode())
        writer.send("sales", None, b"\x00no json")
    with closing(PastInKafka(settings.kafka_client, settings.topology)) as past:
        assert [json.loads(each.event)["id"] for each in past.read(None, None)] == ["1"]
        assert past.unreadable == 4
        assert len(list(past.read(None, None))) == 1, "a second reading is as the first"
        assert past.unreadable == 4


def test_what_was_not_committed_is_not_there_and_holds_up_nobody(settings: Settings) -> None:
    topic = settings.topology.source("sales")
    producer = Producer({**settings.kafka_client, "transactional.id": settings.namespace})
    producer.init_transactions(20)
    for name, ends in (("kept", producer.commit_transaction), ("dropped", producer.abort_transaction)):
        producer.begin_transaction()
        producer.produce(topic, json.dumps(event(name)).encode(), partition=0)
        producer.flush(20)
        ends(20)
    producer.begin_transaction()
    producer.produce(topic, json.dumps(event("open")).encode(), partition=0)
    producer.flush(20)
    try:
        assert [each["id"] for each in read(settings)] == ["kept"]
    finally:
        producer.abort_transaction(20)
        producer.close()


def test_it_ends_although_more_comes_in(settings: Settings) -> None:
    with SourceWriter(settings.kafka_client, settings.topology) as writer:
        writer.send("sales", b"k", json.dumps(event("0")).encode())
        writer.flush()
        with closing(PastInKafka(settings.kafka_client, settings.topology)) as past:
            found = []
            for number, each in enumerate(past.read(None, None), 1):
                found.append(json.loads(each.event)["id"])
                writer.send("sales", b"k", json.dumps(event(str(number))).encode())
                writer.flush()
            writer.send("sales", b"k", json.dumps(event("later")).encode())
            writer.flush()
            assert [json.loads(each.event)["id"] for each in past.read(None, None)] == found == ["0"]


def test_what_retention_took_is_told_by_when_it_was_written(settings: Settings) -> None:
    """Whatever time its producer gave to a record: else retention would go by that."""
    topic = settings.topology.source("sales")
    producer = Producer(settings.kafka_client)
    for number in range(3):
        producer.produce(
            topic, json.dumps(event(str(number))).encode(), partition=1, timestamp=1_525_168_800_000
        )
    assert producer.flush(20) == 0
    producer.close()
    admin = AdminClient(settings.kafka_client)
    for future in admin.delete_records([TopicPartition(topic, 1, 2)]).values():
        future.result(20)
    with closing(PastInKafka(settings.kafka_client, settings.topology)) as past:
        assert [json.loads(each.event)["id"] for each in past.read(None, None)] == ["2"]
        (note,) = past.notes()
        assert note == (
            f"{topic}/1 has lost records to retention and begins with those of {datetime.now(UTC).date()}; "
            "--source clickhouse reaches further"
        )


def test_a_broker_that_is_not_there_is_told_with_the_remedy() -> None:
    elsewhere = Settings(kafka=NOWHERE)
    with pytest.raises(KafkaProblemError, match="start it with `throughline up`, or set THROUGHLINE_KAFKA"):
        PastInKafka(elsewhere.kafka_client, elsewhere.topology)
