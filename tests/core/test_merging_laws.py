"""Laws of merging, through all stages in memory: nothing but the set of what was said decides, and no moves show.

Merges cross (A joins B while B joins C, and what is A's joins what is C's), they are undone, and deadlines pass
meanwhile; every partition works when it likes and is opened anew now and then. The oracle moves nothing: in it
everything was said by the identifier that names its person at the end.
"""

from __future__ import annotations

from random import Random

import pytest
from linked_persons import WORDS, Told, order_keys, owners
from merging_world import KEY, START, VIEWED, moving, unmoved

from pipeline.core.instants import DAY
from pipeline.core.journey import journey_id
from pipeline.core.plan import compile_plan
from pipeline.core.tokens import person_of
from schemas.journey_map import JourneyMap

PLACED, DELIVERED = "sales.order.placed", "fulfilment.parcel.delivered"
MAP = {
    "name": "shop",
    "identifiers": {
        "customer_id": {"kind": "personal", "strength": 900, "unique": True},
        "email": {"kind": "personal", "strength": 700, "most_per_person": 3},
        "device": {"kind": "personal", "strength": 400, "most_links": 3},
        "cookie": {"kind": "personal", "strength": 300},
        "order_id": {"kind": "reference", "strength": 500},
    },
    "touchpoints": {
        "marketing.page.viewed": {"owner": "web"},
        "sales.order.placed": {"owner": "sales"},
        "fulfilment.parcel.delivered": {"owner": "carriers"},
    },
    "journeys": {
        "order": {
            "key": "data.order",
            "promises": {
                "delivery": {
                    "made_by": "sales.order.placed",
                    "due": {"within": "3d"},
                    "met_by": "fulfilment.parcel.delivered",
                    "owed_by": "carriers",
                }
            },
            "stages": {
                "packing": {
                    "enter": "sales.order.placed",
                    "leave": "fulfilment.parcel.delivered",
                    "owner": "shop",
                    "expected": "2d",
                }
            },
        }
    },
}
PLAN = compile_plan(JourneyMap.model_validate(MAP))

ALONE = [
    *({"email": person} for person in "abc"),
    *({"cookie": person} for person in "abc"),
    *({"device": person} for person in "ab"),
    *({"customer_id": person} for person in "ab"),
]


def events(random: Random) -> list[Told]:
    """Of three people who share things: what they do, what links any two of their identifiers, what parts them."""
    return [_event(number, random) for number in range(random.randint(20, 50))]


def _event(number: int, random: Random) -> Told:
    one, other, order = random.choice(ALONE), random.choice(ALONE), random.choice("12")
    two = one | other
    draw, half_days = random.random(), random.randint(0, 24)
    if draw < 0.3:
        return _told(number, half_days, random.choice([PLACED, DELIVERED]), one, order)
    if draw < 0.4:
        return _told(number, half_days, random.choice([PLACED, DELIVERED]), {"order_id": order}, order)
    if draw < 0.8 or len(two) == 1:
        return _told(number, half_days, VIEWED, two, None)
    return _told(number, half_days, random.choice(list(WORDS)), two, None)


def _told(number: int, half_days: int, kind: str, identities: dict[str, str], order: str | None) -> Told:
    known = dict(identities)
    if order is not None and number % 2:
        known["order_id"] = order
    if "order_id" in known:
        # an order that is known by its number is that order
        order = known["order_id"]
    return Told(START + half_days * DAY // 2, "shop", f"e{number}", kind, known, order)


OVERTAKEN = 1312
"""Once a device was called back on a shorter way than the cookie's departure through it took, which came too late."""


@pytest.mark.parametrize("seed", [*range(200), OVERTAKEN])
def test_crossing_merges_and_unmerges_in_any_schedule_end_as_if_nothing_had_moved(seed: int) -> None:
    random = Random(seed)
    told = events(random)
    owner = owners(told, PLAN.kinds, KEY)
    keys = order_keys(owner)
    found = moving(PLAN, told, keys, random)
    assert found == unmoved(PLAN, told, keys)
    # every published copy of a touchpoint is the person's of today, and in its journeys
    assert found["touchpoints"] == {
        each.id: {(person_of(token), (journey_id("order", keys[each]),) if each in keys else ())}
        for each, token in owner.items()
    }
