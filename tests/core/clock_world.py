"""A service desk whose promises and stages have clocks, and the words with which its stories are told."""

from __future__ import annotations

from typing import Any

OPENED = "service.ticket.opened"
ASKED = "service.question.asked"
REPLIED = "service.question.answered"
MOVED = "service.ticket.transferred"
SOLVED = "service.ticket.solved"
DROPPED = "service.ticket.dropped"
ORDERED = "sales.order.placed"
SENT = "fulfilment.parcel.sent"
RESCHEDULED = "fulfilment.delivery.rescheduled"
DELIVERED = "fulfilment.parcel.delivered"
CALLED_OFF = "sales.order.cancelled"

KINDS = (
    OPENED,
    ASKED,
    REPLIED,
    MOVED,
    SOLVED,
    DROPPED,
    ORDERED,
    SENT,
    RESCHEDULED,
    DELIVERED,
    CALLED_OFF,
)

ANSWER: dict[str, Any] = {
    "made_by": OPENED,
    "due": {"within": "8h"},
    "paused_by": ASKED,
    "resumed_by": REPLIED,
    "reset_by": MOVED,
    "met_by": SOLVED,
    "cancelled_by": DROPPED,
    "owed_by": "desk",
}
DELIVERY: dict[str, Any] = {
    "made_by": ORDERED,
    "due": {"field": "data.due"},
    "revised_by": RESCHEDULED,
    "met_by": DELIVERED,
    "cancelled_by": CALLED_OFF,
    "owed_by": "carrier",
}
HANDLING: dict[str, Any] = {
    "enter": OPENED,
    "leave": SOLVED,
    "abandoned_by": DROPPED,
    "paused_by": ASKED,
    "resumed_by": REPLIED,
    "reset_by": MOVED,
    "expected": "4h",
    "owner": "desk",
}
OFFICE = {
    "zone": "Europe/Berlin",
    "hours": {"mon-fri": ["09:00-12:00", "13:00-17:00"]},
    "holidays": {"dates": {"2026-03-04": "closed"}},
}


def desk(
    *, promises: dict[str, Any] | None = None, stages: dict[str, Any] | None = None, **calendars: Any
) -> dict[str, Any]:
    """The map of a desk with these promises and stages."""
    return {
        "version": 1,
        "name": "desk",
        "touchpoints": {kind: {"owner": kind.split(".")[0]} for kind in KINDS},
        "calendars": calendars,
        "journeys": {
            "case": {"key": "identities.order_id", "promises": promises or {}, "stages": stages or {}}
        },
    }


def answer(**changes: Any) -> dict[str, Any]:
    """A map whose one promise is to solve a ticket within eight hours."""
    return desk(promises={"answer": {**ANSWER, **changes}}, office=OFFICE)


def delivery(**changes: Any) -> dict[str, Any]:
    """A map whose one promise is to deliver by the date that was told last."""
    return desk(promises={"delivery": {**DELIVERY, **changes}})


def handling(**changes: Any) -> dict[str, Any]:
    """A map whose one stage is to last four hours at most."""
    return desk(stages={"handling": {**HANDLING, **changes}}, office=OFFICE)
