"""Squashing waits until the warehouse stage has stored what the overrides may speak of, or says that it has not."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from moving_world import Sinks, belongs_to, rows
from published_records import ANNA, ORDER_7, Consumed, override, touchpoint

from pipeline.operations.caught_up import NotCaughtUpError, Watcher
from pipeline.operations.pipelines import create
from pipeline.operations.squashing import preview_squash, squash_overrides
from pipeline.settings import Settings
from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.squash import Squashed

pytestmark = pytest.mark.services

BORN = touchpoint("1", "2018-05-02 10:00", person_id=str(ORDER_7))


@pytest.fixture
def settings(kafka: str, clickhouse: str) -> Iterator[Settings]:
    """A pipeline's topics and tables, and nobody who works on them."""
    settings = Settings(
        kafka=kafka, clickhouse=clickhouse, namespace=f"squash-{uuid.uuid4().hex[:8]}", partitions=1
    )
    create(settings)
    yield settings
    with closing(Warehouse.of(settings)) as warehouse:
        warehouse.drop_database()


@pytest.fixture
def watcher(settings: Settings) -> Iterator[Watcher]:
    with closing(Watcher(settings.kafka_client, settings.topology)) as watcher:
        yield watcher


@pytest.fixture
def journeys(settings: Settings) -> Producer:
    """Publishes as the journey stage does, in transactions."""
    producer = Producer({**settings.kafka_client, "transactional.id": settings.namespace})
    producer.init_transactions()
    return producer


def publish(journeys: Producer, settings: Settings) -> None:
    """A touchpoint, in a transaction that stays open."""
    journeys.begin_transaction()
    journeys.produce(settings.topology.enriched, BORN.model_dump_json().encode())
    journeys.flush()


def acknowledge(settings: Settings, offset: int) -> None:
    """The warehouse stage has stored everything before the offset."""
    group = Consumer({**settings.kafka_client, "group.id": settings.topology.app})
    group.commit(offsets=[TopicPartition(settings.topology.enriched, 0, offset)], asynchronous=False)
    group.close()


def test_what_was_published_is_waited_for_until_its_stage_has_acknowledged_it(
    settings: Settings, watcher: Watcher, journeys: Producer
) -> None:
    topics = [settings.topology.enriched]
    watcher.wait_past(topics, 0)
    publish(journeys, settings)
    journeys.commit_transaction()

    with pytest.raises(NotCaughtUpError, match="are unread"):
        watcher.wait_past(topics, 0)
    watcher.wait_past([settings.topology.state], 0)
    acknowledge(settings, 1)  # behind it is only the transaction's marker
    watcher.wait_past(topics, 0)


def test_a_transaction_that_is_open_is_waited_for_until_it_ends(
    settings: Settings, watcher: Watcher, journeys: Producer
) -> None:
    publish(journeys, settings)

    with pytest.raises(NotCaughtUpError, match="1 records are unread"):
        watcher.wait_past([settings.topology.enriched], 0)
    journeys.abort_transaction()
    watcher.wait_past([settings.topology.enriched], 20, every=0.05)


def test_a_squash_beside_a_stopped_warehouse_stage_says_so_and_removes_nothing(
    settings: Settings, journeys: Producer
) -> None:
    with closing(Warehouse.of(settings)) as warehouse:
        moved = override(ORDER_7, BORN.identifier, ANNA).model_dump_json().encode()
        Sinks(warehouse, settings.topology).write([Consumed(settings.topology.state, 0, moved)])
        publish(journeys, settings)
        journeys.commit_transaction()

        with pytest.raises(
            NotCaughtUpError,
            match=r"not in the warehouse: .* \d records are unread.*No override was removed; when a worker runs",
        ):
            squash_overrides(settings, 0)
        assert preview_squash(settings) == Squashed(overrides=1)
        assert rows(warehouse, ["squashed_overrides"]) == {"squashed_overrides": 0}

        stored = Consumed(settings.topology.enriched, 0, BORN.model_dump_json().encode())
        Sinks(warehouse, settings.topology).write([stored])
        acknowledge(settings, 1)
        assert squash_overrides(settings, 0) == Squashed(1, 1, frozenset({201805}))
        assert belongs_to(warehouse) == {"1": ANNA}
