"""The summary counts what stands, not what was written."""

from __future__ import annotations

import pytest
from published_records import (
    ANNA,
    BERT,
    LEARNED,
    ORDER_7,
    TOPOLOGY,
    at,
    counts,
    figure,
    letter,
    person,
    promise,
    published,
    stall,
    touchpoint,
)

from pipeline.core.plan import compile_plan
from pipeline.core.summary import PromiseCounts, StallCounts, Summary, ValuePromiseCounts
from pipeline.maps import resolve
from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.sink import WarehouseSink
from pipeline.warehouse.summary import summary
from schemas.finding import ValueStatus
from schemas.journey_map import JourneyMap

pytestmark = pytest.mark.services

AS_OF = at("2018-06-01 00:00")
PLACED, HANDED_OVER = "sales.order.placed", "fulfilment.parcel.handed_over"
PROMISE = {"made_by": PLACED, "due": {"within": "2d"}, "met_by": HANDED_OVER, "owed_by": "logistics"}
STAGE = {"enter": PLACED, "leave": HANDED_OVER, "owner": "logistics"}
FIGURE = {
    "kind": "at_most",
    "made_by": PLACED,
    "promised": {"value": 1},
    "measure": {"count": HANDED_OVER},
    "window": "30d",
    "owed_by": "engines",
}
PLAN = compile_plan(
    resolve(
        JourneyMap.model_validate(
            {
                "version": 1,
                "name": "shop",
                "touchpoints": {PLACED: {"owner": "shop"}, HANDED_OVER: {"owner": "logistics"}},
                "journeys": {
                    "order": {
                        "key": "identities.order_id",
                        "promises": {
                            "delivery": PROMISE,
                            "refund": PROMISE,
                            "consumption": FIGURE,
                            "calls": FIGURE,
                        },
                        "stages": {
                            "in_transit": {**STAGE, "expected": "1d"},
                            "packing": {**STAGE, "learned": {}},
                            "unlimited": STAGE,
                        },
                    }
                },
            }
        )
    )
)


VALUES: dict[ValueStatus, int] = {
    "kept": 1,
    "exceeded": 2,
    "broken": 3,
    "lapsed": 4,
    "cancelled": 5,
    "made": 6,
}


def test_the_last_revision_counts_and_what_was_withdrawn_or_merged_away_does_not(
    warehouse: Warehouse,
) -> None:
    day = "2018-05-01 09:00"
    records = [
        *published(
            [
                touchpoint("1", day),
                touchpoint("2", day),
                touchpoint("2", day, source="/other", mapped=False, owner=None),
            ],
            TOPOLOGY.enriched,
        ),
        *published(
            [
                promise("kept", day, "at_risk"),
                promise("kept", day, "kept", 1, met_hours_late=-1),
                promise("late", day, "broken"),
                promise("late", day, "broken", 1, met_hours_late=2),
                promise("broken", day, "broken"),
                promise("made", day),
                promise("at risk", day, "at_risk", 1),
                promise("cancelled", day, "cancelled", 1),
                promise("withdrawn", day, "kept"),
                promise("withdrawn", day, "withdrawn", 1),
                promise("other", day, rule="approval"),
                *(
                    figure(f"{status} {n}", day, status, n)
                    for status, count in VALUES.items()
                    for n in range(count)
                ),
                figure("revised", day, "broken"),
                figure("revised", day, "lapsed", 1),
                figure("taken back", day, "withdrawn", 1),
                figure("forgotten", day, "kept", rule="no rule of the map"),
                stall("open", day),
                stall("learned", day, rule="packing", detail={"learned": LEARNED}),
                stall("given up", day, "abandoned", rule="packing", detail={"learned": LEARNED}),
                stall("not so long", day, "withdrawn", 1, rule="packing", detail={"learned": LEARNED}),
                stall("resolved", day),
                stall("resolved", day, "resolved", 1, stuck_hours=2),
                stall("withdrawn", day, "withdrawn", 1),
            ],
            TOPOLOGY.findings,
        ),
        *published(
            [
                *(person(ANNA, 2), person(BERT, 1), person(ORDER_7, 1), person(ORDER_7, 0, 1)),
                *(counts(0, 1, duplicates=1), counts(0, 2, duplicates=3, late=9), counts(1, 1, reunited=2)),
            ],
            TOPOLOGY.state,
        ),
        letter(1),
        letter(2),
    ]
    sink = WarehouseSink(warehouse, TOPOLOGY, lambda _: None, lambda record, reason: pytest.fail(reason))
    sink.write(records)
    sink.write(records)

    assert summary(warehouse, PLAN, AS_OF, rejected_rows=4, after_as_of=5) == Summary(
        as_of=AS_OF,
        touchpoints=3,
        persons=2,
        unmapped=1,
        dead_letters=2,
        rejected_rows=4,
        after_as_of=5,
        duplicates=5,
        promises={
            "delivery": PromiseCounts(kept=1, broken_then_met=1, broken=1, open=2, cancelled=1),
            "refund": PromiseCounts(),
        },
        value_promises={
            "consumption": ValuePromiseCounts(
                made=22, kept=1, exceeded=2, broken=3, lapsed=5, cancelled=5, open=6
            ),
            "calls": ValuePromiseCounts(),
        },
        stalls={
            "in_transit": StallCounts(opened=2, resolved=1, open=1, declared=2),
            "packing": StallCounts(opened=2, open=1, learned=2),
        },
    )


def test_an_empty_warehouse_counts_nothing(warehouse: Warehouse) -> None:
    found = summary(warehouse, PLAN, AS_OF)

    assert (found.touchpoints, found.persons, found.unmapped, found.dead_letters) == (0, 0, 0, 0)
    assert found.duplicates == 0
    assert found.promises == {"delivery": PromiseCounts(), "refund": PromiseCounts()}
    assert found.value_promises == {"consumption": ValuePromiseCounts(), "calls": ValuePromiseCounts()}
    assert found.stalls == {"in_transit": StallCounts(), "packing": StallCounts()}
