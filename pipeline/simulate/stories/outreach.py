"""What the company starts itself: offers to customers, and leads of whom it knows an e-mail address alone."""

from __future__ import annotations

from functools import partial

from pipeline.core.instants import DAY, moment
from pipeline.core.messages import Micros
from pipeline.simulate.company import CAMPAIGNS, HOUR, UNMAPPED_TYPES, VOUCHER
from pipeline.simulate.episode import Data, Episode, Identities


def offer(ep: Episode) -> None:
    email = {"email": f"{ep.customer.lower()}@example.com"}
    make_offer(ep, ep.me, email, ep.start)
    ep.own(ep.me, email, since=ep.start)


def make_offer(ep: Episode, me: Identities, email: Identities, time: Micros) -> None:
    """A campaign promises a voucher by a date; billing has to credit it, and may not know."""
    offer_id = ep.name("F")
    journey = ("offer", offer_id)
    campaign = ep.pick(CAMPAIGNS)
    data: Data = {"offer": offer_id, "campaign": campaign}
    limit = ep.between(DAY, 4 * DAY)
    sent = ep.tell(
        time, "marketing.offer.made", {**me, **email}, {**data, "voucher_by": moment(time + limit)}
    )
    ep.tell(
        sent + ep.wait(2 * HOUR, 2 * DAY),
        "marketing.message.opened",
        me,
        {"campaign": campaign, "device": "phone"},
    )
    declined = sent + ep.between(HOUR, limit * 2 // 3) if ep.chance(ep.outcomes.dropped) else None
    after = None if declined else ep.within(limit)
    credited = (
        None if after is None else ep.tell(sent + after, "billing.voucher.credited", me, data, "success")
    )
    if declined is not None:
        ep.tell(declined, "marketing.offer.declined", me, data)
    promise = partial(ep.promise, met=credited, cancelled=declined, terms=VOUCHER, segment=campaign)
    promise("voucher", journey, sent, sent + limit)


def lead(ep: Episode) -> None:
    """A stranger leaves an address, written now so and now so: a person of its own."""
    address = f"lead-{ep.tag}@example.com"
    ep.tell(ep.start, "marketing.lead.captured", {"email": address}, {"campaign": ep.pick(CAMPAIGNS)})
    sent = ep.start + ep.wait(HOUR, DAY)
    ep.tell(
        sent,
        "marketing.message.sent",
        {"email": address.upper()},
        {"campaign": "welcome", "channel": "email"},
    )
    ep.tell(
        sent + ep.wait(4 * HOUR, 2 * DAY),
        "marketing.message.opened",
        {"email": address},
        {"campaign": "welcome"},
    )


def sighting(ep: Episode) -> None:
    """A touchpoint of a type that nobody has declared yet: carried, shown and counted."""
    ep.tell(ep.start, ep.pick(UNMAPPED_TYPES), {"customer_id": ep.customer}, {"note": "new"})
