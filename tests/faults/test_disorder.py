"""Scenario 5: every record twice, in another order, from clocks that are wrong, from a far future."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cluster import NewSettings, cluster
from memory_oracle import Expected, expected
from workload import Workload, large, send, small

from pipeline.core.instants import DAY, MINUTE
from pipeline.settings import Settings
from pipeline.simulate.faults import SimulatedRecord
from schemas.base import DOMAINS

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

SIZES = [
    pytest.param(small, marks=pytest.mark.faults_short, id="small"),
    pytest.param(large, marks=pytest.mark.faults, id="large"),
]
ONLY_LARGE = SIZES[1:]
Check = Callable[..., None]


@pytest.mark.parametrize("size", SIZES)
def test_every_record_twice_and_shuffled_within_the_lateness_counts_once(
    new_settings: NewSettings, tmp_path: Path, assert_base: Check, size: Callable[[], Workload]
) -> None:
    once, settings = size(), new_settings()
    seeded = random.Random(5)
    twice = [
        record if record.tick is not None else record._replace(arrival=record.arrival + delay)
        for record in once.records
        for delay in (seeded.randrange(2 * MINUTE), seeded.randrange(2 * MINUTE))[: 1 + (record.tick is None)]
    ]
    workload = in_order_of_arrival(once, twice)
    check(
        settings,
        workload,
        doubled(once, settings),
        tmp_path,
        assert_base,
        "every record twice, shuffled by 2 min",
    )


@pytest.mark.parametrize("size", ONLY_LARGE)
def test_records_shuffled_beyond_the_lateness_end_equal(
    new_settings: NewSettings, tmp_path: Path, assert_base: Check, size: Callable[[], Workload]
) -> None:
    once, settings = size(), new_settings()
    seeded = random.Random(6)
    moved = [
        record if record.tick is not None else record._replace(arrival=record.arrival + seeded.randrange(DAY))
        for record in once.records
    ]
    workload = in_order_of_arrival(once, moved)
    check(settings, workload, expected(once, settings), tmp_path, assert_base, "every record up to 24 h late")


@pytest.mark.parametrize("size", ONLY_LARGE)
def test_sources_whose_clocks_are_an_hour_off_end_equal(
    new_settings: NewSettings, tmp_path: Path, assert_base: Check, size: Callable[[], Workload]
) -> None:
    """Each domain's clock is an hour fast, right, or an hour slow."""
    once, settings = size(), new_settings()
    offsets = {domain: timedelta(hours=(0, 1, -1)[number % 3]) for number, domain in enumerate(DOMAINS)}
    skewed = tuple(
        record if record.tick is not None else shifted(record, offsets[record.domain])
        for record in once.records
    )
    workload = Workload(skewed, once.customers, once.end)
    assert skewed != once.records
    check(
        settings,
        workload,
        expected(workload, settings),
        tmp_path,
        assert_base,
        "clocks of 9 sources 0, +1, -1 h off",
    )


@pytest.mark.parametrize("size", ONLY_LARGE)
def test_a_far_future_advances_time_for_nobody(
    new_settings: NewSettings, tmp_path: Path, assert_base: Check, size: Callable[[], Workload]
) -> None:
    """Each source sends, early on, a touchpoint of tomorrow: possible, but nobody else's deadline passes by it."""
    once, settings = size(), new_settings()
    tomorrow = datetime.now(UTC) + timedelta(hours=23)
    early = tuple(future(domain, tomorrow) for domain in DOMAINS)
    workload = Workload((*once.records[:50], *early, *once.records[50:]), once.customers, once.end)
    came_to, without = expected(workload, settings), expected(once, settings)
    assert came_to.outcome.findings == without.outcome.findings, "the oracle itself was led astray"
    assert {"made", "at_risk"} & {each["status"] for each in without.outcome.findings.values()}
    check(
        settings,
        workload,
        came_to,
        tmp_path,
        assert_base,
        f"{len(early)} touchpoints of tomorrow, one a source",
    )


def check(
    settings: Settings, workload: Workload, came_to: Expected, folder: Path, assert_base: Check, injected: str
) -> None:
    with cluster(settings, folder) as running:
        running.start()
        running.start()
        send(settings, workload.records)
        assert_base(running, workload, injected, came_to=came_to)


def in_order_of_arrival(once: Workload, records: Iterable[SimulatedRecord]) -> Workload:
    """The records in a new order; a tick keeps its place, for the simulator's leaves room for the lateness."""
    ordered = sorted(records, key=lambda record: record.arrival)
    assert any(a.value != b.value for a, b in zip(ordered, once.records, strict=False)), "nothing has changed"
    # the last word is the last tick's
    last = max(once.records, key=lambda record: record.tick or 0)
    ordered.remove(last)
    return Workload((*ordered, last), once.customers, once.end)


def doubled(once: Workload, settings: Settings) -> Expected:
    """What the same records twice have to come to."""
    single = expected(once, settings)
    letters = Counter({letter: 2 * count for letter, count in single.outcome.letters.items()})
    touchpoints, duplicates = single.touchpoints, single.duplicates
    return Expected(replace(single.outcome, letters=letters), touchpoints, touchpoints + 2 * duplicates)


def shifted(record: SimulatedRecord, by: timedelta) -> SimulatedRecord:
    """As a source would send it whose clock is off; what has no time that can be read stays as it is."""
    headers = tuple(
        (name, moved(value, by) if name == "ce_time" else value) for name, value in record.headers
    )
    try:
        event = json.loads(record.value)
        event["time"] = moved(event["time"].encode(), by).decode()
        value = json.dumps(event).encode()
    except (ValueError, KeyError, TypeError, AttributeError):
        value = record.value
    return record._replace(value=value, headers=headers)


def moved(text: bytes, by: timedelta) -> bytes:
    try:
        return (datetime.fromisoformat(text.decode()) + by).isoformat().encode()
    except (ValueError, OverflowError):
        return text


def future(domain: str, at: datetime) -> SimulatedRecord:
    event = {
        "specversion": "1.0",
        "id": f"future-{domain}",
        "source": f"/future/{domain}",
        "type": f"{domain}.future.seen",
        "time": at.isoformat(),
        "identities": {"customer_id": "from-the-future"},
        "data": {},
    }
    return SimulatedRecord(0, domain, b"future", json.dumps(event).encode(), ())
