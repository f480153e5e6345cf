"""A small shop under two maps: its map to be changed, its touchpoints in plain words, and the shadow run over them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from pipeline.core.instants import micros
from pipeline.core.plan import Plan, compile_plan
from pipeline.core.run import RunConfig
from pipeline.maps import resolve
from pipeline.shadow.past import PastTouchpoint
from pipeline.shadow.report import Change, ShadowReport
from pipeline.shadow.run import NamedPlan, ShadowRun
from schemas.journey_map import JourneyMap

PLACED, SENT, DELIVERED = "sales.order.placed", "fulfilment.parcel.sent", "fulfilment.parcel.delivered"
MAP: dict[str, Any] = {
    "version": 1,
    "name": "shop",
    "identifiers": {
        "customer_id": {"kind": "personal", "strength": 900, "unique": True},
        "email": {"kind": "personal", "strength": 700},
        "order_id": {"kind": "reference", "strength": 500},
    },
    "touchpoints": {
        PLACED: {"owner": "shop", "title": "An order"},
        SENT: {"owner": "warehouse"},
        DELIVERED: {"owner": "carrier"},
    },
    "journeys": {
        "order": {
            "key": "identities.order_id",
            "end": [DELIVERED],
            "promises": {
                "delivery": {
                    "made_by": PLACED,
                    "due": {"within": "72h"},
                    "met_by": DELIVERED,
                    "owed_by": "carrier",
                },
                "dispatch": {
                    "made_by": PLACED,
                    "due": {"within": "24h"},
                    "met_by": SENT,
                    "owed_by": "warehouse",
                },
            },
            "stages": {
                "waiting": {"enter": PLACED, "leave": SENT, "expected": "12h", "owner": "warehouse"},
                "in_transit": {"enter": SENT, "leave": DELIVERED, "expected": "2d", "owner": "carrier"},
            },
        }
    },
}
NOW = micros(datetime(2026, 6, 1, tzinfo=UTC))
KEY = "a key of tests"


def us(text: str) -> int:
    """Microseconds of `03-01 09:00` in 2026, UTC."""
    return micros(datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC))


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """The shop's map after `change` was done to it."""
    journey_map = copy.deepcopy(MAP)
    change(journey_map)
    return journey_map


def order(journey_map: dict[str, Any]) -> dict[str, Any]:
    """The map's one journey."""
    journey: dict[str, Any] = journey_map["journeys"]["order"]
    return journey


def event(when: str, kind: str, name: str, data: Any = None, **identities: str) -> PastTouchpoint:
    time = us(when)
    content = {
        "specversion": "1.0",
        "id": name,
        "source": "shop",
        "type": kind,
        "time": datetime.fromisoformat(f"2026-{when}").replace(tzinfo=UTC),
        "identities": identities,
        "data": data,
    }
    return PastTouchpoint(time, msgspec.json.encode(content))


def plan_of(journey_map: dict[str, Any]) -> Plan:
    return compile_plan(resolve(JourneyMap.model_validate(journey_map)))


def shadow(
    new: dict[str, Any],
    touchpoints: Iterable[PastTouchpoint],
    *,
    live: dict[str, Any] = MAP,
    since: str | None = None,
    as_of: str | None = None,
    **more: Any,
) -> ShadowReport:
    """The report on `new` beside `live`; of what came before `since` as a source gives it, afterwards."""
    coming, cut = list(touchpoints), None if since is None else us(since)
    examples = more.pop("examples", 5)
    run = ShadowRun(
        NamedPlan("live.yaml", plan_of(live)),
        NamedPlan("new.yaml", plan_of(new)),
        RunConfig(KEY, NOW, **more),
        since=cut,
        examples=examples,
    )
    for each in coming:
        if cut is None or each.time >= cut:
            run.take(each)
    for each in coming:
        if cut is not None and each.time < cut:
            run.complete(each)
    assert run.newest is not None
    return run.conclude(run.newest if as_of is None else us(as_of), "a list", 0, [])


def told(
    changes: Iterable[Change],
) -> list[tuple[str, str, str | None, str | None, dict[str, int], list[str]]]:
    """Each change: type, rule, live, new, the facts that differ, the keys of the examples."""
    return [
        (
            each.type,
            each.rule,
            each.live,
            each.new,
            each.facts,
            [example.journey_key for example in each.examples],
        )
        for each in changes
    ]


def counted(report: ShadowReport, rule: str) -> dict[str, tuple[int, int]]:
    """By status how often it is concluded live, and new."""
    (found,) = [each for each in report.rules if each.rule == rule]
    return {each.status: (each.live, each.new) for each in found.statuses}
