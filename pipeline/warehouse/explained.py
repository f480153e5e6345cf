"""What the warehouse knows of one finding: its revisions, and the touchpoints of its journey."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from pipeline.core.instants import SECOND, micros
from pipeline.core.messages import Micros
from pipeline.shadow.past import PastTouchpoint
from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.past_touchpoints import past

SHORTEST = 6
"""Digits by which a finding may be named, if no other begins with them."""

_REVISIONS = """
SELECT finding_id, revision, status, detected_at, record FROM findings FINAL
WHERE startsWith(finding_id, %(finding)s)
ORDER BY finding_id, revision
LIMIT 1000"""
_TOUCHPOINTS = """
SELECT toUnixTimestamp64Micro(time), source, id, type, subject, outcome, identities, data
FROM touchpoints_resolved
WHERE has(journey_ids, %(journey)s) AND person_id = %(person)s
ORDER BY time, source, id"""


class Figure(msgspec.Struct):
    """What a promise of a figure says of itself: see `schemas.finding.ValueDetail`."""

    kind: str = ""
    made_by: str = ""
    owed_by: str = ""
    basis: str = ""
    measured: str = ""
    observations: int = 0
    promised_from: float | None = None
    promised_to: float | None = None
    tolerance: float = 0
    unit: str | None = None
    observed: float | None = None
    gap: float | None = None
    closes_at: datetime | None = None


class Learned(msgspec.Struct):
    """What a stall says of a limit that was learned: see `schemas.finding.LearnedDetail`."""

    quantile: float
    times: float
    ended: int
    low_seconds: float
    learned_at: datetime
    high_seconds: float | None = None
    segment: str | None = None


class Forecast(msgspec.Struct):
    """What a promise says of earlier ones: see `schemas.finding.ForecastDetail`."""

    probability: float
    threshold: float
    ended: int
    learned_at: datetime
    segment: str | None = None


class Detail(Figure):
    """And what findings say of what was learned."""

    limit_seconds: float = 0
    learned: Learned | None = None
    at_risk_at: datetime | None = None
    forecast: Forecast | None = None

    @property
    def decided_by_others(self) -> Micros | None:
        """The limit of a stage that was learned, or from when a promise is at risk by its forecast; else None."""
        if self.learned is not None:
            return round(self.limit_seconds * SECOND)
        if self.forecast is not None and self.at_risk_at is not None:
            return micros(self.at_risk_at)
        return None


class Said(msgspec.Struct):
    """What an explanation asks of a finding as it was published."""

    type: str
    rule: str
    status: str
    person_id: UUID
    journey_id: str
    journey_type: str
    journey_key: str
    detected_at: datetime
    evidence: list[str]
    detail: Detail = msgspec.field(default_factory=Detail)


@dataclass(frozen=True)
class Revision:
    """A revision of a finding."""

    number: int
    status: str
    detected_at: datetime


@dataclass(frozen=True)
class Published:
    """A finding as its last revision has it, and all of them, the first first."""

    finding_id: str
    said: Said
    revisions: list[Revision]


def published_findings(warehouse: Warehouse, finding: str) -> list[Published]:
    """The findings whose ids begin so. Raises WarehouseError."""
    found: dict[str, list[tuple[Revision, str]]] = {}
    for name, number, status, detected_at, record in warehouse.query(_REVISIONS, {"finding": finding}):
        found.setdefault(name, []).append((Revision(number, status, detected_at), record))
    return [
        Published(name, msgspec.json.decode(told[-1][1], type=Said), [revision for revision, _ in told])
        for name, told in found.items()
    ]


def journey_touchpoints(warehouse: Warehouse, journey: str, person: UUID) -> Iterator[PastTouchpoint]:
    """The events of a person's journey, in order of time. Raises WarehouseError."""
    asked = {"journey": journey, "person": str(person)}
    return map(past, warehouse.query(_TOUCHPOINTS, asked))
