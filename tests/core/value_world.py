"""A journey with one value promise, `figure`, and the touchpoints that may make, measure, close and cancel it."""

from __future__ import annotations

from typing import Any

from journey_world import Story

SEEN = "marketing.ad.seen"
TRIP = "product.trip.recorded"
STARTED = "service.call.started"
ANSWERED = "service.call.answered"
TRANSFERRED = "service.call.transferred"
RETURNED = "sales.car.returned"
REFUSED = "sales.offer.refused"
ENDED = "survey.review.answered"
KINDS = (SEEN, TRIP, STARTED, ANSWERED, TRANSFERRED, RETURNED, REFUSED, ENDED)

CONSUMPTION = {"field": "data.consumption", "of": TRIP, "unit": "l/100km", "take": "last"}
CLAIMED = {"field": "data.claimed", "unit": "l/100km"}
WAITED = {"from": STARTED, "to": ANSWERED}
TRANSFERS = {"count": TRANSFERRED}


def fuel(**promise: Any) -> dict[str, Any]:
    """A map of one promise; what it says goes beyond, or in the place of: an advertisement names a consumption."""
    figure = {
        "kind": "at_most",
        "made_by": SEEN,
        "promised": CLAIMED,
        "measure": CONSUMPTION,
        "closed_by": RETURNED,
        "cancelled_by": REFUSED,
        "owed_by": "engines",
        **promise,
    }
    return {
        "version": 1,
        "name": "cars",
        "touchpoints": {kind: {"owner": kind.partition(".")[0]} for kind in KINDS},
        "journeys": {
            "car": {
                "key": "identities.order_id",
                "end": [ENDED],
                "promises": {"figure": {name: value for name, value in figure.items() if value is not None}},
            }
        },
    }


def standing(**promise: Any) -> dict[str, Any]:
    """A promise that stands, of which nothing but its journey's end is the end."""
    return fuel(**{"made_by": None, "closed_by": None, "cancelled_by": None, "owed_by": "service", **promise})


def told(journey_map: dict[str, Any], *happened: tuple[Any, ...], until: str = "2026-01-01 00:00") -> Story:
    """The journey in which this happened, (when, touchpoint type, data), as of an instant."""
    story = Story(journey_map)
    for when, kind, *data in happened:
        story.happens(when, kind, **(data[0] if data else {}))
    return story.until(until)
