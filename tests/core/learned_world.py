"""A shop that lets the limit of a stage and the risk of a promise be learned, and what may have been learned of it."""

from __future__ import annotations

from typing import Any

from journey_world import CALLED_OFF, DELIVERED, PLACED, SHIPPED

from pipeline.core.instants import DAY, MINUTE
from pipeline.core.messages import Limit

HOUR = 60 * MINUTE
MOVED = "sales.date.moved"
STAGE, PROMISE = "stage/in_transit", "promise/delivery"
LEARNED = {"quantile": 0.9, "times": 2, "least": 50, "segment": "data.carrier"}
FORECAST = {"probability": 0.5, "least": 50}


def shop(*, expected: str | None = "14d", at_risk: Any = 0.75, **stage: Any) -> dict[str, Any]:
    return {
        "name": "shop",
        "touchpoints": {kind: {"owner": "shop"} for kind in (PLACED, MOVED, CALLED_OFF, SHIPPED, DELIVERED)},
        "journeys": {
            "order": {
                "key": "identities.order_id",
                "promises": {
                    "delivery": {
                        "made_by": PLACED,
                        "due": {"field": "data.due"},
                        "revised_by": MOVED,
                        "met_by": DELIVERED,
                        "cancelled_by": CALLED_OFF,
                        "owed_by": "logistics",
                        "at_risk": at_risk,
                    }
                },
                "stages": {
                    "in_transit": {
                        "enter": SHIPPED,
                        "leave": DELIVERED,
                        "owner": "logistics",
                        "learned": LEARNED,
                        **({} if expected is None else {"expected": expected}),
                        **stage,
                    }
                },
            }
        },
    }


def limit(days: float, *, ended: int = 60) -> Limit:
    duration = round(days * DAY)
    return Limit(ended, duration, duration - HOUR, duration + 2 * HOUR)


def passed(**gone: int) -> Limit:
    """So many of a hundred had ended within so many days: `passed(d1=20, d3=60)`."""
    durations: list[int] = []
    for day, count in gone.items():
        durations += [int(day[1:]) * DAY] * (count - len(durations))
    return Limit(200, passed=tuple(durations))
