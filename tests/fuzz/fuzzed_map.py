"""The journey map under which records are fuzzed: that of the company which `throughline simulate` plays, with a kind of
identifier of every sort beside its own, a stage whose limit is learned and a promise with a forecast.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from pipeline.core.plan import compile_plan
from pipeline.core.tokens import Tokens
from pipeline.maps import load_map
from schemas.identifiers import IdentifierKind
from schemas.journey_map import JourneyType
from schemas.learned import Forecast, LearnedLimit

ROOT = Path(__file__).resolve().parents[2]
_MAP = load_map(ROOT / "examples" / "company" / "map.yaml")
_KINDS = {
    "phone": IdentifierKind(kind="personal", strength=600, normalise="phone", region="AT"),
    "cookie": IdentifierKind(kind="personal", strength=200, lives=timedelta(days=30)),
}
_LEAST = 10


def _learning(order: JourneyType) -> JourneyType:
    """Orders whose payment has a learned limit, and whose delivery a forecast."""
    limit, forecast = (
        LearnedLimit(least=_LEAST, segment="data.items"),
        Forecast(probability=0.5, least=_LEAST),
    )
    payment = order.stages["awaiting_payment"].model_copy(update={"learned": limit})
    delivery = order.promises["delivery"].model_copy(update={"at_risk": forecast})
    return order.model_copy(
        update={
            "stages": {**order.stages, "awaiting_payment": payment},
            "promises": {**order.promises, "delivery": delivery},
        }
    )


COMPANY = compile_plan(
    _MAP.model_copy(
        update={
            "identifiers": {**_MAP.identifiers, **_KINDS},
            "journeys": {**_MAP.journeys, "order": _learning(_MAP.journeys["order"])},
        }
    )
)
KEY = "a test's key"
TOKENS = Tokens(KEY, COMPANY.kinds)


def stays() -> list[dict[str, Any]]:
    """Events of orders that were paid and delivered, more than the least number of which something is learned, and of
    two that wait a month later, by which time goes on.
    """
    pattern = json.loads((ROOT / "examples/touchpoints/good/sales.order.placed.json").read_bytes())
    bare = {name: value for name, value in pattern.items() if name != "data"}
    happened: list[dict[str, Any]] = []
    for number in range(_LEAST + 4):
        who = {"identities": {"customer_id": "C-2", "order_id": f"L-{number}"}}
        at = f"2026-03-{1 + number:02}T"
        happened += [
            {**pattern, **who, "id": f"l{number}", "time": f"{at}08:00:00Z"},
            {
                **bare,
                **who,
                "id": f"lp{number}",
                "time": f"{at}09:00:00Z",
                "type": "fulfilment.payment.approved",
            },
            {
                **bare,
                **who,
                "id": f"ld{number}",
                "time": f"{at}20:00:00Z",
                "type": "fulfilment.order.delivered",
            },
        ]
    for number in range(2):
        who = {"identities": {"customer_id": "C-3", "order_id": f"W-{number}"}}
        happened.append({**pattern, **who, "id": f"w{number}", "time": f"2026-04-1{number}T08:00:00Z"})
    return happened
