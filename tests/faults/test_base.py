"""BASE itself: it holds for a run that nothing disturbed, and says so when anything is missing, doubled or changed."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from base import compare
from cluster import Cluster, NewSettings, Tell, cluster
from confluent_kafka import Producer
from memory_oracle import expected
from workload import Workload, send, small

from pipeline.warehouse.client import Warehouse

pytestmark = [pytest.mark.services, pytest.mark.faults_short, pytest.mark.timeout(180)]


def test_a_quiet_run_is_equal_and_every_mutilation_of_it_is_told(
    new_settings: NewSettings, tmp_path: Path, assert_base: Callable[..., None], tell: Tell
) -> None:
    workload, settings = small(), new_settings()
    with cluster(settings, tmp_path) as running:
        running.start()
        running.start()
        send(settings, workload.records)
        assert_base(running, workload, "nothing")
        running.end()
        before = said(running, workload)
        for mutilations in ROUNDS:
            for mutilate in mutilations.values():
                mutilate(running)
            after = said(running, workload)
            new = "\n".join(each for each in after if each not in before)
            assert [name for name in mutilations if name not in new] == [], new
            before = after
    told = [name.strip(": ") for mutilations in ROUNDS for name in mutilations]
    tell(f"{len(told)} mutilations, all told: {', '.join(told)}")


def said(running: Cluster, workload: Workload) -> list[str]:
    settings = running.settings
    ticks = workload.per_tick(len(settings.topology.sources))
    return compare(expected(workload, settings), settings, workload.sent + ticks, ticks).differences


def query(sql: str) -> Callable[[Cluster], None]:
    def run(running: Cluster) -> None:
        with closing(Warehouse.of(running.settings)) as warehouse:
            warehouse.query(sql)

    return run


def again(topic: str, key: bytes | None = None, **changed: Any) -> Callable[[Cluster], None]:
    """The first record of a topic, sent once more, perhaps changed or under another key."""
    from base import read

    def run(running: Cluster) -> None:
        name = getattr(running.settings.topology, topic)
        record = next(iter(read(running.settings).of(name)))
        value = json.dumps({**json.loads(record.value()), **changed}).encode()
        produce(running, name, key or record.key(), value, record.partition())

    return run


def forget_a_person(running: Cluster) -> None:
    """A tombstone in the journey stage's changelog."""
    from base import read

    topology = running.settings.topology
    changelog = topology.changelog("journey", topology.journeys)
    for (_, partition), store in read(running.settings).latest(changelog).items():
        for key in store:
            if key[:1] == b"p":
                return produce(running, changelog, key, None, partition)
    raise AssertionError("nobody is in the changelog")


def unread_input(running: Cluster) -> None:
    topology = running.settings.topology
    produce(running, topology.identity, None, b"\x90", 0)


def produce(running: Cluster, topic: str, key: bytes | None, value: bytes | None, partition: int) -> None:
    producer = Producer(running.settings.kafka_client)
    producer.produce(topic, value, key, partition)
    assert producer.flush(10) == 0


_NOBODY = "00000000-0000-8000-8000-000000000000"
_LINK: dict[str, Any] = {
    "kind": "link", "one": "a:1", "other": "b:2", "status": "joined", "rule": None, "persons": [], "linked_at": None,
    "linked_source": None, "linked_id": None, "said_at": None, "said_source": None, "said_id": None, "said_one": None,
}  # fmt: skip
_LEARNED: dict[str, Any] = {
    "kind": "learned", "of": "stage", "rule": "somewhere", "segment": None, "day": "2026-03-05T00:00:00Z", "ended": 12,
    "limit_seconds": 60.0, "low_seconds": 30.0, "high_seconds": None, "percentiles": [],
}  # fmt: skip
_DELETE = "SETTINGS mutations_sync = 1"
_WAREHOUSE: dict[str, Callable[[Cluster], None]] = {
    "table touchpoints_hourly": query(
        "INSERT INTO touchpoints_hourly SELECT * REPLACE (touchpoints + 1 AS touchpoints, version + 1 AS version) "
        "FROM touchpoints_hourly FINAL ORDER BY hour LIMIT 1"
    ),
    "table promises_daily": query(f"ALTER TABLE promises_daily DELETE WHERE status = 'broken' {_DELETE}"),
    "table stalls_daily": query(
        "INSERT INTO stalls_daily SELECT * REPLACE (dwell_seconds + 1 AS dwell_seconds, version + 1 AS version) "
        "FROM stalls_daily FINAL WHERE stalls > 0 LIMIT 1"
    ),
    "table touchpoints:": query(
        f"ALTER TABLE touchpoints DELETE WHERE id = (SELECT min(id) FROM touchpoints) {_DELETE}"
    ),
    "table findings": query(
        f"ALTER TABLE findings DELETE WHERE finding_id = (SELECT min(finding_id) FROM findings) {_DELETE}"
    ),
    "table promises:": query(f"ALTER TABLE promises UPDATE rule = 'other' WHERE status = 'kept' {_DELETE}"),
    "table value_promises": query(
        f"ALTER TABLE value_promises UPDATE gap = 0 WHERE status = 'broken' {_DELETE}"
    ),
    "table stalls:": query(f"ALTER TABLE stalls DELETE WHERE true {_DELETE}"),
    "table persons": query(f"ALTER TABLE persons DELETE WHERE touchpoints > 5 {_DELETE}"),
    "table journeys": query(f"ALTER TABLE journeys DELETE WHERE status = 'open' {_DELETE}"),
    "table dead_letters": query(f"ALTER TABLE dead_letters DELETE WHERE offset % 2 = 0 {_DELETE}"),
    "view links": query(
        f"ALTER TABLE identity_links UPDATE rule = 'unique' WHERE status = 'joined' {_DELETE}"
    ),
    "table identifiers": query(f"ALTER TABLE identifiers DELETE WHERE identifier = named_by {_DELETE}"),
    "table learned_limits": query(f"ALTER TABLE learned_limits DELETE WHERE ended > 0 {_DELETE}"),
    "table stage_counts": query(f"ALTER TABLE stage_counts DELETE WHERE name = 'touchpoints' {_DELETE}"),
}
_TWICE: dict[str, Callable[[Cluster], None]] = {
    "enriched touchpoints, beyond": again("enriched"),
    "revisions published more than once": again("findings"),
    "counted": again(
        "state", b"more", kind="counts", stage="journey", partition=9, version=1, counts={"touchpoints": 1}
    ),
    "view touchpoints_resolved": query(
        "INSERT INTO touchpoints SELECT * REPLACE ('more' AS id) FROM touchpoints LIMIT 1"
    ),
}
_OTHER: dict[str, Callable[[Cluster], None]] = {
    "touchpoints: ": again("enriched", type="sales.order.lost"),
    "findings: ": again("findings", revision=99, rule="another"),
    "persons: ": again(
        "state", b"nobody", identifiers=[], kind="person", person_id="nobody", touchpoints=1, version=1 << 40
    ),
    "learned: ": again("state", b"learned", **_LEARNED),
    "links: ": again("state", b"link:a:1/b:2", **_LINK),
    "identifiers: ": again(
        "state",
        b"identifier:a:1",
        kind="identifier",
        identifier="a:1",
        person_id=_NOBODY,
        named_by="a:1",
        shared=False,
    ),
    "trails: ": forget_a_person,
    "identity stands at": unread_input,
}
ROUNDS = (_WAREHOUSE, _TWICE, _OTHER)
"""Of mutilations, each by what has to be said of it; one round's hide nothing of another's."""


def test_a_difference_names_what_is_missing_too_much_and_other() -> None:
    from base import differs

    one = {"a": 1, "b": 2}
    assert differs("x", one, copy.copy(one)) == ""
    assert differs("x", one, {"b": 3, "c": 4}).startswith("x: 1 missing, 1 too many, 1 different; 2 is 3")
