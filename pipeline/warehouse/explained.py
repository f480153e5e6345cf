"""What the warehouse knows of one finding: its revisions, and the touchpoints of its journey."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

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
    detail: Figure = msgspec.field(default_factory=Figure)


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
