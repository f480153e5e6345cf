"""The `sales` domain: from the first interest to the order."""

from __future__ import annotations

from typing import Literal

from schemas.catalogue.base import Count, Currency, Data, Money, WireInstant


class CartUpdated(Data):
    """The customer put something into the cart or took it out."""

    value: Money | None = None
    currency: Currency | None = None
    items: Count | None = None


class QuoteSent(Data):
    """A quote was sent."""

    quote: str | None = None
    value: Money | None = None
    currency: Currency | None = None
    valid_until: WireInstant | None = None


class OrderPlaced(Data):
    """The customer placed an order."""

    value: Money | None = None
    currency: Currency | None = None
    items: Count | None = None
    payment_method: str | None = None
    promised_delivery: WireInstant | None = None
    region: str | None = None


class OrderConfirmed(Data):
    """The company confirmed the order."""

    promised_delivery: WireInstant | None = None


class OrderChanged(Data):
    """The order was changed by either side."""

    changed_by: Literal["customer", "company"] | None = None
    value: Money | None = None
    currency: Currency | None = None
    promised_delivery: WireInstant | None = None


class OrderCancelled(Data):
    """The order was cancelled by either side."""

    cancelled_by: Literal["customer", "company"] | None = None
    reason: str | None = None


class ContractSigned(Data):
    """A contract was signed."""

    contract: str | None = None
    starts_at: WireInstant | None = None
    term_months: Count | None = None
    monthly_price: Money | None = None
    currency: Currency | None = None


class AppointmentBooked(Data):
    """The customer booked an appointment."""

    starts_at: WireInstant | None = None
    place: str | None = None
    topic: str | None = None


TYPES: dict[str, type[Data]] = {
    "sales.cart.updated": CartUpdated,
    "sales.quote.sent": QuoteSent,
    "sales.order.placed": OrderPlaced,
    "sales.order.confirmed": OrderConfirmed,
    "sales.order.changed": OrderChanged,
    "sales.order.cancelled": OrderCancelled,
    "sales.contract.signed": ContractSigned,
    "sales.appointment.booked": AppointmentBooked,
}
