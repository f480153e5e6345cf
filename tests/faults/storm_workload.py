"""Storms: people with many identifiers, none of them linked, and then all links within a minute; seeded.

- stars: an address and its cookies, of which some have a customer number too; a device of too many, which joins nobody
- chains: cookie, device, cookie, device and so on between two customer numbers, so that one link of them is refused
- crossings: A joins B while B joins C, and what is A's joins what is C's, each of them a person of several identifiers
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from random import Random

from linked_persons import Told
from linked_workload import DELIVERED, PLACED, VIEWED, LinkedWorkload, Say, sayer, workload

from pipeline.core.instants import DAY, MINUTE, micros
from pipeline.simulate.simulation import DEFAULT_START

_START = micros(DEFAULT_START)
_BURST = 4.0
"""The day of the storm: orders placed before it are due behind it."""
Identifier = dict[str, str]


@dataclass(frozen=True)
class Sizes:
    """How many of each shape, and how many identifiers a star's arms and a chain's links are."""

    stars: int
    arms: int
    chains: int
    length: int
    crossings: int


SMALL = Sizes(stars=4, arms=20, chains=3, length=40, crossings=40)
LARGE = Sizes(stars=40, arms=45, chains=20, length=100, crossings=500)


class Storm(LinkedWorkload):
    """`records[calm:]` begin with the storm."""

    @property
    def calm(self) -> int:
        begin = _START + round(_BURST * DAY)
        return next(at for at, record in enumerate(self.records) if record.arrival >= begin)

    @property
    def links(self) -> int:
        """What is said within the minute."""
        begin = _START + round(_BURST * DAY)
        return sum(begin <= each.time < begin + MINUTE for each in self.told)


@lru_cache(maxsize=2)
def storm(sizes: Sizes, seed: int = 8) -> Storm:
    dice, told = Random(seed), list[Told]()
    for number in range(sizes.stars):
        _star(f"star-{number}", sizes.arms, dice, told)
    for number in range(sizes.chains):
        _chain(f"chain-{number}", sizes.length, dice, told)
    for number in range(sizes.crossings):
        _crossing(f"cross-{number}", dice, told)
    whole = workload(told, sizes.crossings, dice)
    return Storm(whole.records, whole.customers, whole.end, whole.told)


def _star(name: str, arms: int, dice: Random, told: list[Told]) -> None:
    say = sayer(name, _START, told)
    hub, customer = {"email": f"{name}@example.com"}, {"customer_id": name}
    cookies = [{"cookie": f"{name}-{arm}"} for arm in range(arms)]
    _live([hub, customer, *cookies], dice, say)
    for cookie in [*cookies, customer]:
        _link(cookie, hub, dice, say)
    device = {"device": name}
    _live([device], dice, say)
    for cookie in cookies[:9]:
        _link(cookie, device, dice, say)


def _chain(name: str, length: int, dice: Random, told: list[Told]) -> None:
    say = sayer(name, _START, told)
    kinds = ("cookie", "device")
    links = [{kinds[place % 2]: f"{name}-{place}"} for place in range(length)]
    chain = [{"customer_id": f"{name}-left"}, *links, {"customer_id": f"{name}-right"}]
    _live(chain, dice, say)
    pairs = list(pairwise(chain))
    dice.shuffle(pairs)
    for one, other in pairs:
        _link(one, other, dice, say)


def _crossing(name: str, dice: Random, told: list[Told]) -> None:
    say = sayer(name, _START, told)
    people = []
    for person in "abc":
        email = {"email": f"{name}-{person}@example.com"}
        cookies = [{"cookie": f"{name}-{person}-{place}"} for place in (0, 1)]
        known = [email, *cookies, *([{"customer_id": f"{name}-{person}"}] if dice.random() < 0.4 else [])]
        _live(known, dice, say)
        for each in known[1:]:
            say(dice.uniform(1, 2), VIEWED, each | email)
        people.append(known)
    a, b, c = people
    crossing = [(a[0], b[1]), (b[0], c[1]), (c[0], a[2]), (b[2], a[1] | {"phone": name}), (c[2], a[0])]
    for one, other in dice.sample(crossing, dice.randint(2, len(crossing))):
        _link(one, other, dice, say)


def _live(known: list[Identifier], dice: Random, say: Say) -> None:
    """Each identifier is seen before the storm, and some behind it; half of them have placed an order."""
    for number, each in enumerate(known):
        say(dice.uniform(0, 3), VIEWED, each)
        if dice.random() < 0.2:
            say(dice.uniform(5, 8), VIEWED, each)
        if dice.random() < 0.5:
            order = f"{'-'.join(each.values())}-{number}"
            say(dice.uniform(1, 3.9), PLACED, each, order)
            if dice.random() < 0.8:
                say(dice.uniform(3.5, 7), DELIVERED, dice.choice(known), order)


def _link(one: Identifier, other: Identifier, dice: Random, say: Say) -> None:
    # two cookies say nothing of each other on one event
    if one.keys() != other.keys():
        say(_BURST + dice.random() / (24 * 60), VIEWED, one | other)
