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
    journey,
    learned,
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
from schemas.state import JourneyState, LearnedState, StageVisit

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


def what_was_learned() -> list[LearnedState]:
    """Limits of a stage, day by day: some were told anew, one was taken back; and curves of promises."""
    everybody = {"limit_seconds": 86_400, "low_seconds": 79_200, "high_seconds": 93_600}
    ships = {**everybody, "segment": "ship", "high_seconds": None}
    hours = [3_600.0 * hour for hour in range(1, 101)]
    long = {**everybody, "limit_seconds": 48 * 3_600, "percentiles": hours[:60]}
    promised = {"of": "promise", **dict.fromkeys(everybody)}
    return [
        learned("packing", "2018-05-03", 400, **everybody),
        learned("packing", "2018-05-03", 412, 1, **everybody),
        learned("packing", "2018-05-04", 420, **{**long, "limit_seconds": 200 * 3_600}),
        learned("packing", "2018-05-04", 90, **ships),
        learned("packing", "2018-05-05", 430, **everybody),
        learned("packing", "2018-05-06", 435, **long),
        learned("packing", "2018-05-07", 10, **{**long, "percentiles": hours[:5]}),
        learned("packing", "2018-05-07", 440, 1, **long),
        learned("packing", "2018-05-07", 95, **{**ships, "percentiles": hours[:10]}),
        learned("packing", "2018-05-08", 441, **everybody),
        learned("packing", "2018-05-08", 0, 1, **dict.fromkeys(everybody), percentiles=[]),
        learned("arrival", "2018-05-06", 9, **promised, segment="express", percentiles=hours[:5]),
        learned("arrival", "2018-05-06", 1_302, 1, **promised, segment="express", percentiles=hours),
        learned("arrival", "2018-05-07", 2_000, **promised, percentiles=hours[:20]),
        learned("arrival", "2018-05-07", 700, **promised, segment="express", percentiles=hours[:10]),
        learned("arrival", "2018-05-05", 0, **promised, segment="express", percentiles=[]),
    ]


def what_is_open() -> tuple[list[PromiseFinding], list[JourneyState]]:
    """Promises and visits of which nothing is settled yet when time is at 9:00 on the 8th."""
    made = [("2018-05-06 21:00", "express"), ("2018-05-07 09:00", None), ("2018-05-05 09:00", "express")]
    promises = [
        promise(
            f"o-{n}",
            when,
            rule="arrival",
            journey_key=f"o-{n}",
            detected_at=at(when),
            owner="carrier",
            detail={"forecast": {**FORECAST, "segment": segment}},
        )
        for n, (when, segment) in enumerate(made)
    ]
    entered = ["2018-05-07 09:00", "2018-05-07 21:00", "2018-05-06 08:00", "2018-05-04 10:00"]
    journeys = [
        journey(
            journey_id=f"order:o-{n}" if n != 3 else "order:o-7",
            journey_key=f"o-{n}",
            stages=[StageVisit(stage="packing", entered_at=at(when))],
        )
        for n, when in enumerate(entered)
    ]
    return promises, journeys


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
                *what_is_open()[0],
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
                *what_was_learned(),
                *what_is_open()[1],
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
