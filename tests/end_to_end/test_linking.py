"""Persons with several identifiers, through real workers, one of which is killed: the same persons as in memory."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from pipelines import NewSettings, running, until
from test_killed_worker import worker_process

from pipeline.core.instants import micros, moment
from pipeline.core.plan import compile_plan
from pipeline.core.run import RunConfig, run
from pipeline.maps import load_map
from pipeline.operations.feeding import feed

pytestmark = [pytest.mark.services, pytest.mark.faults, pytest.mark.timeout(240)]

START = datetime(2026, 3, 1, tzinfo=UTC)
NOW = micros(datetime(2026, 6, 1, tzinfo=UTC))
HOUSEHOLDS = 150
MAP = """\
version: 1
name: households
identifiers:
  customer_id: {kind: personal, strength: 900, unique: true}
  email: {kind: personal, strength: 700, most_per_person: 3}
  cookie: {kind: personal, strength: 300, most_links: 4}
  order_id: {kind: reference, strength: 500}
touchpoints:
  marketing.page.viewed: {owner: web}
  sales.order.placed: {owner: shop}
  fulfilment.order.delivered: {owner: carriers}
journeys:
  order:
    key: data.order
    promises:
      delivery:
        made_by: sales.order.placed
        due: {within: 3d}
        met_by: fulfilment.order.delivered
        owed_by: carriers
"""


@dataclass(frozen=True)
class Event:
    time: int
    domain: str
    key: bytes
    value: bytes


def household(
    number: int, dice: random.Random
) -> Iterator[tuple[timedelta, str, dict[str, str], dict[str, object]]]:
    """Two customers, their addresses and cookies, one of which both use; some of it is taken back later."""
    cookies = [f"{number}-{name}" for name in ("left", "right", "both")]
    people = [f"{number}-{name}" for name in ("ann", "bert")]
    for step in range(dice.randint(12, 24)):
        person = dice.choice(people)
        known = {"customer_id": person, "email": f"{person}@example.com", "cookie": dice.choice(cookies)}
        if dice.random() < 0.1:
            known["email"] = f"family-{number}@example.com"
        identities = dict(dice.sample(sorted(known.items()), dice.choice([1, 1, 1, 2, 2, 3])))
        at = timedelta(minutes=dice.randint(0, 20 * 24 * 60))
        order = f"{number}-{step}"
        yield at, "marketing.page.viewed", identities, {}
        if dice.random() < 0.5:
            identities = {**identities, "order_id": order}
            yield at + timedelta(minutes=1), "sales.order.placed", identities, {"order": order}
            late = timedelta(hours=dice.randint(1, 120))
            yield at + late, "fulfilment.order.delivered", {"order_id": order}, {"order": order}
    if dice.random() < 0.4:
        word = dice.choice(["unlinked", "unlinked", "linked"])
        apart = {"cookie": cookies[2], "email": f"{people[0]}@example.com"}
        yield timedelta(days=21), f"service.identity.{word}", apart, {}


def events() -> list[Event]:
    dice = random.Random(20260301)
    found = []
    for number in range(HOUSEHOLDS):
        for place, (at, touchpoint_type, identities, data) in enumerate(household(number, dice)):
            time = START + at
            value = {
                "specversion": "1.0",
                "id": f"{number}-{place}",
                "source": "shop",
                "type": touchpoint_type,
                "time": time,
                "identities": identities,
                "data": data,
            }
            domain = touchpoint_type.partition(".")[0]
            found.append(Event(micros(time), domain, b"%d" % number, msgspec.json.encode(value)))
    return sorted(found, key=lambda event: event.time)


def test_linked_persons_are_the_same_through_workers_that_are_killed(
    new_settings: NewSettings, tmp_path: Path
) -> None:
    journey_map = tmp_path / "map.yaml"
    journey_map.write_text(MAP)
    plan = compile_plan(load_map(journey_map))
    coming = events()
    end = coming[-1].time
    settings = new_settings(journey_map=journey_map, batch_records=100)
    config = RunConfig(settings.identity_key.get_secret_value(), NOW)
    expected = run(plan, coming, config, end)
    assert expected.counts["received"] > 100, "nothing moved, so that nothing is shown"
    with running(settings, workers=2) as pipeline:
        with pipeline.writer() as writer:
            feed(coming, writer, end)
        until(
            lambda: bool(pipeline.query("SELECT 1 FROM person_overrides LIMIT 1")),
            "some touchpoints have moved",
        )
        os.kill(worker_process(settings.home), signal.SIGKILL)
        pipeline.wait()
        assert pipeline.summary(moment(end)) == expected.summary
        stored = pipeline.query(
            "SELECT toString(person_id), touchpoints FROM persons FINAL WHERE touchpoints > 0"
        )
    states = [msgspec.json.decode(value) for value in expected.published.states.values()]
    persons = {
        state["person_id"]: state["touchpoints"]
        for state in states
        if state["kind"] == "person" and state["touchpoints"]
    }
    assert dict(stored) == persons
