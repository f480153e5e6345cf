"""Laws of promises and stages on calendars, through all stages: only the set of touchpoints decides."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

import msgspec
from calendar_world import Minutes
from hypothesis import given, settings
from hypothesis import strategies as st
from journey_world import ANSWERED, APPROVED, PLACED, QUEUED, SHOP, plan_of, us
from laws import examples

from pipeline.core.instants import DAY, MINUTE, moment
from pipeline.core.run import MemoryPipeline, RunConfig

START, DAYS = us("2026-03-24 00:00"), 18
"""With the change of clocks on the 29th, Good Friday on the 3rd and Easter Monday on the 6th."""
HOURS = {"mon-fri": ["09:00-12:30", "13:30-18:00"], "sun": ["00:30-03:30"]}
CLOSED = {"2026-04-03": "closed", "2026-04-06": ["10:00-12:00"]}
MINUTES = Minutes("Europe/Berlin", HOURS, CLOSED, START, (DAYS + 20) * 1440)


def _shop() -> dict[str, Any]:
    shop = copy.deepcopy(SHOP)
    shop["calendars"] = {
        "office": {"zone": "Europe/Berlin", "hours": HOURS, "holidays": {"dates": CLOSED}},
    }
    order = shop["journeys"]["order"]
    order["promises"]["approval"]["due"] = {"within": "5h", "calendar": "office"}
    order["promises"]["delivery"] |= {
        "due": {"end_of": "2 business days", "calendar": "office"},
        "met_by": ANSWERED,
    }
    order["stages"]["on_hold"] |= {"expected": "3h", "calendar": "office"}
    return shop


PLAN = plan_of(_shop())
CONFIG = RunConfig(identity_key="a test's key", now=START + 400 * DAY, partitions=2)
Told = list[tuple[int, str, str]]
"""Touchpoints: the minute of each, its type, the order."""
_told = st.lists(
    st.tuples(
        st.integers(0, DAYS * 1440 - 1),
        st.sampled_from([PLACED, APPROVED, QUEUED, ANSWERED]),
        st.sampled_from(["7", "8"]),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda touchpoint: touchpoint[0],
)


def published(told: Told, random: Random, watermark: int) -> dict[tuple[str, str], tuple[Any, ...]]:
    """(rule, opening touchpoint) → status, limit and what settled it, after this order of arrival."""
    pipeline = MemoryPipeline(PLAN, CONFIG)
    for minute, kind, order in told:
        event = {
            "specversion": "1.0",
            "id": str(minute),
            "source": "shop",
            "type": kind,
            "time": moment(START + minute * MINUTE).isoformat(),
            "identities": {"order_id": order},
        }
        pipeline.feed(kind.split(".")[0], msgspec.json.encode(event))
        if random.random() < 0.3:
            pipeline.drain()
    pipeline.drain()
    pipeline.tick(watermark)
    pipeline.drain()
    found = [msgspec.json.decode(value) for value in pipeline.published.findings.values()]
    return {
        (finding["rule"], finding["evidence"][0].removeprefix("shop#")): (
            finding["status"],
            us(finding["detail"].get("due_at", finding["detail"].get("since"))[:19]),
            *[name.removeprefix("shop#") for name in finding["evidence"][1:]],
        )
        for finding in found
        if finding["status"] != "withdrawn"
    }


def expected(told: Told, watermark: int) -> dict[tuple[str, str], tuple[Any, ...]]:
    """The same by the clock on the wall, minute by minute, over the touchpoints in order of time."""
    found: dict[tuple[str, str], tuple[Any, ...]] = {}
    for order in ("7", "8"):
        trail = sorted((minute, kind) for minute, kind, other in told if other == order)
        for rule, met_by in (("approval", APPROVED), ("delivery", ANSWERED)):
            met = next((minute for minute, kind in trail if kind == met_by), None)
            for made in [minute for minute, kind in trail if kind == PLACED]:
                due = MINUTES.after(made, 300) if rule == "approval" else MINUTES.end_of_day(made, 2, None)
                assert due is not None
                found[rule, str(made)] = _verdict(made, due, met, watermark)
        entered = None
        for minute, kind in [*trail, (None, ANSWERED)]:
            if kind == QUEUED and entered is None:
                entered = minute
            elif kind == ANSWERED and entered is not None:
                since = MINUTES.after(entered, 180)
                assert since is not None
                if (watermark if minute is None else MINUTES.instant(minute)) > since:
                    left = () if minute is None else (str(minute),)
                    found["on_hold", str(entered)] = ("resolved" if left else "opened", since, *left)
                entered = None
    return found


def _verdict(made: int, due: int, met: int | None, watermark: int) -> tuple[Any, ...]:
    if met is not None:
        return ("kept" if MINUTES.instant(met) <= due else "broken", due, str(met))
    if watermark > due:
        return ("broken", due)
    passed, whole = (_open(made, until) for until in (watermark, due))
    return ("at_risk" if passed >= 0.75 * whole else "made", due)


def _open(minute: int, until: int) -> int:
    return sum(MINUTES.is_open[minute : (until - START) // MINUTE])


@settings(max_examples=examples(100), deadline=None)
@given(_told, st.integers(0, 6 * 1440), st.randoms(use_true_random=False))
def test_any_order_of_arrival_ends_in_what_the_clock_on_the_wall_says(
    told: Told, passed: int, random: Random
) -> None:
    watermark = START + (max(minute for minute, _, _ in told) + 1 + passed) * MINUTE
    shuffled = [*told, *random.sample(told, random.randint(0, len(told)))]
    random.shuffle(shuffled)
    assert published(shuffled, random, watermark) == expected(told, watermark)
