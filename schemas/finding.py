"""Findings: every conclusion about a promise (of an instant or of a figure) or a stage, on `journeys.findings`, keyed by
`finding_id`.

A finding is published again, with `revision + 1`, whenever its content changes; the greatest revision is
the truth. `finding_id` is a digest of (rule, journey, opening touchpoint) and never contains the person, so
that a merge does not change it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import Contract, Instant
from schemas.figures import Take
from schemas.values import ValueKind

PromiseStatus = Literal["made", "revised", "at_risk", "kept", "broken", "cancelled", "withdrawn"]
ValueStatus = Literal["made", "kept", "exceeded", "broken", "lapsed", "cancelled", "withdrawn"]
Measured = Literal[Take, "count", "duration"]
StallStatus = Literal["opened", "escalated", "resolved", "abandoned", "withdrawn"]
Severity = Literal["info", "warning", "critical"]


class ClockDetail(Contract):
    """A clock that can be paused or begun anew. Seconds are those in which the calendar is open, if there is one.

    `spent_seconds`: how much of the target had run when it was settled; absent while it is open. `paused_at`: since when it
    stands still; instants that lie ahead are then those that would come if it went on at once. `paused_seconds`: for how
    long it has stood still in all, as the clock on the wall has it. `original_due_at`: when its target would have run out
    had nothing paused it since it began; absent if the calendar's years end before that.
    """

    started_at: Instant
    target_seconds: float
    spent_seconds: float | None = None
    paused_at: Instant | None = None
    paused_seconds: float = 0
    resets: int = 0
    original_due_at: Instant | None = None


class RevisionDetail(Contract):
    """A promise that was made anew: how often another due time was named, and the first, the latest and the earliest of
    those that were named in time. `judged_by` says which of them is `due_at`.
    """

    count: int = Field(ge=1)
    judged_by: Literal["first", "latest", "best"]
    first_due_at: Instant
    latest_due_at: Instant
    best_due_at: Instant


class WarningDetail(Contract):
    """A warning at a share of the way. `skipped`: its moment was past when the promise was made or the stage entered."""

    share: float
    at: Instant
    status: Literal["ahead", "passed", "skipped"]


class EscalationDetail(Contract):
    """The last step that was taken, counted from 1, and the team that was told then."""

    step: int = Field(ge=1)
    to: str
    at: Instant


class LearnedDetail(Contract):
    """A limit that was learned: `quantile` of the stays, `times` as long, going by `ended` stays that began in the 90 days
    before `learned_at` (and by those that still went on). Between `low_seconds` and `high_seconds` the limit of all stays
    that could be lies with 95 % confidence; without `high_seconds` nobody knows. `segment`: the value of the field by which
    stays are told apart; absent if the limit is that of all.
    """

    quantile: float
    times: float
    ended: int
    low_seconds: float
    high_seconds: float | None = None
    segment: str | None = None
    learned_at: Instant


class ForecastDetail(Contract):
    """How probable it was, when the promise was made, that it breaks: going by `ended` promises made in the 90 days before
    `learned_at`, and by those still open. `threshold`: at which probability it is at risk. `segment` as for a learned
    limit.
    """

    probability: float
    threshold: float
    ended: int
    segment: str | None = None
    learned_at: Instant


class PartsDetail(Contract):
    """A promise that is met in parts."""

    needed: float
    brought: float


class PromiseDetail(Contract):
    """A deadline promise: what was promised, by whom, owed by whom, and what became of it.

    `gap_hours` is how late it was met, in hours (negative: early); absent until it is met. `broken` with
    `met_at` is a promise that was met after its due time; `broken` without is one not met yet.
    """

    kind: Literal["deadline"]
    made_at: Instant
    made_by: str = Field(description="The type of the touchpoint that made the promise.")
    due_at: Instant
    at_risk_at: Instant
    met_at: Instant | None = None
    cancelled_at: Instant | None = None
    gap_hours: float | None = None
    owed_by: str
    calendar: str | None = Field(default=None, description="The calendar that the due time was counted on.")
    per: str | None = Field(default=None, description="What tells it from other promises of its rule.")
    attributes: dict[str, str] = Field(default_factory=dict, description="Campaign, agent, product and such.")
    revisions: RevisionDetail | None = None
    clock: ClockDetail | None = None
    warnings: list[WarningDetail] = Field(default_factory=list)
    escalation: EscalationDetail | None = None
    parts: PartsDetail | None = None
    forecast: ForecastDetail | None = None


class ValueDetail(Contract):
    """A promised figure: what was promised, by whom, owed by whom, and what has been observed.

    `promised_from` and `promised_to` are the limits of a range, otherwise both are the one figure that was promised; absent
    only in what is withdrawn. `observed` is what is made (`measured`) of so many `observations`, complete or not, in the
    promise's `unit`; absent while there is none, and while a duration runs. `gap` is (observed - promised) / promised, with
    the sign such that positive is worse, once it is judged; absent if nothing, 0, was promised. `lapsed`: nothing was
    observed that could be judged.
    """

    kind: ValueKind
    made_at: Instant
    made_by: str = Field(description="The type of the touchpoint that made the promise.")
    owed_by: str
    basis: Literal["touchpoint", "map", "habit"] = Field(description="Whose word the figure is.")
    measured: Measured
    observations: int = Field(ge=0)
    promised_from: float | None = None
    promised_to: float | None = None
    tolerance: float = Field(default=0, description="The share of the promised figure that may be missed.")
    unit: str | None = None
    observed: float | None = None
    observed_at: Instant | None = Field(default=None, description="When the figure that counts was observed.")
    started_at: Instant | None = Field(default=None, description="When the measured duration began.")
    gap: float | None = None
    closes_at: Instant | None = Field(default=None, description="The last instant that is measured.")
    closed_at: Instant | None = None
    cancelled_at: Instant | None = None
    per: str | None = Field(default=None, description="What tells it from other promises of its rule.")
    attributes: dict[str, str] = Field(default_factory=dict, description="Campaign, agent, product and such.")


class StallDetail(Contract):
    """A visit to a stage that outlasted its limit: the one that its map declares, or one that was learned.

    `since` is the instant the stall began: `entered_at` plus `limit_seconds`, of which with a `calendar` only those count
    in which it is open. `abandoned_at`: when it was given up, by the touchpoint that left it or because
    `abandoned_after` had passed, whichever came first; it ends there, whenever it is left. Absent unless it is `abandoned`.
    """

    stage: str
    entered_at: Instant
    since: Instant
    limit_seconds: float
    limit_kind: Literal["declared", "learned"]
    left_at: Instant | None = None
    abandoned_at: Instant | None = None
    calendar: str | None = Field(default=None, description="The calendar that the limit was counted on.")
    attributes: dict[str, str] = Field(default_factory=dict, description="Product, region and such.")
    clock: ClockDetail | None = None
    warnings: list[WarningDetail] = Field(default_factory=list)
    escalation: EscalationDetail | None = None
    learned: LearnedDetail | None = None


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


class ValueFinding(_Finding):
    type: Literal["value_promise"] = "value_promise"
    status: ValueStatus
    detail: ValueDetail


class StallFinding(_Finding):
    type: Literal["stall"] = "stall"
    status: StallStatus
    detail: StallDetail


Finding = Annotated[PromiseFinding | ValueFinding | StallFinding, Field(discriminator="type")]
