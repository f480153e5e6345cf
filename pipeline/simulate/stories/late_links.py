"""Customers of whom it is known only later who they are, and some who are taken for somebody else.

Until then a cookie or a device is all that names them; what they did under it, and what they were promised and waited
for, is theirs all the same.
"""

from __future__ import annotations

from pipeline.core.instants import DAY, MINUTE, SECOND
from pipeline.core.messages import Micros
from pipeline.simulate.company import HOUR, PRODUCTS
from pipeline.simulate.episode import Data, Episode, Identities
from pipeline.simulate.stories.aftercare import ask_for_help
from pipeline.simulate.stories.shopping import shop


def late_link(ep: Episode) -> None:
    """Someone browses, buys or asks for help under a cookie, and is recognised minutes to days later."""
    customer, machine = ep.me, _machine(ep)
    ep.me = machine
    if ep.chance(0.7):
        _look_around(ep, machine, ep.start + ep.between(SECOND // 2, SECOND))
        shop(ep)
    else:
        ask_for_help(ep, machine, _look_around(ep, machine, ep.start) + ep.between(MINUTE, HOUR))
    ep.me = customer
    known = ep.start + (ep.between(MINUTE, HOUR) if ep.chance(0.4) else ep.wait(DAY, 6 * DAY))
    draw = ep.rng.random()
    if draw < 0.4:
        ep.tell(known, "sales.session.identified", {**customer, **machine}, {})
        ep.own(customer, machine, since=known)
    elif draw < 0.7 and ep.phone is not None:
        _known_by_phone(ep, {"phone": ep.phone}, machine, known)
    else:
        _known_by_email(ep, new_address(ep), machine, known)


def _machine(ep: Episode) -> Identities:
    """A cookie, and perhaps the device that an app knows."""
    cookie = {"cookie": ep.name("K")}
    return cookie if ep.chance(0.6) else {"device": ep.name("D"), **cookie}


def _look_around(ep: Episode, machine: Identities, time: Micros) -> Micros:
    """The first that is seen of the machine; a browser on a device is the device's. Returns when it was."""
    seen = ep.tell(time, "marketing.page.viewed", machine, page(ep))
    cookie = {"cookie": machine["cookie"]}
    if cookie != machine:
        ep.own(machine, cookie, since=seen)
    browse(ep, cookie, seen + ep.between(MINUTE, DAY))
    return seen


def _known_by_phone(ep: Episode, phone: Identities, machine: Identities, known: Micros) -> None:
    """Asked to be called, and says on the phone who is speaking. Other episodes may have told whose the number is."""
    said = known + ep.between(MINUTE, 3 * HOUR)
    ep.tell(known, "service.call.ended", {**phone, **machine}, {"queue": "click-to-call"})
    ep.tell(said, "service.call.ended", {**ep.me, **phone}, {"queue": "inbound"})
    ep.own(phone, machine, since=known)
    ep.own(ep.me, phone, since=said)
    ep.burst(known, said)


def _known_by_email(ep: Episode, email: Identities, machine: Identities, known: Micros) -> None:
    """A click in an e-mail says whose address it is that reads here; some never say more than that."""
    ep.tell(known, "marketing.link.clicked", {**email, **machine}, {"campaign": "welcome"})
    ep.own(email, machine, since=known)
    if ep.chance(0.7):
        said = known + ep.wait(DAY, 4 * DAY)
        welcome: Data = {"campaign": "welcome", "channel": "email"}
        ep.tell(said, "marketing.message.sent", {**ep.me, **email}, welcome)
        ep.own(ep.me, email, since=said)


def wrong_link(ep: Episode) -> None:
    """An agent takes somebody with an address for a customer, or a computer makes one of two; then it is undone."""
    customer, other = ep.me, new_address(ep)
    ask_for_help(ep, other, ep.start)
    ask_for_help(ep, customer, ep.start + ep.between(MINUTE, DAY))
    mistaken = ep.start + ep.wait(6 * HOUR, 3 * DAY)
    parted = mistaken + (ep.between(MINUTE, HOUR) if ep.chance(0.3) else ep.wait(DAY, 4 * DAY))
    if ep.chance(0.5):
        _take_for(ep, customer, other, mistaken)
    else:
        _meet_on_one_computer(ep, customer, other, mistaken, parted)
    ep.own(customer, other, since=mistaken, until=parted)
    both = {**customer, **other}
    ep.tell(parted, "service.identity.unlinked", both, {"reason": "two customers"})
    ask_for_help(ep, other, ep.start + ep.between(DAY, 5 * DAY))
    if ep.chance(0.3):
        # who still mixes them up does not undo what was said
        ep.tell(parted + ep.wait(DAY, 3 * DAY), "marketing.message.sent", both, {"campaign": "welcome"})


def _take_for(ep: Episode, customer: Identities, other: Identities, mistaken: Micros) -> None:
    """By name, and with the other comes the cookie that was known to be his."""
    cookie = {"cookie": ep.name("K")}
    seen = ep.start + ep.between(SECOND, MINUTE)
    ep.tell(seen, "marketing.link.clicked", {**other, **cookie}, {"campaign": "welcome"})
    ep.own(other, cookie, since=seen)
    browse(ep, cookie, seen + ep.between(SECOND, 2 * DAY))
    ep.tell(mistaken, "service.identity.linked", {**customer, **other}, {"reason": "same name"})


def _meet_on_one_computer(
    ep: Episode, customer: Identities, other: Identities, mistaken: Micros, parted: Micros
) -> None:
    """Both used it, the customer first: it stays with the customer when they are parted."""
    cookie = {"cookie": ep.name("K")}
    used = ep.start + (mistaken - ep.start) // 2
    ep.tell(used, "sales.session.identified", {**customer, **cookie}, {})
    ep.own(customer, cookie, since=used)
    ep.tell(mistaken, "marketing.link.clicked", {**other, **cookie}, {"campaign": "welcome"})
    ep.refuse("unlinked", cookie, other, since=parted)
    browse(ep, cookie, used + ep.between(SECOND, 3 * DAY))


def browse(ep: Episode, who: Identities, time: Micros) -> Micros:
    """A few pages; returns when the last was opened."""
    for _ in range(1 + int(ep.rng.random() * 3)):
        time = ep.tell(time + ep.between(8 * SECOND, 90 * SECOND), "marketing.page.viewed", who, page(ep))
    return time


def page(ep: Episode) -> Data:
    name, price = ep.pick(PRODUCTS)
    return {"url": f"/{name}", "price": price, "dwell": 30.0}


def new_address(ep: Episode) -> Identities:
    return {"email": f"{ep.name('m')}@example.com"}
