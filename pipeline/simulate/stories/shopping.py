"""A visit to the shop, and the order and parcels that may come of it.

A session knows nobody until someone logs in or buys, which may be days later or never; the carrier knows a
parcel only by its number. So most of these touchpoints find their customer through a reference.
"""

from __future__ import annotations

from pipeline.core.instants import DAY, MINUTE, SECOND, moment
from pipeline.core.messages import Micros
from pipeline.simulate.company import (
    AT_DEPOT_LIMIT,
    AWAITING_PAYMENT_LIMIT,
    CARRIERS,
    CITIES,
    CONFIRMATION_WITHIN,
    DISPATCH_WITHIN,
    HOUR,
    IN_TRANSIT_LIMIT,
    INVOICE_WITHIN,
    PICKING_LIMIT,
    PRODUCTS,
)
from pipeline.simulate.episode import Data, Episode, Identities
from pipeline.simulate.plans import Journey
from pipeline.simulate.stories.aftercare import after_delivery, chase, installation


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
    if ep.chance(ep.outcomes.dropped):
        arrived, cancelled = None, _cancel(ep, order, journey, placed)
    else:
        arrived, cancelled = _carry_out(ep, order, journey, placed), None
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
    data: Data = {
        "product": name,
        "value": price,
        "region": ep.pick(CITIES),
        "promised_delivery": moment(due),
    }
    ep.tell(placed, "sales.order.placed", buyer, data, "success")
    ep.promise("delivery", journey, placed, due, met=arrived, cancelled=cancelled)
    if cancelled is None and (arrived is None or arrived - due > DAY):
        _announce_delay(ep, journey, due - ep.between(HOUR, (due - placed) // 2), due, arrived)
        if arrived is None or ep.chance(0.5):
            chase(ep, {"order_id": journey[1]}, due + ep.wait(4 * HOUR, 2 * DAY))


def _announce_delay(ep: Episode, journey: Journey, time: Micros, due: Micros, arrived: Micros | None) -> None:
    """A second promise for the same order: the new date, which may be missed as well."""
    again = due + ep.between(DAY, 3 * DAY)
    again -= again % MINUTE
    ep.tell(
        time,
        "sales.order.changed",
        {"order_id": journey[1]},
        {"changed_by": "company", "promised_delivery": moment(again)},
    )
    ep.promise("revised_delivery", journey, time, again, met=arrived)


def _cancel(ep: Episode, order: Identities, journey: Journey, placed: Micros) -> Micros:
    cancelled = placed + ep.between(20 * MINUTE, 9 * HOUR)
    ep.tell(cancelled, "sales.order.cancelled", order, {"cancelled_by": "customer", "reason": "changed_mind"})
    _confirm(ep, order, journey, placed, cancelled)
    ep.visit("awaiting_payment", journey, placed, cancelled, AWAITING_PAYMENT_LIMIT)
    return cancelled


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


def _carry_out(ep: Episode, order: Identities, journey: Journey, placed: Micros) -> Micros | None:
    """Confirmation, payment, dispatch, invoice and parcels; returns when all have arrived, if they did."""
    _confirm(ep, order, journey, placed)
    if ep.chance(0.05):
        # the customer's own change is no new promise
        changed: Data = {"changed_by": "customer", "promised_delivery": moment(placed + DAY)}
        ep.tell(placed + ep.between(MINUTE, HOUR), "sales.order.changed", order, changed)
    paid = _pay(ep, order, journey, placed)
    if paid is None:
        return None
    after = ep.within(DISPATCH_WITHIN)
    dispatched = None if after is None else paid + after
    ep.promise("dispatch", journey, paid, paid + DISPATCH_WITHIN, met=dispatched)
    if dispatched is None:
        ep.visit("picking", journey, paid, None, PICKING_LIMIT)
        return None
    picked = ep.tell(
        paid + (dispatched - paid) * 19 // 20, "fulfilment.order.picked", order, {"warehouse": "central"}
    )
    ep.visit("picking", journey, paid, picked, PICKING_LIMIT)
    ep.tell(dispatched, "fulfilment.order.dispatched", order, {"warehouse": "central"}, "success")
    _invoice(ep, order, journey, dispatched)
    if ep.chance(0.08):
        installation(ep, order, placed + ep.between(MINUTE, HOUR))
    return _deliver(ep, order, dispatched)


def _pay(ep: Episode, order: Identities, journey: Journey, placed: Micros) -> Micros | None:
    method = "transfer" if ep.chance(0.2) else "card"
    if method == "card":
        after: Micros | None = ep.between(5 * SECOND, 4 * MINUTE)
    else:
        after = ep.lasts(AWAITING_PAYMENT_LIMIT)
    paid = None if after is None else placed + after
    ep.visit("awaiting_payment", journey, placed, paid, AWAITING_PAYMENT_LIMIT)
    if paid is not None:
        ep.tell(paid, "fulfilment.payment.approved", {**ep.me, **order}, {"method": method}, "success")
    return paid


def _invoice(ep: Episode, order: Identities, journey: Journey, dispatched: Micros) -> None:
    after = ep.within(INVOICE_WITHIN)
    issued = None if after is None else dispatched + after
    if issued is not None:
        ep.tell(issued, "billing.invoice.issued", order, {"invoice": ep.name("I")})
    ep.promise("invoice", journey, dispatched, dispatched + INVOICE_WITHIN, met=issued)


def _deliver(ep: Episode, order: Identities, dispatched: Micros) -> Micros | None:
    arrivals = [
        _carry(ep, order, ep.name("P"), dispatched + ep.between(10 * MINUTE, 3 * HOUR))
        for _ in range(2 if ep.chance(0.2) else 1)
    ]
    if None in arrivals:
        return None
    arrived = max(at for at in arrivals if at is not None) + ep.between(SECOND, 2 * MINUTE)
    return ep.tell(arrived, "fulfilment.order.delivered", order, {"parcels": len(arrivals)}, "success")


def _carry(ep: Episode, order: Identities, parcel_id: str, handed: Micros) -> Micros | None:
    """One parcel: announced before the shop links it to its order; scanned, tried, delivered or lost."""
    parcel = {"parcel_id": parcel_id}
    journey = ("parcel", parcel_id)
    carrier = ep.pick(CARRIERS)
    ep.tell(handed - ep.between(MINUTE, 9 * MINUTE), "partner.parcel.announced", parcel, {"carrier": carrier})
    road = ep.lasts(IN_TRANSIT_LIMIT)
    reached = None if road is None else _attempt(ep, parcel, journey, handed + road)
    _scan(ep, parcel, carrier, handed, handed + (2 * DAY if road is None else road))
    if reached is not None:
        ep.tell(reached, "fulfilment.parcel.delivered", parcel, {"carrier": carrier}, "success")
    due = handed + 3 * DAY if reached is None else ep.aimed(handed, reached, slack=DAY)
    data: Data = {"carrier": carrier, "promised_delivery": moment(due)}
    ep.tell(handed, "fulfilment.parcel.handed_over", {**order, **parcel}, data)
    ep.visit("in_transit", journey, handed, reached, IN_TRANSIT_LIMIT)
    ep.promise("parcel_arrival", journey, handed, due, met=reached)
    return reached


def _scan(ep: Episode, parcel: Identities, carrier: str, start: Micros, until: Micros) -> None:
    scans = 2 + int(ep.rng.random() * 4)
    step = (until - start) // (scans + 1)
    for number in range(1, scans + 1):
        time = start + number * step - ep.between(0, step // 2)
        ep.tell(time, "fulfilment.parcel.scanned", parcel, {"carrier": carrier, "place": ep.pick(CITIES)})


def _attempt(ep: Episode, parcel: Identities, journey: Journey, time: Micros) -> Micros | None:
    """The last mile: nobody at home sends the parcel to the depot, once or twice, until it goes out again."""
    ep.tell(time, "fulfilment.parcel.out_for_delivery", parcel, {})
    while ep.chance(0.12):
        failed = time + ep.between(HOUR, 5 * HOUR)
        ep.tell(failed, "fulfilment.parcel.delivery_failed", parcel, {"reason": "nobody_home"}, "failure")
        rest = ep.lasts(AT_DEPOT_LIMIT)
        ep.visit("at_depot", journey, failed, None if rest is None else failed + rest, AT_DEPOT_LIMIT)
        if rest is None:
            return None
        time = ep.tell(failed + rest, "fulfilment.parcel.out_for_delivery", parcel, {})
    return time + ep.between(HOUR, 5 * HOUR)
