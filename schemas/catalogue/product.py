"""The `product` domain: how the product itself meets the customer."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schemas.catalogue.base import Count, Data, Seconds, WireInstant


class AccountActivated(Data):
    """The customer can use the product."""

    plan: str | None = None
    trial: bool | None = None


class FeatureUsed(Data):
    """The customer used a feature."""

    feature: str | None = None
    version: str | None = None
    duration: Seconds | None = None
    count: Count | None = None


class ErrorShown(Data):
    """The product failed before the customer's eyes."""

    error: str | None = None
    feature: str | None = None
    version: str | None = None


class MeasurementTaken(Data):
    """The product measured what the customer gets of it."""

    measure: str | None = None
    value: Annotated[float, Field(allow_inf_nan=False)] | None = None
    unit: str | None = None


class SessionEnded(Data):
    """The customer left the product."""

    duration: Seconds | None = None
    errors: Count | None = None


class SubscriptionCancelled(Data):
    """The customer gave the product up."""

    reason: str | None = None
    ends_at: WireInstant | None = None


TYPES: dict[str, type[Data]] = {
    "product.account.activated": AccountActivated,
    "product.feature.used": FeatureUsed,
    "product.error.shown": ErrorShown,
    "product.measurement.taken": MeasurementTaken,
    "product.session.ended": SessionEnded,
    "product.subscription.cancelled": SubscriptionCancelled,
}
