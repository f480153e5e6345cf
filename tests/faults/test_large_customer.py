"""Scenario 7: one customer with very many touchpoints, and very many customers in one partition."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from itertools import count, islice
from pathlib import Path

import pytest
from base import compare, counted, read
from cluster import Cluster, NewSettings, Tell, cluster
from confluent_kafka import Consumer, TopicPartition
from memory_oracle import expected
from workload import MAP, Workload, send, small

from pipeline.core.instants import moment
from pipeline.core.persons import VALUE_BYTES
from pipeline.core.plan import compile_plan
from pipeline.core.tokens import Tokens, partition_of_token
from pipeline.maps import load_map
from pipeline.operations.caught_up import Watcher
from pipeline.settings import Settings
from pipeline.simulate.faults import SimulatedRecord

pytestmark = [pytest.mark.services, pytest.mark.faults, pytest.mark.timeout(1500)]

CRAWLED = 1_000_000
MANY = 100_000
FEW = 300


def test_a_customer_with_very_many_touchpoints_is_bounded_and_what_is_cut_is_counted(
    new_settings: NewSettings, tmp_path: Path, tell: Tell
) -> None:
    others, settings = small(), new_settings(batch_records=4000)
    crawler = tuple(viewed("crawler", CRAWLED - number, others.end) for number in range(CRAWLED))
    workload = Workload((*others.records[:-1], *crawler, others.records[-1]), others.customers, others.end)
    with cluster(settings, tmp_path) as running:
        running.start()
        running.start()
        send(settings, workload.records)
        running.settle(900)
        ticks = workload.per_tick(len(settings.topology.sources))
        verdict = compare(expected(workload, settings), settings, workload.sent + ticks, ticks)
        # when it is cut depends on the batches: only of this customer may the kept part be another
        assert all(
            each.startswith("trails: 0 missing, 0 too many, 1 different") for each in verdict.differences
        )
        topics = read(settings)
        changelog = settings.topology.changelog("journey", settings.topology.journeys)
        sizes = [len(value) for store in topics.latest(changelog).values() for value in store.values()]
        assert max(sizes) <= VALUE_BYTES
        cut = counted(topics, settings)["cut_touchpoints"]
        assert CRAWLED - settings.trail_entries <= cut < CRAWLED
    tell(
        f"{CRAWLED} touchpoints of one customer, {cut} cut and counted; largest value of state {max(sizes)} bytes; "
        f"equal but for its kept trail: {verdict}"
    )


def test_very_many_customers_in_one_partition_hold_up_no_other(
    new_settings: NewSettings, tmp_path: Path, tell: Tell
) -> None:
    settings, end = new_settings(), small().end
    hot = tuple(
        viewed(customer, MANY - number, end)
        for number, customer in enumerate(islice(customers(settings, {0}), MANY))
    )
    quick = tuple(
        viewed(customer, MANY - number, end)._replace(domain="service")
        for number, customer in enumerate(islice(customers(settings, {1, 2}), FEW))
    )
    with cluster(settings, tmp_path) as running:
        before = enriched(running)
        send(settings, hot)
        send(settings, quick)
        running.start()
        running.start()
        await_all(running, before, {record.key for record in quick})
        # transaction markers are among what was written meanwhile, so this is at least what is left
        left = MANY + FEW - (sum(enriched(running).values()) - sum(before.values()))
        assert left > 0, "the hot partition was done before the others"
        running.settle()
    tell(
        f"{MANY} customers in one partition; {FEW} in the others came through while about {left} of them waited"
    )


def viewed(customer: str, before: int, end: int) -> SimulatedRecord:
    """Something `before` milliseconds before the end; it belongs to no journey."""
    event = {
        "specversion": "1.0",
        "id": f"{customer}-{before}",
        "source": "/pages",
        "type": "marketing.crawler.seen",
        "time": (moment(end) - timedelta(milliseconds=before)).isoformat(),
        "identities": {"customer_id": customer},
        "subject": customer,
        "data": {},
    }
    return SimulatedRecord(end, "marketing", customer.encode(), json.dumps(event).encode())


def customers(settings: Settings, partitions: set[int]) -> Iterator[str]:
    """Customers of these partitions."""
    tokens = Tokens(settings.identity_key.get_secret_value(), compile_plan(load_map(MAP)).kinds)
    for number in count():
        customer = f"hot-{number}"
        token = tokens.token("customer_id", customer)
        if token is not None and partition_of_token(token, settings.partitions) in partitions:
            yield customer


def await_all(running: Cluster, since: dict[int, int], customers: set[bytes | None]) -> None:
    """Returns when the touchpoints of all these customers have come out."""
    topic = running.settings.topology.enriched
    options = {"group.id": "quick", "isolation.level": "read_committed", "enable.auto.commit": False}
    with closing(Consumer({**running.settings.kafka_client, **options})) as reader:
        reader.assign([TopicPartition(topic, partition, offset) for partition, offset in since.items()])
        while customers:
            for record in reader.consume(2000, 0.2):
                customers.discard(json.loads(record.value())["subject"].encode())
            running.require_all_running()


def enriched(running: Cluster) -> dict[int, int]:
    """The end of each partition of the enriched touchpoints, as a committed reader sees it."""
    topic = running.settings.topology.enriched
    with closing(Watcher(running.settings.kafka_client, running.settings.topology)) as watcher:
        return {lag.partition: lag.end for lag in watcher.lags() if lag.topic == topic}
