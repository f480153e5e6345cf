"""Touchpoints of customers who are known by a cookie, an e-mail address and a customer number, as a stream.

In: how many customers, and which share of what links their identifiers comes late. Out: touchpoints in order of arrival,
the same for the same arguments. A customer is seen with the cookie alone, signs up (cookie and address), logs in (address
and number), and one of two comes back with any one of the three, all within a day. What comes late comes behind everything
else of its customer. Now and then a customer also logs in with the address of the one before: two customer numbers on one
address, of which only the first may stay, whichever came first.

What always holds: an address is linked to three identifiers at most and a person has two of a kind at most, so that of
the map's rules only the one about customer numbers is ever broken. Memory is that of a day's customers.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import msgspec

CUSTOMER, ADDRESS, COOKIE = range(3)
KINDS: Final = 3
DOMAIN: Final = "sales"
"""One source for all of them, so that its partitions keep the order of what a customer did."""
BORROWED: Final = 0.01
"""Share of customers who log in with another's address too."""
_BEGIN: Final = datetime(2026, 3, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_HOUR: Final = 3_600_000_000
_DAY: Final = 24 * _HOUR
_SPAN: Final = 28 * _DAY
"""In which the customers begin, evenly: each within one month of ClickHouse's partitions, but for the last day's."""
_SEEN, _IDENTIFIED, _CAME_BACK = "sales.session.started", "sales.session.identified", "sales.cart.updated"
_encode = msgspec.json.Encoder().encode


class Touch(NamedTuple):
    """A touchpoint. Times are microseconds since the first; `identifiers` are numbers, the strongest first:
    those of customer n are 3 n + CUSTOMER, ADDRESS or COOKIE.
    """

    arrival: int
    time: int
    type: str
    customer: int
    identifiers: tuple[int, ...]


def touchpoints(customers: int, late: float, borrowed: float = BORROWED, seed: int = 7) -> Iterator[Touch]:
    """`late` is the share of linking touchpoints that come late; `borrowed` see BORROWED."""
    dice, step = random.Random(seed), _SPAN // customers
    waiting: list[tuple[int, int, Touch]] = []
    count = 0
    for customer in range(customers):
        begin = customer * step
        while waiting and waiting[0][0] < begin:
            yield heapq.heappop(waiting)[2]
        for touch in _life(customer, begin, late, borrowed, dice):
            count += 1
            heapq.heappush(waiting, (touch.arrival, count, touch))
    while waiting:
        yield heapq.heappop(waiting)[2]


def without_identities(touch: Touch) -> Touch:
    """The same touchpoint of somebody whose customer number is always known."""
    return touch._replace(identifiers=(KINDS * touch.customer + CUSTOMER,))


def record(number: int, touch: Touch) -> tuple[bytes, bytes]:
    """Key and value of its source record. Ids are the numbers, and in the same order."""
    value = {
        "specversion": "1.0",
        "id": f"{number:010}",
        "source": "shop",
        "type": touch.type,
        "time": _BEGIN + touch.time * _MICROSECOND,
        "identities": dict(map(_identity, touch.identifiers)),
        "data": {},
    }
    return b"%d" % touch.customer, _encode(value)


def _life(customer: int, begin: int, late: float, borrowed: float, dice: random.Random) -> list[Touch]:
    """What one customer does, in no particular order."""
    own = KINDS * customer
    number, address, cookie = own + CUSTOMER, own + ADDRESS, own + COOKIE
    seen, signed_up, logged_in, came_back = sorted(begin + dice.randrange(_DAY) for _ in range(4))
    told: list[tuple[int, str, tuple[int, ...]]] = [
        (seen, _SEEN, (cookie,)),
        (signed_up, _IDENTIFIED, (address, cookie)),
        (logged_in, _IDENTIFIED, (number, address)),
    ]
    if dice.random() < 0.5:
        told.append((came_back, _CAME_BACK, (dice.choice((number, address, cookie)),)))
    if customer and dice.random() < borrowed:
        told.append((begin + dice.randrange(_DAY), _IDENTIFIED, (number, address - KINDS)))
    end = max(time for time, _, _ in told)
    found = []
    for time, touchpoint_type, identifiers in told:
        is_late = len(identifiers) > 1 and dice.random() < late
        arrival = end + 1 + dice.randrange(_HOUR) if is_late else time
        found.append(Touch(arrival, time, touchpoint_type, customer, identifiers))
    return found


def _identity(identifier: int) -> tuple[str, str]:
    customer, kind = divmod(identifier, KINDS)
    if kind == CUSTOMER:
        return "customer_id", f"C{customer}"
    if kind == ADDRESS:
        return "email", f"{customer}@example.com"
    return "cookie", f"k{customer}"
