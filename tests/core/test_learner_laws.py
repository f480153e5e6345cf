"""Laws of what is learned: nothing but the set of stays decides, and it decides as a count by hand of all of them says.

Orders are placed and delivered by customers, cookies and order numbers that turn out to be one person's, or not, in any
order; every partition works when it likes and is opened anew now and then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from laws import examples
from linked_persons import Told, order_keys, owners
from merging_world import KEY, START, VIEWED, moving, unmoved

from pipeline.core.instants import DAY, MINUTE, moment, parse_instant
from pipeline.core.learning import SLOT
from pipeline.core.limit_telling import limit_of
from pipeline.core.messages import Limit
from pipeline.core.plan import compile_plan
from pipeline.core.survival import Curve, bin_of
from schemas.journey_map import JourneyMap

PLACED, DELIVERED = "sales.order.placed", "fulfilment.parcel.delivered"
CANCELLED = "sales.order.cancelled"
CARRIERS = ["bike", "ship"]
HOUR = 60 * MINUTE
MAP = {
    "name": "shop",
    "identifiers": {
        "customer_id": {"kind": "personal", "strength": 900, "unique": True},
        "cookie": {"kind": "personal", "strength": 300},
        "order_id": {"kind": "reference", "strength": 500},
    },
    "touchpoints": {
        VIEWED: {"owner": "web"},
        PLACED: {"owner": "sales"},
        CANCELLED: {"owner": "sales"},
        DELIVERED: {"owner": "carriers"},
    },
    "journeys": {
        "order": {
            "key": "data.order",
            "promises": {
                "delivery": {
                    "made_by": PLACED,
                    "due": {"within": "3d"},
                    "met_by": DELIVERED,
                    "cancelled_by": CANCELLED,
                    "owed_by": "carriers",
                    "at_risk": {"probability": 0.6, "least": 10},
                }
            },
            "stages": {
                "packing": {
                    "enter": PLACED,
                    "leave": [DELIVERED, CANCELLED],
                    "owner": "shop",
                    "expected": "6d",
                    "warn_at": [0.5],
                    "learned": {"quantile": 0.8, "times": 1.25, "least": 10, "segment": "data.carrier"},
                }
            },
        }
    },
}
PLAN = compile_plan(JourneyMap.model_validate(MAP))
[RULES] = PLAN.journeys


def events(random: Random) -> list[Told]:
    """Sixty orders of eight customers in fifteen days, most of them delivered, and what links who has placed them."""
    told = []
    for number in range(60):
        placed = START + random.randrange(15 * DAY)
        who = str(random.randrange(8))
        by: dict[str, str] = random.choice([{"customer_id": who}, {"cookie": who}, {}])
        named = {**by, "order_id": f"o{number}"} if random.random() < 0.7 or not by else by
        carrier = random.choice(CARRIERS)
        data = {"carrier": carrier} if random.random() < 0.9 else {}
        told.append(Told(placed, "shop", f"p{number}", PLACED, named, f"o{number}", data))
        if random.random() < 0.85:
            took = random.randrange(HOUR, (2 if carrier == "bike" else 8) * DAY)
            kind = CANCELLED if random.random() < 0.1 else DELIVERED
            reference = {"order_id": f"o{number}"} if "order_id" in named else by
            told.append(Told(placed + took, "shop", f"d{number}", kind, reference, f"o{number}"))
    for number in range(20):
        who, other = str(random.randrange(8)), str(random.randrange(8))
        time = START + random.randrange(15 * DAY)
        known = random.choice(
            [{"customer_id": who, "cookie": other}, {"customer_id": who, "order_id": f"o{number}"}]
        )
        kind = random.choice([VIEWED, VIEWED, VIEWED, "service.identity.unlinked"])
        told.append(Told(time, "shop", f"l{number}", kind if "cookie" in known else VIEWED, known))
    return told


@pytest.mark.parametrize("seed", range(examples(80)))
def test_whatever_the_order_and_whoever_it_turns_out_to_be_the_limits_are_those_of_the_set(seed: int) -> None:
    random = Random(seed)
    told = events(random)
    keys = order_keys(owners(told, PLAN.kinds, KEY))
    found, still = moving(PLAN, told, keys, random), unmoved(PLAN, told, keys)
    assert found == still
    assert _stalls(found) == by_hand(told, keys)
    assert _at_risk(found) == forecast_by_hand(told, keys)


def _stalls(found: Mapping[str, Mapping[Any, Any]]) -> dict[str, tuple[str, str, str, Any]]:
    """Order → status, since when, which limit, and of which segment."""
    return {
        each["journey_key"]: (
            each["status"],
            each["detail"]["since"],
            each["detail"]["limit_kind"],
            each["detail"].get("learned", {}).get("segment"),
        )
        for each in found["findings"].values()
        if each["type"] == "stall"
    }


def _at_risk(found: Mapping[str, Mapping[Any, Any]]) -> dict[str, tuple[str, int | None]]:
    """Order → from when it is at risk, and on how many promises that rests."""
    return {
        each["journey_key"]: (
            each["detail"]["at_risk_at"],
            each["detail"].get("forecast", {}).get("ended"),
        )
        for each in found["findings"].values()
        if each["type"] == "promise"
    }


Stay = tuple[str, str | None, int, int | None, bool]
"""Order, carrier, when it was placed, when something ended that, and whether it was called off."""


def stays(told: list[Told], keys: Mapping[Told, str]) -> list[Stay]:
    """Of every order: whoever placed it, the first that delivered or cancelled it, unless that came before."""
    by_order = defaultdict(list)
    for each in sorted(told, key=lambda each: each.place):
        if each in keys:
            by_order[keys[each]].append(each)
    found: list[Stay] = []
    for order, events in by_order.items():
        placed = [each for each in events if each.type == PLACED]
        ends = [each for each in events if each.type != PLACED]
        if placed and not (ends and ends[0].time < placed[0].time):
            left = ends[0].time if ends else None
            called_off = bool(ends) and ends[0].type == CANCELLED
            found.append((order, placed[0].data.get("carrier"), placed[0].time, left, called_off))
    return found


def curve_of(some: list[Stay], day: int) -> Curve:
    """Of stays that began more than a day before this one, as they stood at the beginning of the day before."""
    until = (day - 1) * DAY
    ended: dict[int, int] = {}
    going_on: dict[int, int] = {}
    for _, _, entered, left, _ in some:
        if entered >= until:
            continue
        if left is not None and left < until:
            ended[bin_of(left - entered)] = ended.get(bin_of(left - entered), 0) + 1
        else:
            age = bin_of(until - entered // SLOT * SLOT)
            going_on[age] = going_on.get(age, 0) + 1
    return Curve(ended, going_on)


def by_hand(told: list[Told], keys: Mapping[Told, str]) -> dict[str, tuple[str, str, str, Any]]:
    everything = stays(told, keys)
    rule = RULES.stages[0].learned
    assert rule is not None
    found = {}
    for order, carrier, entered, left, _ in everything:
        segment, limit = carrier, None
        if carrier is not None:
            limit = limit_of(
                curve_of([each for each in everything if each[1] == carrier], entered // DAY), rule
            )
        if limit is None:
            segment, limit = None, limit_of(curve_of(everything, entered // DAY), rule)
        since, kind = entered + 6 * DAY, "declared"
        if limit is not None and limit.duration < 6 * DAY:
            since, kind = entered + limit.duration, "learned"
        else:
            segment = None
        if left is None or left > since:
            found[order] = ("opened" if left is None else "resolved", _text(since), kind, segment)
    return found


def forecast_by_hand(told: list[Told], keys: Mapping[Told, str]) -> dict[str, tuple[str, int | None]]:
    """The first age at which at least 60 % of those that take so long take longer than three days."""
    everything = stays(told, keys)
    rule = RULES.promises[0].learned
    assert rule is not None
    found = {}
    for order, _, made, _, _ in everything:
        counted = [each for each in everything if not each[4]]
        limit: Limit | None = limit_of(curve_of(counted, made // DAY), rule)
        if limit is None:
            found[order] = (_text(made + 3 * DAY * 3 // 4), None)
            continue
        longer = 100 - sum(1 for passed in limit.passed if passed <= 3 * DAY)
        ages = [0, *limit.passed]
        at = next((age for gone, age in enumerate(ages) if longer >= 0.6 * (100 - gone) - 1e-9), 3 * DAY)
        found[order] = (_text(made + min(at, 3 * DAY)), limit.ended)
    return found


def _text(instant: int) -> str:
    text = moment(instant).isoformat().replace("+00:00", "Z")
    assert parse_instant(text) == instant
    return text
