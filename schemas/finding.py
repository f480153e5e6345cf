"""Findings: every conclusion about a promise or a stage, on `journeys.findings`, keyed by `finding_id`.

A finding is published again, with `revision + 1`, whenever its content changes; the greatest revision is
the truth. `finding_id` is a digest of (rule, journey, opening touchpoint) and never contains the person, so
that a merge does not change it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import Contract, Instant

PromiseStatus = Literal["made", "at_risk", "kept", "broken", "cancelled", "withdrawn"]
StallStatus = Literal["opened", "escalated", "resolved", "abandoned", "withdrawn"]
Severity = Literal["info", "warning", "critical"]


class PromiseDetail(Contract):
    """A deadline promise: what was promised, by whom, owed by whom, and what became of it.

    `gap_hours` is how late it was met, in hours (negative: early); absent until it is met. `broken` with
    `met_at` is a promise that was met after its due time; `broken` without is one not met yet.
    """

    kind: Literal["deadline"] = "deadline"
    made_at: Instant
    made_by: str = Field(description="The type of the touchpoint that made the promise.")
    due_at: Instant
    at_risk_at: Instant
    met_at: Instant | None = None
    cancelled_at: Instant | None = None
    gap_hours: float | None = None
    owed_by: str
    calendar: str | None = Field(default=None, description="The calendar that the due time was counted on.")


class StallDetail(Contract):
    """A visit to a stage that outlasted its limit.

    `since` is the instant the stall began: `entered_at` plus `limit_seconds`, of which with a `calendar` only those count
    in which it is open.
    """

    stage: str
    entered_at: Instant
    since: Instant
    limit_seconds: float
    limit_kind: Literal["declared"] = "declared"
    left_at: Instant | None = None
    calendar: str | None = Field(default=None, description="The calendar that the limit was counted on.")


class _Finding(Contract):
    finding_id: str
    rule: str = Field(description="The promise id or stage name of the journey map.")
    revision: int = Field(ge=0)
    person_id: str
    journey_id: str
    journey_type: str
    journey_key: str
    opened_at: Instant
    detected_at: Instant = Field(description="The watermark at which this revision was concluded.")
    evidence: list[str] = Field(description="The touchpoints behind it, each `source#id`.")
    owner: str
    severity: Severity


class PromiseFinding(_Finding):
    type: Literal["promise"] = "promise"
    status: PromiseStatus
    detail: PromiseDetail


class StallFinding(_Finding):
    type: Literal["stall"] = "stall"
    status: StallStatus
    detail: StallDetail


Finding = Annotated[PromiseFinding | StallFinding, Field(discriminator="type")]
