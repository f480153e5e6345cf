"""The `partner` domain: what others do in the company's name."""

from __future__ import annotations

from schemas.catalogue.base import Currency, Data, Money, Seconds, WireInstant


class LeadReferred(Data):
    """A partner referred a customer."""

    partner: str | None = None
    offer: str | None = None


class VisitScheduled(Data):
    """A partner's visit was arranged."""

    partner: str | None = None
    starts_at: WireInstant | None = None
    ends_at: WireInstant | None = None


class VisitCompleted(Data):
    """A partner finished a visit."""

    partner: str | None = None
    solved: bool | None = None
    duration: Seconds | None = None


class SaleReported(Data):
    """A partner sold the product."""

    partner: str | None = None
    value: Money | None = None
    currency: Currency | None = None
    product: str | None = None


class ComplaintReceived(Data):
    """A customer complained to a partner."""

    partner: str | None = None
    topic: str | None = None


TYPES: dict[str, type[Data]] = {
    "partner.lead.referred": LeadReferred,
    "partner.visit.scheduled": VisitScheduled,
    "partner.visit.completed": VisitCompleted,
    "partner.sale.reported": SaleReported,
    "partner.complaint.received": ComplaintReceived,
}
