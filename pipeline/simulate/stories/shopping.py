"""A visit to the shop, and the order that may come of it.

A session knows nobody until someone logs in or buys, which may be days later or never. So most of these touchpoints find
their customer through a reference.
"""

from __future__ import annotations

from functools import partial

from pipeline.core.instants import DAY, MINUTE, SECOND, moment
from pipeline.core.messages import Micros
from pipeline.simulate.company import (
    AWAITING_PAYMENT_LIMIT,
    CITIES,
    CONFIRMATION_WITHIN,
    DISPATCH,
    DISPATCH_WITHIN,
    EXPRESS_DELIVERY,
    HOUR,
    INVOICE_WITHIN,
    PICKING_LIMIT,
    PRODUCTS,
)
from pipeline.simulate.episode import Data, Episode, Identities
from pipeline.simulate.plans import Journey
from pipeline.simulate.stories.aftercare import after_delivery, chase, installation
from pipeline.simulate.stories.dates import told_anew
from pipeline.simulate.stories.parcels import deliver

_Ended = tuple[Micros | None, Micros | None]
"""When all parcels of an order had arrived, and when it was cancelled, if that happened."""


def shop(ep: Episode) -> None:
    """Browse; then leave, or buy."""
    session = {"session_id": ep.name("S")}
    left = _browse(ep, session)
    if ep.chance(0.2):
        _abandon(ep, session, left)
    else:
        _order(ep, session, left)


def _browse(ep: Episode, session: Identities) -> Micros:
    time = ep.tell(ep.start, "sales.session.started", session, {"channel": "web"})
    for _ in range(2 + int(ep.rng.random() * 5)):
        time += ep.between(8 * SECOND, 90 * SECOND)
        name, price = ep.pick(PRODUCTS)
        ep.tell(time, "marketing.page.viewed", session, {"url": f"/{name}", "price": price, "dwell": 30.0})
    return time


def _abandon(ep: Episode, session: Identities, time: Micros) -> None:
    """An anonymous visit stays so, or is claimed by a log-in or, days later, by a click in an e-mail."""
    draw = ep.rng.random()
    if draw < 0.3:
        known = ep.tell(
            time + ep.between(SECOND, MINUTE), "sales.session.identified", {**ep.me, **session}, {}
        )
        if draw < 0.05:
            _share_session(ep, session, known)
    elif draw < 0.6:
        reminder: Data = {"campaign": "cart-reminder"}
        sent = time + ep.wait(DAY, 5 * DAY)
        ep.tell(sent, "marketing.message.sent", ep.me, {**reminder, "channel": "email"})
        ep.tell(sent + ep.wait(HOUR, 2 * DAY), "marketing.link.clicked", {**ep.me, **session}, reminder)


def _share_session(ep: Episode, session: Identities, time: Micros) -> None:
    """Someone else of the household logs in on the same tablet: the session stays with its first owner."""
    other = {"customer_id": f"{ep.customer}-partner"}
    joined = ep.tell(time + ep.between(MINUTE, HOUR), "sales.session.identified", {**other, **session}, {})
    ep.tell(joined + ep.between(MINUTE, HOUR), "survey.review.written", other, {"score": 4})


def _order(ep: Episode, session: Identities, left: Micros) -> None:
    order = {"order_id": ep.name("O")}
    journey = ("order", order["order_id"])
    time = ep.tell(
        left + ep.between(5 * SECOND, MINUTE),
        "sales.cart.updated",
        session,
        {"items": 1 + int(ep.rng.random() * 3)},
    )
    placed = time + ep.between(20 * SECOND, 3 * MINUTE)
    # a guest is known by the order alone until a confirmation or a payment names the customer
    buyer = {**order, **session} if ep.chance(0.15) else {**ep.me, **order, **session}
    changes_mind = ep.chance(ep.outcomes.dropped)
    carried_out = _cancel if changes_mind else _carry_out
    arrived, cancelled = carried_out(ep, order, journey, placed)
    _place(ep, buyer, journey, placed, arrived=arrived, cancelled=cancelled)
    if arrived is not None:
        after_delivery(ep, order, arrived)


def _place(
    ep: Episode,
    buyer: Identities,
    journey: Journey,
    placed: Micros,
    *,
    arrived: Micros | None,
    cancelled: Micros | None,
) -> None:
    """The order and its promised delivery, told last because its plan decides what it promises."""
    if arrived is None:
        due = placed + ep.between(2 * DAY, 6 * DAY)
    else:
        due = ep.aimed(placed, arrived, slack=2 * DAY)
    due -= due % MINUTE
    name, price = ep.pick(PRODUCTS)
    is_express = ep.chance(0.2)
    data: Data = {
        "product": name,
        "express": is_express,
        "value": price,
        "region": ep.pick(CITIES),
        "promised_delivery": moment(due),
    }
    ep.tell(placed, "sales.order.placed", buyer, data, "success")
    words = [] if cancelled else told_anew(ep, placed, due, arrived, partial(_tell_date, ep, journey))
    promise = partial(ep.promise, met=arrived, cancelled=cancelled, words=words)
    promise("delivery", journey, placed, due)
    if is_express:
        promise("express_delivery", journey, placed, due, terms=EXPRESS_DELIVERY)
    is_late = cancelled is None and (arrived is None or arrived - due > DAY)
    if is_late and (arrived is None or ep.chance(0.5)):
        chase(ep, {"order_id": journey[1]}, due + ep.wait(4 * HOUR, 2 * DAY))


def _tell_date(ep: Episode, journey: Journey, time: Micros, due: Micros) -> None:
    data: Data = {"changed_by": "company", "promised_delivery": moment(due)}
    ep.tell(time, "sales.order.changed", {"order_id": journey[1]}, data)


def _cancel(ep: Episode, order: Identities, journey: Journey, placed: Micros) -> _Ended:
    """The customer's change of mind, before anybody could pay."""
    cancelled = placed + ep.between(20 * MINUTE, 9 * HOUR)
    ep.tell(cancelled, "sales.order.cancelled", order, {"cancelled_by": "customer", "reason": "changed_mind"})
    _confirm(ep, order, journey, placed, cancelled)
    ep.visit("awaiting_payment", journey, placed, cancelled, AWAITING_PAYMENT_LIMIT, gives_up=True)
    return None, cancelled


def _confirm(
    ep: Episode, order: Identities, journey: Journey, placed: Micros, cancelled: Micros | None = None
) -> None:
    after = ep.within(CONFIRMATION_WITHIN)
    confirmed = None if after is None or (cancelled and placed + after > cancelled) else placed + after
    if confirmed:
        ep.tell(confirmed, "sales.order.confirmed", {**ep.me, **order}, {}, "success")
    ep.promise(
        "confirmation", journey, placed, placed + CONFIRMATION_WITHIN, met=confirmed, cancelled=cancelled
    )


def _carry_out(ep: Episode, order: Identities, journey: Journey, placed: Micros) -> _Ended:
    """Confirmation, payment, dispatch, invoice and parcels, unless nobody pays."""
    _confirm(ep, order, journey, placed)
    if ep.chance(0.05):
        # the customer's own change is no new promise
        changed: Data = {"changed_by": "customer", "promised_delivery": moment(placed + DAY)}
        ep.tell(placed + ep.between(MINUTE, HOUR), "sales.order.changed", order, changed)
    method = "transfer" if ep.chance(0.2) else "card"
    paid, cancelled = _pay(ep, order, journey, placed, method)
    return None if paid is None else _send(ep, order, journey, placed, paid, method), cancelled


def _send(
    ep: Episode, order: Identities, journey: Journey, placed: Micros, paid: Micros, method: str
) -> Micros | None:
    """Picked, dispatched and delivered, if it is; returns when all parcels have arrived."""
    after = ep.within(DISPATCH_WITHIN)
    dispatched = None if after is None else paid + after
    due = paid + DISPATCH_WITHIN
    ep.promise("dispatch", journey, paid, due, met=dispatched, terms=DISPATCH, segment=method)
    if dispatched is None:
        ep.visit("picking", journey, paid, None, PICKING_LIMIT)
        return None
    picked = ep.tell(
        paid + (dispatched - paid) * 19 // 20, "fulfilment.order.picked", order, {"warehouse": "central"}
    )
    ep.visit("picking", journey, paid, picked, PICKING_LIMIT)
    draw = ep.rng.random()
    parcels = 3 if draw < 0.05 else 2 if draw < 0.2 else 1
    data: Data = {"warehouse": "central", "parcels": parcels}
    ep.tell(dispatched, "fulfilment.order.dispatched", order, data, "success")
    _invoice(ep, order, journey, dispatched)
    if ep.chance(0.08):
        installation(ep, order, placed + ep.between(MINUTE, HOUR))
    return deliver(ep, order, journey, dispatched, parcels)


def _pay(
    ep: Episode, order: Identities, journey: Journey, placed: Micros, method: str
) -> tuple[Micros | None, Micros | None]:
    """When it was paid, or else when the shop gave it up, if it did."""
    if method == "card":
        after: Micros | None = ep.between(5 * SECOND, 4 * MINUTE)
    else:
        after = ep.lasts(AWAITING_PAYMENT_LIMIT)
    if after is None:
        return None, _give_up(ep, order, journey, placed)
    paid = ep.tell(
        placed + after, "fulfilment.payment.approved", {**ep.me, **order}, {"method": method}, "success"
    )
    ep.visit("awaiting_payment", journey, placed, paid, AWAITING_PAYMENT_LIMIT)
    return paid, None


def _give_up(ep: Episode, order: Identities, journey: Journey, placed: Micros) -> Micros | None:
    """Nobody pays: after some days the shop mostly cancels the order."""
    cancelled = None
    if ep.chance(0.7):
        data: Data = {"cancelled_by": "company", "reason": "not_paid"}
        cancelled = ep.tell(placed + ep.between(DAY, 5 * DAY), "sales.order.cancelled", order, data)
    ep.visit("awaiting_payment", journey, placed, cancelled, AWAITING_PAYMENT_LIMIT, gives_up=True)
    return cancelled


def _invoice(ep: Episode, order: Identities, journey: Journey, dispatched: Micros) -> None:
    after = ep.within(INVOICE_WITHIN)
    issued = None if after is None else dispatched + after
    if issued is not None:
        ep.tell(issued, "billing.invoice.issued", order, {"invoice": ep.name("I")})
    ep.promise("invoice", journey, dispatched, dispatched + INVOICE_WITHIN, met=issued)
