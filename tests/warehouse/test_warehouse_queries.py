"""Questions to the warehouse, over a small world whose answers are known."""

from __future__ import annotations

import pytest
from published_records import (
    ANNA,
    BERT,
    ORDER_7,
    TOPOLOGY,
    Consumed,
    at,
    figure,
    journey,
    override,
    person,
    promise,
    published,
    stall,
    touchpoint,
)

from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.queries import journey_of, persons_of, slowest_stages, stuck_customers, time_line
from pipeline.warehouse.sink import WarehouseSink

pytestmark = pytest.mark.services


def write(warehouse: Warehouse, records: list[Consumed]) -> None:
    def refused(record: object, reason: str) -> None:
        raise AssertionError(reason)

    WarehouseSink(warehouse, TOPOLOGY, lambda _: None, refused).write(records)


OBSERVED = {
    **figure("v-1", "2018-05-01 09:00").detail.model_dump(),
    "observed_at": at("2018-05-04 08:00"),
}
BERTS = {"person_id": str(BERT), "identifier": "customer_id:" + "0b" * 16}


@pytest.fixture
def world(warehouse: Warehouse) -> Warehouse:
    """Anna's purchase and her order's hand-over, which came before it was known whose it was; Bert's call."""
    write(
        warehouse,
        [
            *published(
                [
                    touchpoint("1", "2018-05-01 09:00", type="sales.order.placed"),
                    touchpoint(
                        "2",
                        "2018-05-02 10:00",
                        person_id=str(ORDER_7),
                        identifier="order_id:7",
                        identities={"order_id": "o-7"},
                    ),
                    touchpoint("3", "2018-05-04 10:00", identities={"email": "bert@example.org"}, **BERTS),
                ],
                TOPOLOGY.enriched,
            ),
            *published(
                [
                    promise("p-1", "2018-05-01 09:00"),
                    promise("p-1", "2018-05-01 09:00", "broken", 1),
                    promise("p-2", "2018-05-01 09:00", "withdrawn", 1),
                    figure("v-1", "2018-05-01 09:00"),
                    figure("v-1", "2018-05-01 09:00", "broken", 1, detail=OBSERVED),
                    figure("v-2", "2018-05-01 09:00", "withdrawn"),
                    figure("v-3", "2018-05-01 09:00", person_id=str(BERT)),
                    stall("s-1", "2018-05-02 10:00", person_id=str(ORDER_7)),
                    stall("s-1", "2018-05-02 10:00", revision=1),
                    stall("s-2", "2018-05-01 10:00", "resolved", stuck_hours=4, person_id=str(BERT)),
                    stall("s-3", "2018-05-01 10:00", "resolved", stuck_hours=8, person_id=str(BERT)),
                    stall("s-4", "2018-05-01 10:00", "resolved", stuck_hours=9, person_id=str(BERT)),
                    stall("s-5", "2018-05-01 10:00", "withdrawn", stuck_hours=9, person_id=str(BERT)),
                    stall("s-6", "2018-05-02 10:00", rule="approval", person_id=str(BERT)),
                    stall("s-7", "2018-05-02 10:00", "abandoned", rule="returns", given_up_hours=3),
                ],
                TOPOLOGY.findings,
            ),
            *published(
                [
                    journey(),
                    journey(journey_id="order:o-8", status="withdrawn"),
                    person(ANNA, 2, 1),
                    person(ORDER_7, 0, 1),
                    person(BERT, 1),
                    override(ORDER_7, "order_id:7", ANNA),
                ],
                TOPOLOGY.state,
            ),
        ],
    )
    return warehouse


def test_any_identifier_value_leads_to_the_person_of_today(world: Warehouse) -> None:
    assert persons_of(world, "c-1") == [ANNA]
    assert persons_of(world, "o-7") == [ANNA]
    assert persons_of(world, "bert@example.org") == [BERT]
    assert persons_of(world, str(BERT)) == [BERT]
    assert persons_of(world, "nobody") == []


def test_a_person_who_was_merged_away_is_not_found(world: Warehouse) -> None:
    assert persons_of(world, str(ORDER_7)) == []
    assert time_line(world, ORDER_7).touchpoints == []


def test_a_time_line_holds_everything_of_the_person_in_order(world: Warehouse) -> None:
    (line,) = journey_of(world, "o-7")

    assert line.person_id == ANNA
    assert [(t.id, t.time) for t in line.touchpoints] == [
        ("1", at("2018-05-01 09:00")),
        ("2", at("2018-05-02 10:00")),
    ]
    assert line.touchpoints[1].stages_entered == ["in_transit"]
    assert [(j.journey_id, j.stages, j.stages_since) for j in line.journeys] == [
        ("order:o-7", ["in_transit"], [at("2018-05-02 10:00")])
    ]
    assert [(p.rule, p.status, p.revision, p.due_at) for p in line.promises] == [
        ("delivery", "broken", 1, at("2018-05-03 09:00"))
    ]
    assert [(v.finding_id, v.rule, v.status, v.revision, v.observed_at) for v in line.values] == [
        ("v-1", "consumption", "broken", 1, at("2018-05-04 08:00"))
    ]
    [value] = line.values
    assert (value.kind, value.promised_from, value.promised_to, value.unit) == ("at_most", 6, 6, "l/100km")
    assert (value.measured, value.observations, value.observed, value.gap) == ("mean", 3, 7.8, 0.3)
    assert (value.made_at, value.made_by, value.owed_by) == (
        at("2018-05-01 09:00"),
        "marketing.ad.seen",
        "engines",
    )
    assert [(s.stage, s.status, s.since) for s in line.stalls] == [
        ("in_transit", "opened", at("2018-05-03 10:00")),
        ("returns", "abandoned", at("2018-05-03 10:00")),
    ]


def test_two_persons_with_one_value_have_a_time_line_each(world: Warehouse) -> None:
    write(
        world,
        published(
            [touchpoint("4", "2018-05-05 10:00", identities={"order_id": "o-7"}, **BERTS)],
            TOPOLOGY.enriched,
            9,
        ),
    )

    assert [line.person_id for line in journey_of(world, "o-7")] == [ANNA, BERT]


def test_stages_are_ranked_by_the_time_that_they_cost_their_customers(world: Warehouse) -> None:
    first, second, third = slowest_stages(world, at("2018-05-13 10:00"))

    assert (first.stage, first.owner, first.stalls, first.open, first.customers) == (
        "in_transit",
        "logistics",
        4,
        1,
        2,
    )
    assert first.stuck_hours == 4 + 8 + 9 + 240
    assert (first.mean_hours, first.median_hours) == (7, 8)
    assert (second.stage, second.stuck_hours, second.mean_hours, second.median_hours) == (
        "approval",
        240,
        None,
        None,
    )
    # given up after three hours: nobody left, and yet it costs no more
    assert (third.stage, third.stalls, third.open, third.stuck_hours) == ("returns", 1, 0, 3)


def test_who_is_stuck_longest_comes_first(world: Warehouse) -> None:
    assert [(s.person_id, s.stage, s.since) for s in stuck_customers(world)] == [
        (ANNA, "in_transit", at("2018-05-03 10:00")),
        (BERT, "approval", at("2018-05-03 10:00")),
    ]
    assert len(stuck_customers(world, limit=1)) == 1


def test_an_empty_warehouse_has_no_answers(warehouse: Warehouse) -> None:
    assert journey_of(warehouse, "c-1") == []
    assert slowest_stages(warehouse, at("2018-05-13 10:00")) == []
    assert stuck_customers(warehouse) == []
