"""A pipeline's database with a small world in it, for the dashboards to draw."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from published_records import (
    ANNA,
    BERT,
    CLOCK,
    FORECAST,
    LEARNED,
    LEDGER,
    TOPOLOGY,
    Consumed,
    at,
    figure,
    identified,
    letter,
    linked,
    override,
    person,
    promise,
    published,
    stall,
    touchpoint,
)

from pipeline.warehouse.buckets import BucketSink
from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.migrate import migrate
from pipeline.warehouse.sink import WarehouseSink
from schemas.finding import PromiseFinding, StallFinding, ValueFinding, ValueStatus

DATABASE = "throughline_dashboards"
COOKIE, KIOSK = "cookie:" + "0c" * 16, "cookie:" + "0d" * 16
DATED = "cookie:25260480:" + "0e" * 16
CUSTOMER, OTHER = "customer_id:" + "0a" * 16, "customer_id:" + "0b" * 16


def promised_figures(day: str) -> list[ValueFinding]:
    """A consumption that was promised by two campaigns: kept once, exceeded once, broken twice, lapsed once, open once."""
    became: list[tuple[ValueStatus, str, float | None]] = [
        ("kept", "spring", 0.0),
        ("exceeded", "spring", -0.1),
        ("broken", "autumn", 0.3),
        ("broken", "autumn", 0.5),
        ("lapsed", "autumn", None),
        ("made", "spring", None),
    ]
    plain = figure("v", f"{day} 09:00").detail.model_dump()
    return [
        figure(
            f"v-{n}",
            f"{day} 09:00",
            status,
            detail={**plain, "gap": gap, "attributes": {"campaign": campaign, "product": "estate"}},
        )
        for n, (status, campaign, gap) in enumerate(became)
    ]


def forecasts() -> list[PromiseFinding]:
    """Ten promises that were to break with 15 %, ten with 85 %; two and nine broke. One more was met early."""
    made = "2018-05-03 09:00"
    of = [(0.15, n < 2) for n in range(10)] + [(0.85, n < 9) for n in range(10)]
    return [
        promise(
            f"f-{n}",
            made,
            "broken" if breaks else "kept",
            met_hours_late=4 if breaks else -4,
            rule="arrival",
            detail={"forecast": {**FORECAST, "probability": probability}},
        )
        for n, (probability, breaks) in enumerate(of)
    ] + [
        promise(
            "f-early",
            "2018-05-06 09:00",
            "kept",
            met_hours_late=-40,
            rule="arrival",
            detail={"forecast": FORECAST},
        )
    ]


def learned_limits() -> list[StallFinding]:
    """Two days on which limits were learned, of all stays and of one segment; two stalls were given up, of which
    one was left later and one never; one is escalated.
    """
    ships = {**LEARNED, "segment": "ship", "high_seconds": None}
    everybody = {**LEARNED, "segment": None}
    return [
        stall(
            "l-1",
            "2018-05-03 10:00",
            "resolved",
            stuck_hours=4,
            rule="packing",
            detail={"learned": everybody},
        ),
        stall(
            "l-2",
            "2018-05-04 10:00",
            "abandoned",
            stuck_hours=30,
            given_up_hours=6,
            rule="packing",
            detail={"learned": ships},
        ),
        stall("l-4", "2018-05-02 11:00", "abandoned", given_up_hours=5, rule="returns", owner="returns"),
        stall("l-3", "2018-05-04 10:00", "escalated", rule="packing", detail={**CLOCK, "learned": ships}),
    ]


def a_week_in_may() -> list[Consumed]:
    """Something for every panel: two domains, every status of a promise, stalls open and resolved, letters."""
    day = "2018-05-02"
    return [
        *published(
            [
                touchpoint("1", f"{day} 10:00"),
                touchpoint("2", f"{day} 10:30", outcome="failure"),
                touchpoint("3", f"{day} 11:00", type="sales.order.placed", domain="sales", owner="shop"),
                touchpoint(
                    "4", f"{day} 12:00", type="social.post.seen", domain="social", owner=None, mapped=False
                ),
            ],
            TOPOLOGY.enriched,
        ),
        *published(
            [
                promise("p-1", f"{day} 09:00", "kept", met_hours_late=-2),
                promise("p-2", f"{day} 09:00", "broken", met_hours_late=3),
                promise("p-3", f"{day} 09:00", "broken"),
                promise("p-4", f"{day} 09:00", "at_risk"),
                promise(
                    "p-5",
                    f"{day} 09:00",
                    "broken",
                    detail={**LEDGER, "clock": {**CLOCK["clock"], "paused_at": None}},
                ),
                promise("p-6", f"{day} 09:00", "made", detail=CLOCK),
                stall("s-1", f"{day} 10:00", "resolved", stuck_hours=4),
                stall("s-2", f"{day} 10:00", "resolved", stuck_hours=8, person_id=str(BERT)),
                stall("s-3", f"{day} 10:00", person_id=str(ANNA)),
                *promised_figures(day),
                *forecasts(),
                *learned_limits(),
            ],
            TOPOLOGY.findings,
        ),
        *published(
            [
                person(ANNA, 4),
                person(BERT, 0),
                override(BERT, "email:00", ANNA),
                linked(COOKIE, CUSTOMER, linked_at=at(f"{day} 09:00")),
                linked(COOKIE, OTHER, status="refused", rule="unique", linked_at=at(f"{day} 09:30")),
                linked(KIOSK, CUSTOMER, status="refused", rule="shared", linked_at=at(f"{day} 09:40")),
                identified(COOKIE, ANNA, CUSTOMER),
                identified(DATED, ANNA, CUSTOMER),
                identified(CUSTOMER, ANNA, CUSTOMER),
                identified(OTHER, BERT, OTHER),
                identified(KIOSK, BERT, KIOSK, shared=True),
            ],
            TOPOLOGY.state,
        ),
        letter(0),
    ]


@pytest.fixture(scope="session")
def filled(clickhouse: str) -> Iterator[Warehouse]:
    """A pipeline's database with the week in it, and a connection to the server that is in another database."""
    inside = Warehouse(clickhouse, DATABASE)
    inside.drop_database()
    migrate(inside)
    keys: list[bytes] = []
    WarehouseSink(inside, TOPOLOGY, keys.extend, lambda _, reason: pytest.fail(reason)).write(a_week_in_may())
    BucketSink(inside, lambda _, reason: pytest.fail(reason)).write(
        [Consumed(TOPOLOGY.buckets, n, b"", key=key) for n, key in enumerate(keys)]
    )
    outside = Warehouse(clickhouse, "default")
    yield outside
    outside.close()
    inside.drop_database()
    inside.close()
