"""The published JSON records, as the warehouse reads them.

In: the value of a record on `journeys.enriched`, `journeys.findings` or `journeys.state`. Out: a struct with
the fields of the contract in `schemas/`, instants as aware datetimes and persons as UUIDs. These are hops
that we wrote ourselves, so msgspec is enough; a test holds the structs against the contracts, field by field.
Tuples and gc=False keep the garbage collector, which costs more than the decoding, out of large batches.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta, Raw, Struct

_NULL = Raw(b"null")


class JourneyContext(Struct, frozen=True, gc=False):
    """Less its type and key, which the row does not keep: msgspec skips them for a third of the cost."""

    journey_id: str
    stages: tuple[str, ...]
    entered: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


class EnrichedTouchpoint(Struct, frozen=True, gc=False):
    id: str
    source: str
    type: str
    time: datetime
    identities: dict[str, str]
    person_id: UUID
    identifier: str
    domain: str
    owner: str | None
    mapped: bool
    late: bool
    subject: str | None = None
    outcome: str | None = None
    data: Raw = _NULL
    journeys: tuple[JourneyContext, ...] = ()


UInt8 = Annotated[int, Meta(ge=0, lt=2**8)]
UInt32 = Annotated[int, Meta(ge=0, lt=2**32)]


class ClockDetail(Struct, frozen=True, gc=False):
    started_at: datetime
    target_seconds: float
    spent_seconds: float | None = None
    paused_at: datetime | None = None
    paused_seconds: float = 0
    resets: UInt32 = 0
    original_due_at: datetime | None = None


class RevisionDetail(Struct, frozen=True, gc=False):
    count: UInt32
    first_due_at: datetime
    latest_due_at: datetime
    best_due_at: datetime


class WarningDetail(Struct, frozen=True, gc=False):
    status: str


Warnings = Annotated[tuple[WarningDetail, ...], Meta(max_length=2**8 - 1)]


class EscalationDetail(Struct, frozen=True, gc=False):
    step: UInt8
    to: str


class PartsDetail(Struct, frozen=True, gc=False):
    needed: float
    brought: float


class LearnedDetail(Struct, frozen=True, gc=False):
    ended: UInt32
    low_seconds: float
    high_seconds: float | None = None
    segment: str | None = None


class ForecastDetail(Struct, frozen=True, gc=False):
    probability: float
    ended: UInt32
    segment: str | None = None


class PromiseDetail(Struct, frozen=True, gc=False):
    made_at: datetime
    made_by: str
    due_at: datetime
    at_risk_at: datetime
    owed_by: str
    kind: str = "deadline"
    met_at: datetime | None = None
    cancelled_at: datetime | None = None
    gap_hours: float | None = None
    calendar: str | None = None
    per: str | None = None
    attributes: dict[str, str] = {}
    revisions: RevisionDetail | None = None
    clock: ClockDetail | None = None
    warnings: Warnings = ()
    escalation: EscalationDetail | None = None
    parts: PartsDetail | None = None
    forecast: ForecastDetail | None = None


class ValueDetail(Struct, frozen=True, gc=False):
    kind: str
    made_at: datetime
    made_by: str
    owed_by: str
    basis: str
    measured: str
    observations: UInt32
    promised_from: float | None = None
    promised_to: float | None = None
    tolerance: float = 0
    unit: str | None = None
    observed: float | None = None
    observed_at: datetime | None = None
    started_at: datetime | None = None
    gap: float | None = None
    closes_at: datetime | None = None
    closed_at: datetime | None = None
    cancelled_at: datetime | None = None
    per: str | None = None
    attributes: dict[str, str] = {}


class StallDetail(Struct, frozen=True, gc=False):
    stage: str
    entered_at: datetime
    since: datetime
    limit_seconds: float
    limit_kind: str = "declared"
    left_at: datetime | None = None
    abandoned_at: datetime | None = None
    calendar: str | None = None
    attributes: dict[str, str] = {}
    clock: ClockDetail | None = None
    warnings: Warnings = ()
    escalation: EscalationDetail | None = None
    learned: LearnedDetail | None = None


class _Finding(Struct, frozen=True, gc=False, tag_field="type"):
    finding_id: str
    rule: str
    revision: int
    status: str
    person_id: UUID
    journey_id: str
    journey_type: str
    journey_key: str
    opened_at: datetime
    detected_at: datetime
    evidence: tuple[str, ...]
    owner: str
    severity: str


class PromiseFinding(_Finding, frozen=True, gc=False, tag="promise"):
    detail: PromiseDetail


class ValueFinding(_Finding, frozen=True, gc=False, tag="value_promise"):
    detail: ValueDetail


class StallFinding(_Finding, frozen=True, gc=False, tag="stall"):
    detail: StallDetail


class StageVisit(Struct, frozen=True, gc=False):
    stage: str
    entered_at: datetime


class JourneyState(Struct, frozen=True, gc=False, tag_field="kind", tag="journey"):
    journey_id: str
    journey_type: str
    journey_key: str
    person_id: UUID
    version: int
    status: str
    opened_at: datetime
    last_at: datetime
    touchpoints: int
    stages: tuple[StageVisit, ...]
    ended_at: datetime | None = None


class PersonState(Struct, frozen=True, gc=False, tag_field="kind", tag="person"):
    person_id: UUID
    version: int
    touchpoints: int
    identifiers: tuple[str, ...]
    first_at: datetime | None = None
    last_at: datetime | None = None


class PersonOverride(Struct, frozen=True, gc=False, tag_field="kind", tag="override"):
    born_person_id: UUID
    identifier: str
    person_id: UUID
    version: int


class LinkState(Struct, frozen=True, gc=False, tag_field="kind", tag="link"):
    one: str
    other: str
    status: str
    persons: tuple[UUID, ...]
    version: int
    rule: str | None = None
    linked_at: datetime | None = None
    linked_source: str | None = None
    linked_id: str | None = None
    said_at: datetime | None = None
    said_source: str | None = None
    said_id: str | None = None
    said_one: bool | None = None


class IdentifierState(Struct, frozen=True, gc=False, tag_field="kind", tag="identifier"):
    identifier: str
    person_id: UUID
    named_by: str
    shared: bool
    version: int


class LearnedState(Struct, frozen=True, gc=False, tag_field="kind", tag="learned"):
    of: str
    rule: str
    day: datetime
    ended: UInt32
    version: int
    segment: str | None = None
    limit_seconds: float | None = None
    low_seconds: float | None = None
    high_seconds: float | None = None
    percentiles: tuple[float, ...] = ()


class StageCounts(Struct, frozen=True, gc=False, tag_field="kind", tag="counts"):
    stage: str
    partition: int
    version: int
    counts: dict[str, int]


Finding = PromiseFinding | ValueFinding | StallFinding
StateRecord = (
    JourneyState | PersonState | PersonOverride | LinkState | IdentifierState | LearnedState | StageCounts
)

decode_touchpoint = msgspec.json.Decoder(EnrichedTouchpoint).decode
decode_finding = msgspec.json.Decoder(Finding).decode
decode_state = msgspec.json.Decoder(StateRecord).decode
