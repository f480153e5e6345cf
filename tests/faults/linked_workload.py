"""Households whose members are known by many identifiers that are linked late, wrongly, and parted again; seeded.

Each member is first known by cookies, an address, a telephone, a customer number, one by one; orders are placed under
one of them and delivered under another. Days later they are linked, weak ones first, so that what has moved moves
again (cookie → address → customer). A device and a family's address are used by both members; some links are undone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from random import Random

import msgspec
from linked_persons import Told, order_keys, owners
from memory_oracle import expected
from workload import Workload

from pipeline.core.instants import DAY, MINUTE, SECOND, micros, moment
from pipeline.core.tokens import person_of
from pipeline.maps import load_map
from pipeline.settings import Settings
from pipeline.simulate.company import HOUR
from pipeline.simulate.faults import SimulatedRecord
from pipeline.simulate.simulation import DEFAULT_START

LINKED_MAP = Path(__file__).with_name("linked_map.yaml")
VIEWED, PLACED = "marketing.page.viewed", "sales.order.placed"
DISPATCHED, DELIVERED = "fulfilment.order.dispatched", "fulfilment.order.delivered"
LINKED, UNLINKED = "service.identity.linked", "service.identity.unlinked"
KEY = "any key: it decides no tie between identifiers of two kinds"
LIFE = 12
"""Days from a household's first touchpoint to its last word."""
_START = micros(DEFAULT_START)
_TICK_EVERY = 2 * HOUR
_LATENESS = 20 * MINUTE
Say = Callable[..., None]


@dataclass(frozen=True, eq=False)
class LinkedWorkload(Workload):
    """With what was told, in no order."""

    told: tuple[Told, ...] = ()

    def persons(self, key: str) -> dict[tuple[str, str], str]:
        """Whose each touchpoint, by source and id, is at the end: of the set of links alone."""
        owner = owners(self.told, load_map(LINKED_MAP).identifiers, key)
        return {(told.source, told.id): person_of(token) for told, token in owner.items()}


def sayer(prefix: str, start: int, told: list[Told]) -> Say:
    """Appends a touchpoint to `told`: days since `start`, type, identities, and the number of its order."""

    def say(day: float, touchpoint: str, identities: dict[str, str], order: str | None = None) -> None:
        name, source = f"{prefix}-{len(told)}", ("/shop", "/desk", "/app")[len(told) % 3]
        told.append(Told(start + round(day * DAY), source, name, touchpoint, identities, order))

    return say


def household(number: int, start: int, dice: Random, parts_at: Callable[[], float]) -> list[Told]:
    """What two people and those who serve them say; `parts_at` is the day of a word that parts identifiers."""
    told: list[Told] = []
    say = sayer(str(number), start, told)
    shared = {"device": f"device-{number}"}
    for person in (f"{number}-ann", f"{number}-bert"):
        email, phone = {"email": f"{person}@example.com"}, {"phone": f"+49 {person}"}
        customer = {"customer_id": person}
        cookies = [{"cookie": f"{person}-{place}"} for place in ("home", "work")]
        alone = [customer, email, phone, *cookies, shared]
        for known in alone:
            say(dice.uniform(0, 1), VIEWED, known)
            say(dice.uniform(6, LIFE), VIEWED, known)
        for order in range(3):
            _order(f"{person}-{order}", dice.uniform(0, 3 + order), alone, dice, say)
        say(dice.uniform(1.5, 2.5), VIEWED, cookies[0] | email)
        say(dice.uniform(1.5, 2.5), VIEWED, cookies[1] | phone)
        say(dice.uniform(2.5, 3.5), VIEWED, phone | email)
        say(dice.uniform(3.5, 5.5), VIEWED, email | customer)
        say(dice.uniform(1, 5), VIEWED, shared | dice.choice([email, cookies[0], phone]))
        if dice.random() < 0.5:
            say(dice.uniform(1, 6), VIEWED, {"email": f"family-{number}@example.com"} | dice.choice(cookies))
        for one, other, share in ((shared, email, 0.5), (cookies[0], email, 0.3), (phone, customer, 0.2)):
            if dice.random() < share:
                _part(one | other, parts_at(), dice, say)
    return told


def _order(order: str, day: float, known: list[dict[str, str]], dice: Random, say: Say) -> None:
    """Placed under one identifier, sent and delivered under others; some sources know nothing but its number."""
    reference = {"order_id": order}
    placed, sent, delivered = (dice.choice(known) for _ in range(3))
    say(day, PLACED, placed | (reference if dice.random() < 0.7 else {}), order)
    say(day + dice.uniform(0.3, 2), DISPATCHED, reference if dice.random() < 0.4 else sent, order)
    if dice.random() < 0.9:
        last = reference if dice.random() < 0.3 else delivered | (reference if dice.random() < 0.5 else {})
        say(day + dice.uniform(1.8, 5), DELIVERED, last, order)


def _part(two: dict[str, str], day: float, dice: Random, say: Say) -> None:
    say(day, UNLINKED, two)
    if dice.random() < 0.3:
        # seen together once more, which does not make them one again
        say(day + 0.2, VIEWED, two)
    if dice.random() < 0.2:
        say(day + 1, LINKED, two)


@lru_cache(maxsize=2)
def linked(households: int, days: int, seed: int = 5) -> LinkedWorkload:
    """Households that begin one after the other over `days`: merges of every step, and unmerges, at any time."""
    dice = Random(seed)

    def early() -> float:
        return dice.uniform(3, LIFE - 2)

    told = [
        each
        for number in range(households)
        for each in household(number, _START + number * days * DAY // households, dice, early)
    ]
    return workload(told, households, dice)


@lru_cache(maxsize=2)
def parted(households: int, days: int, seed: int = 6) -> tuple[LinkedWorkload, int]:
    """Everybody is linked first, and over the `days` after that parted; with the number of records before."""
    dice = Random(seed)
    told = [
        each
        for number in range(households)
        for each in household(number, _START, dice, lambda: dice.uniform(LIFE + 1, LIFE + 1 + days))
    ]
    whole = workload(told, households, dice)
    before = next(at for at, record in enumerate(whole.records) if UNLINKED.encode() in record.value)
    return whole, before


def workload(told: list[Told], customers: int, dice: Random) -> LinkedWorkload:
    """As records in order of arrival: some disordered, 1 % a day late, 2 % twice; with ticks, the last a week on."""
    keys = order_keys(owners(told, load_map(LINKED_MAP).identifiers, KEY))
    records = [copy for each in told for copy in _copies(each, keys, dice)]
    first, last = min(each.time for each in told), max(each.time for each in told)
    records += _ticks(first, last)
    records.sort(key=lambda record: record.arrival)
    end = last + 7 * DAY
    return LinkedWorkload((*records, _tick(end + DAY, end)), customers, end, tuple(told))


def _copies(told: Told, keys: dict[Told, str], dice: Random) -> Iterator[SimulatedRecord]:
    delay = dice.randrange(SECOND, 6 * MINUTE) if dice.random() > 0.01 else dice.randrange(2 * HOUR, DAY)
    value = encoded(told, keys.get(told))
    key = next(iter(told.identities.values())).encode()
    for again in (0, dice.randrange(2 * MINUTE))[: 1 + (dice.random() < 0.02)]:
        yield SimulatedRecord(told.time + delay + again, told.type.partition(".")[0], key, value)


def encoded(told: Told, order: str | None) -> bytes:
    """As a CloudEvent; `order` is the key of its journey."""
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": told.id,
            "source": told.source,
            "type": told.type,
            "time": moment(told.time),
            "identities": told.identities,
            "data": {} if order is None else {"order": order},
        }
    )


def _ticks(first: int, last: int) -> Iterable[SimulatedRecord]:
    return (_tick(at + _LATENESS, at) for at in range(first, last, _TICK_EVERY))


def _tick(arrival: int, instant: int) -> SimulatedRecord:
    return SimulatedRecord(arrival, "", None, b"", (), instant)


def assert_persons_of_the_links(workload: LinkedWorkload, settings: Settings) -> None:
    """The oracle itself, held against persons computed from the set of links: nothing moves there."""
    found = expected(workload, settings).outcome.touchpoints
    persons = workload.persons(settings.identity_key.get_secret_value())
    assert {place: touchpoint["person_id"] for place, touchpoint in found.items()} == persons
