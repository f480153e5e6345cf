"""An order's parcels on their way: each with a date of its own, which may be told anew, and together a promise in parts.

The carrier knows a parcel only by its number; of an order in several it names the order too when it hands one over, so
that the shop sees what is still to come.
"""

from __future__ import annotations

from functools import partial

from pipeline.core.instants import DAY, MINUTE, SECOND, moment
from pipeline.core.messages import Micros
from pipeline.simulate.clocks import Act, Word
from pipeline.simulate.company import (
    ALL_PARCELS,
    ALL_PARCELS_WITHIN,
    AT_DEPOT_LIMIT,
    CARRIERS,
    CITIES,
    HOUR,
    IN_TRANSIT,
    IN_TRANSIT_LIMIT,
    PARCEL_ARRIVAL,
    ROAD_LIMIT,
)
from pipeline.simulate.episode import Data, Episode, Identities
from pipeline.simulate.plans import Journey
from pipeline.simulate.stories.dates import told_anew


def deliver(
    ep: Episode, order: Identities, journey: Journey, dispatched: Micros, parcels: int
) -> Micros | None:
    """So many parcels; returns when all have arrived, if they did."""
    arrivals = [
        _carry(ep, order, journey, dispatched + ep.between(10 * MINUTE, 3 * HOUR), parcels)
        for _ in range(parcels)
    ]
    came = [at for at in arrivals if at is not None]
    if parcels > 1:
        words = [Word(at, Act.BRING) for at in came]
        due = dispatched + ALL_PARCELS_WITHIN
        ep.promise("all_parcels", journey, dispatched, due, terms=ALL_PARCELS, words=words, parts=parcels)
    if len(came) < parcels:
        return None
    arrived = max(came) + ep.between(SECOND, 2 * MINUTE)
    return ep.tell(arrived, "fulfilment.order.delivered", order, {"parcels": parcels}, "success")


def _carry(ep: Episode, order: Identities, in_order: Journey, handed: Micros, parcels: int) -> Micros | None:
    """One of so many: announced before the shop links it to its order; scanned, tried, delivered or lost."""
    parcel_id = ep.name("P")
    parcel = {"parcel_id": parcel_id}
    journey = ("parcel", parcel_id)
    # by what the carrier names it to the shop
    told_as = {**order, **parcel} if parcels > 1 else parcel
    carrier = ep.pick(CARRIERS)
    ep.tell(handed - ep.between(MINUTE, 9 * MINUTE), "partner.parcel.announced", parcel, {"carrier": carrier})
    road = ep.lasts(ROAD_LIMIT)
    reached = None if road is None else _attempt(ep, parcel, journey, handed + road)
    _scan(ep, parcel, carrier, handed, handed + (2 * DAY if road is None else road))
    if reached is not None:
        ep.tell(reached, "fulfilment.parcel.delivered", told_as, {"carrier": carrier}, "success")
    due = handed + 3 * DAY if reached is None else ep.aimed(handed, reached, slack=DAY)
    data: Data = {"carrier": carrier, "promised_delivery": moment(due), "parcels": parcels}
    ep.tell(handed, "fulfilment.parcel.handed_over", {**order, **parcel}, data)
    ep.visit("in_transit", journey, handed, reached, IN_TRANSIT_LIMIT, terms=IN_TRANSIT, segment=carrier)
    words = told_anew(ep, handed, due, reached, partial(_tell_date, ep, told_as))
    ep.promise("parcel_arrival", journey, handed, due, met=reached, terms=PARCEL_ARRIVAL, words=words)
    if parcels > 1:
        ep.promise("split_parcel", in_order, handed, due, met=reached, words=words, per=parcel_id)
    return reached


def _tell_date(ep: Episode, told_as: Identities, time: Micros, due: Micros) -> None:
    data: Data = {"promised_delivery": moment(due)}
    ep.tell(time, "fulfilment.parcel.rescheduled", told_as, data)


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
