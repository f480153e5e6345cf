"""Past touchpoints out of the warehouse: all of them, in order of time, and enough to conclude the same again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from published_records import TOPOLOGY, Consumed, at, published, touchpoint

from pipeline.core.instants import DAY, micros
from pipeline.core.plan import compile_plan
from pipeline.core.run import MemoryPipeline, RunConfig
from pipeline.maps import load_map
from pipeline.shadow.comparison import Comparison
from pipeline.shadow.conclusions import pairs, rules_of
from pipeline.shadow.persons import PersonComparison, PublishedToPersons
from pipeline.simulate.simulation import Simulation
from pipeline.simulate.tangles import Tangles
from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.past_touchpoints import PastInWarehouse
from pipeline.warehouse.sink import WarehouseSink

pytestmark = pytest.mark.services

COMPANY = Path(__file__).parents[2] / "examples" / "company" / "map.yaml"


def write(warehouse: Warehouse, records: Sequence[Consumed]) -> None:
    def refused(record: object, reason: str) -> None:
        raise AssertionError(reason)

    WarehouseSink(warehouse, TOPOLOGY, lambda _: None, refused).write(list(records))


def read(
    warehouse: Warehouse, first: str | None = None, last: str | None = None, page: int = 100
) -> list[Any]:
    bounds = [None if each is None else micros(at(each)) for each in (first, last)]
    return [json.loads(each.event) for each in PastInWarehouse(warehouse, page).read(*bounds)]


def test_a_touchpoint_is_the_event_that_it_was(warehouse: Warehouse) -> None:
    data = {"amount": 1.5, "lines": [{"sku": "ü"}], "none": None}
    sent = touchpoint("1", "2018-05-01 09:00", data=data, subject="o-7", outcome="failure")
    write(warehouse, published([sent], TOPOLOGY.enriched))
    (found,) = read(warehouse)
    assert found == {
        "specversion": "1.0",
        "id": sent.id,
        "source": sent.source,
        "type": sent.type,
        "time": "2018-05-01T09:00:00Z",
        "identities": sent.identities,
        "subject": "o-7",
        "outcome": "failure",
        "data": data,
    }


@pytest.mark.parametrize("page", [1, 2, 3, 100])
def test_pages_leave_nothing_out_and_repeat_nothing(warehouse: Warehouse, page: int) -> None:
    times = [
        "2018-05-03 09:00",
        "2018-05-01 09:00",
        "2018-05-01 09:00",
        "2018-05-02 09:00",
        "2018-06-01 00:00",
    ]
    sent = [touchpoint(str(number), time) for number, time in enumerate(times)]
    # two of them were written twice, as by a worker that was killed
    write(warehouse, published([*sent, *sent[:2]], TOPOLOGY.enriched))
    assert [each["id"] for each in read(warehouse, page=page)] == ["1", "2", "3", "0", "4"]


def test_bounds_are_inclusive(warehouse: Warehouse) -> None:
    sent = [touchpoint(str(day), f"2018-05-0{day} 09:00") for day in range(1, 6)]
    write(warehouse, published(sent, TOPOLOGY.enriched))
    assert [each["id"] for each in read(warehouse, "2018-05-02 09:00", "2018-05-04 09:00", 1)] == [
        "2",
        "3",
        "4",
    ]
    assert [each["id"] for each in read(warehouse, None, "2018-05-01 09:00")] == ["1"]
    assert read(warehouse, "2018-05-06 00:00") == []


@pytest.mark.parametrize("page", [1, 100])
def test_earlier_ones_are_those_that_share_a_value_with_one_from_the_instant_on(
    warehouse: Warehouse, page: int
) -> None:
    sent = [
        touchpoint("shares-order", "2018-05-01 09:00", identities={"order_id": "o-1"}),
        touchpoint("shares-nothing", "2018-05-01 10:00", identities={"order_id": "o-2", "email": "a@b.c"}),
        touchpoint("shares-subject", "2018-05-02 09:00", identities={"order_id": "o-3"}, subject="s-1"),
        touchpoint("shares-nothing-blank", "2018-05-02 09:00", identities={"email": "d@e.f"}),
        touchpoint("from-then-on", "2018-05-03 09:00", identities={"order_id": "o-1", "email": "a@b.c"}),
        touchpoint("from-then-on-too", "2018-05-04 09:00", identities={"phone": "1"}, subject="s-1"),
        touchpoint("after-until", "2018-05-06 09:00", identities={"order_id": "o-2"}),
    ]
    write(warehouse, published(sent, TOPOLOGY.enriched))

    def earlier(sharing: list[str] | None) -> list[str]:
        first, last = (micros(at(each)) for each in ("2018-05-03 09:00", "2018-05-05 00:00"))
        past = PastInWarehouse(warehouse, page).read_earlier(first, last, sharing)
        return [json.loads(each.event)["id"] for each in past]

    assert earlier(["identities.order_id"]) == ["shares-order"]
    assert earlier(["identities.order_id", "subject"]) == ["shares-order", "shares-subject"]
    assert earlier([]) == []
    assert sorted(earlier(None)) == sorted(each.id for each in sent[:4])


def test_an_empty_warehouse_has_none(warehouse: Warehouse) -> None:
    assert read(warehouse) == []


def test_it_ends_although_more_comes_in(warehouse: Warehouse) -> None:
    write(warehouse, published([touchpoint("1", "2018-05-01 09:00")], TOPOLOGY.enriched))
    past = PastInWarehouse(warehouse, page=1)
    found = []
    for number, each in enumerate(past.read(None, None), 2):
        found.append(json.loads(each.event)["id"])
        write(
            warehouse, published([touchpoint(str(number), f"2018-05-{number:02} 09:00")], TOPOLOGY.enriched)
        )
    assert found == ["1"]


def test_what_the_warehouse_keeps_is_enough_to_conclude_the_same_again(warehouse: Warehouse) -> None:
    """Persons who are hard to know, links and their withdrawals, unmapped types, repetitions, late ones: all of it."""
    plan = compile_plan(load_map(COMPANY))
    simulation = Simulation(3, customers=150, days=10, tangles=Tangles(0.25))
    end = micros(simulation.end)
    config = RunConfig("a key", end + DAY)
    first = PublishedToPersons()
    pipeline = MemoryPipeline(plan, config, keeps_enriched=True)
    for sink in (pipeline, MemoryPipeline(plan, config, published=first)):
        for record in simulation.records():
            if record.tick is None:
                sink.feed(record.domain, record.value, record.key, record.headers)
        sink.tick(end)
        sink.drain()
    enriched = pipeline.published.enriched
    write(warehouse, [Consumed(TOPOLOGY.enriched, number, value) for number, value in enumerate(enriched)])

    again = PublishedToPersons()
    late = MemoryPipeline(plan, config, published=again)
    for each in PastInWarehouse(warehouse, page=1000).read(None, None):
        late.feed("service", each.event)
    late.tick(end)
    late.drain()

    compared = Comparison(rules_of(plan), rules_of(plan), 5)
    for pair in pairs(first, again):
        compared.take(pair)
    assert compared.changes() == []
    assert sum(count.live for rule in compared.rules() for count in rule.statuses) > 500
    persons = PersonComparison(first.whose(), again.whose()).persons(5)
    assert (persons.joined, persons.split, persons.renamed) == (0, 0, 0)
    assert again.dead_letters == []
