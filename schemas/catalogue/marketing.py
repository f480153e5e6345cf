"""The `marketing` domain: what the company says to its customers, and how they react."""

from __future__ import annotations

from typing import Literal

from schemas.catalogue.base import Currency, Data, Money, Seconds, Share, WireInstant


class MessageSent(Data):
    """A campaign's message left for the customer."""

    campaign: str | None = None
    channel: Literal["email", "sms", "push", "letter", "messenger"] | None = None
    template: str | None = None
    promised_discount: Share | None = None
    valid_until: WireInstant | None = None


class MessageOpened(Data):
    """The customer opened a message."""

    campaign: str | None = None
    device: str | None = None


class LinkClicked(Data):
    """The customer followed a link of a message or an advertisement."""

    campaign: str | None = None
    url: str | None = None
    placement: str | None = None


class AdvertisementSeen(Data):
    """An advertisement was shown to the customer."""

    campaign: str | None = None
    network: str | None = None
    claim: str | None = None


class PageViewed(Data):
    """A page of the company's site was viewed."""

    url: str | None = None
    referrer: str | None = None
    dwell: Seconds | None = None


class OfferMade(Data):
    """An offer with a price or a term was made to the customer."""

    offer: str | None = None
    price: Money | None = None
    currency: Currency | None = None
    valid_until: WireInstant | None = None


class MessageUnsubscribed(Data):
    """The customer wants no more messages of this kind."""

    campaign: str | None = None
    reason: str | None = None


TYPES: dict[str, type[Data]] = {
    "marketing.message.sent": MessageSent,
    "marketing.message.opened": MessageOpened,
    "marketing.link.clicked": LinkClicked,
    "marketing.advertisement.seen": AdvertisementSeen,
    "marketing.page.viewed": PageViewed,
    "marketing.offer.made": OfferMade,
    "marketing.message.unsubscribed": MessageUnsubscribed,
}
