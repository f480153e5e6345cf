"""What the journey stage publishes, as it is encoded: msgspec mirrors of the pydantic contracts in `schemas`.

Pydantic needs 2 µs to encode what msgspec encodes in 0.3. A contract test holds the mirrors and the contracts
together, field by field. Instants are RFC 3339 in UTC with `Z`, with microseconds only where there are any.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Literal

import msgspec

from pipeline.core import instants
from schemas.finding import Measured, PromiseStatus, Severity, StallStatus, ValueStatus
from schemas.state import LinkRule, LinkStatus
from schemas.values import ValueKind

encode = msgspec.json.Encoder().encode

# one instant appears in the touchpoint, its journey, its person and its findings
moment = lru_cache(maxsize=65_536)(instants.moment)


class JourneyContext(msgspec.Struct, gc=False):
    journey_id: str
    journey_type: str
    journey_key: str
    stages: tuple[str, ...]
    entered: tuple[str, ...]
    left: tuple[str, ...]


class Event(msgspec.Struct, gc=False):
    """The part of an enriched touchpoint that ingest knows."""

    id: str
    source: str
    type: str
    time: datetime
    subject: str | None
    outcome: Literal["success", "failure"] | None
    identities: dict[str, str]
    data: msgspec.Raw


class Attribution(msgspec.Struct, gc=False):
    """The part of an enriched touchpoint that the journey stage knows."""

    person_id: str
    identifier: str
    domain: str
    owner: str | None
    mapped: bool
    late: bool
    journeys: list[JourneyContext]


class ClockDetail(msgspec.Struct, gc=False, omit_defaults=True):
    started_at: datetime
    target_seconds: float
    spent_seconds: float | None = None
    paused_at: datetime | None = None
    paused_seconds: float = 0
    resets: int = 0
    original_due_at: datetime | None = None


class RevisionDetail(msgspec.Struct, gc=False):
    count: int
    judged_by: Literal["first", "latest", "best"]
    first_due_at: datetime
    latest_due_at: datetime
    best_due_at: datetime


class WarningDetail(msgspec.Struct, gc=False):
    share: float
    at: datetime
    status: Literal["ahead", "passed", "skipped"]


class EscalationDetail(msgspec.Struct, gc=False):
    step: int
    to: str
    at: datetime


class LearnedDetail(msgspec.Struct, gc=False, omit_defaults=True):
    quantile: float
    times: float
    ended: int
    low_seconds: float
    learned_at: datetime
    high_seconds: float | None = None
    segment: str | None = None


class ForecastDetail(msgspec.Struct, gc=False, omit_defaults=True):
    probability: float
    threshold: float
    ended: int
    learned_at: datetime
    segment: str | None = None


class PartsDetail(msgspec.Struct, gc=False):
    needed: float
    brought: float


class PromiseDetail(msgspec.Struct, gc=False, omit_defaults=True):
    kind: Literal["deadline"]
    made_at: datetime
    made_by: str
    due_at: datetime
    at_risk_at: datetime
    owed_by: str
    met_at: datetime | None = None
    cancelled_at: datetime | None = None
    gap_hours: float | None = None
    calendar: str | None = None
    per: str | None = None
    attributes: dict[str, str] = {}
    revisions: RevisionDetail | None = None
    clock: ClockDetail | None = None
    warnings: list[WarningDetail] = []
    escalation: EscalationDetail | None = None
    parts: PartsDetail | None = None
    forecast: ForecastDetail | None = None


class ValueDetail(msgspec.Struct, gc=False, omit_defaults=True):
    kind: ValueKind
    made_at: datetime
    made_by: str
    owed_by: str
    basis: Literal["touchpoint", "map", "habit"]
    measured: Measured
    observations: int
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


class StallDetail(msgspec.Struct, gc=False, omit_defaults=True):
    stage: str
    entered_at: datetime
    since: datetime
    limit_seconds: float
    limit_kind: Literal["declared", "learned"]
    left_at: datetime | None = None
    abandoned_at: datetime | None = None
    calendar: str | None = None
    attributes: dict[str, str] = {}
    clock: ClockDetail | None = None
    warnings: list[WarningDetail] = []
    escalation: EscalationDetail | None = None
    learned: LearnedDetail | None = None


class PromiseFinding(msgspec.Struct, gc=False, tag_field="type", tag="promise"):
    finding_id: str
    rule: str
    revision: int
    person_id: str
    journey_id: str
    journey_type: str
    journey_key: str
    opened_at: datetime
    detected_at: datetime
    evidence: list[str]
    owner: str
    severity: Severity
    status: PromiseStatus
    detail: PromiseDetail


class ValueFinding(msgspec.Struct, gc=False, tag_field="type", tag="value_promise"):
    finding_id: str
    rule: str
    revision: int
    person_id: str
    journey_id: str
    journey_type: str
    journey_key: str
    opened_at: datetime
    detected_at: datetime
    evidence: list[str]
    owner: str
    severity: Severity
    status: ValueStatus
    detail: ValueDetail


class StallFinding(msgspec.Struct, gc=False, tag_field="type", tag="stall"):
    finding_id: str
    rule: str
    revision: int
    person_id: str
    journey_id: str
    journey_type: str
    journey_key: str
    opened_at: datetime
    detected_at: datetime
    evidence: list[str]
    owner: str
    severity: Severity
    status: StallStatus
    detail: StallDetail


Finding = PromiseFinding | ValueFinding | StallFinding


class StageVisit(msgspec.Struct, gc=False):
    stage: str
    entered_at: datetime


class JourneyState(msgspec.Struct, gc=False, tag_field="kind", tag="journey"):
    journey_id: str
    journey_type: str
    journey_key: str
    person_id: str
    version: int
    status: Literal["open", "completed", "withdrawn"]
    opened_at: datetime
    ended_at: datetime | None
    last_at: datetime
    touchpoints: int
    stages: list[StageVisit]


class PersonState(msgspec.Struct, gc=False, tag_field="kind", tag="person"):
    person_id: str
    version: int
    touchpoints: int
    first_at: datetime | None
    last_at: datetime | None
    identifiers: list[str]


class PersonOverride(msgspec.Struct, gc=False, tag_field="kind", tag="override"):
    born_person_id: str
    identifier: str
    person_id: str
    version: int


class LinkState(msgspec.Struct, gc=False, tag_field="kind", tag="link"):
    one: str
    other: str
    status: LinkStatus
    rule: LinkRule | None
    linked_at: datetime | None
    linked_source: str | None
    linked_id: str | None
    said_at: datetime | None
    said_source: str | None
    said_id: str | None
    said_one: bool | None
    persons: list[str]
    version: int


class IdentifierState(msgspec.Struct, gc=False, tag_field="kind", tag="identifier"):
    identifier: str
    person_id: str
    named_by: str
    shared: bool
    version: int


class LearnedState(msgspec.Struct, gc=False, tag_field="kind", tag="learned"):
    of: Literal["stage", "promise"]
    rule: str
    segment: str | None
    day: datetime
    ended: int
    limit_seconds: float | None
    low_seconds: float | None
    high_seconds: float | None
    percentiles: list[float]
    version: int


class StageCounts(msgspec.Struct, gc=False, tag_field="kind", tag="counts"):
    stage: str
    partition: int
    version: int
    counts: dict[str, int]
