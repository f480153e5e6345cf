"""A pipeline's database with a small world in it, for the dashboards to draw."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from published_records import (
    ANNA,
    BERT,
    CLOCK,
    LEDGER,
    TOPOLOGY,
    Consumed,
    at,
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

DATABASE = "throughline_dashboards"
COOKIE, KIOSK = "cookie:" + "0c" * 16, "cookie:" + "0d" * 16
DATED = "cookie:25260480:" + "0e" * 16
CUSTOMER, OTHER = "customer_id:" + "0a" * 16, "customer_id:" + "0b" * 16


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
