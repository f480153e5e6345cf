"""The `fulfilment` domain: what happens between the order and its arrival."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schemas.catalogue.base import Count, Currency, Data, Money, Seconds, WireInstant


class PaymentApproved(Data):
    """The payment of an order was approved."""

    method: str | None = None
    value: Money | None = None
    currency: Currency | None = None


class OrderPicked(Data):
    """The goods were picked and packed."""

    warehouse: str | None = None
    items: Count | None = None


class ParcelHandedOver(Data):
    """The parcel was handed over to a carrier."""

    carrier: str | None = None
    warehouse: str | None = None
    promised_delivery: WireInstant | None = None
    parcels: Count | None = None


class ParcelScanned(Data):
    """The parcel was scanned on its way."""

    carrier: str | None = None
    place: str | None = None
    estimated_delivery: WireInstant | None = None


class ParcelDelayed(Data):
    """The carrier or the warehouse knows that the parcel will be late."""

    reason: str | None = None
    new_delivery: WireInstant | None = None
    delay_hours: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class ParcelDelivered(Data):
    """The parcel arrived."""

    carrier: str | None = None
    left_at: str | None = None
    signed_by: str | None = None


class ParcelReturned(Data):
    """The parcel came back."""

    reason: str | None = None
    carrier: str | None = None


class InstallationCompleted(Data):
    """A technician finished at the customer's."""

    technician: str | None = None
    duration: Seconds | None = None
    visits: Count | None = None


TYPES: dict[str, type[Data]] = {
    "fulfilment.payment.approved": PaymentApproved,
    "fulfilment.order.picked": OrderPicked,
    "fulfilment.parcel.handed_over": ParcelHandedOver,
    "fulfilment.parcel.scanned": ParcelScanned,
    "fulfilment.parcel.delayed": ParcelDelayed,
    "fulfilment.parcel.delivered": ParcelDelivered,
    "fulfilment.parcel.returned": ParcelReturned,
    "fulfilment.installation.completed": InstallationCompleted,
}
