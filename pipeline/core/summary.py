"""The summary: counts of the last revisions in, the figures of a run or a replay out.

Every promise of the map is there, and every stage with a limit, declared or learned, also with nothing but zeros.
Withdrawn findings and persons that were merged away are not counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import msgspec

from pipeline.core.plan import Plan


class PromiseCounts(msgspec.Struct):
    """`broken`: due, and still not met. `open` includes what is at risk."""

    kept: int = 0
    broken_then_met: int = 0
    broken: int = 0
    open: int = 0
    cancelled: int = 0


class ValuePromiseCounts(msgspec.Struct):
    """`made` are all promises of a figure, the others its parts; `open` are those of which nothing is concluded yet."""

    made: int = 0
    kept: int = 0
    exceeded: int = 0
    broken: int = 0
    lapsed: int = 0
    cancelled: int = 0
    open: int = 0


class StallCounts(msgspec.Struct):
    """`opened` are all stalls, `resolved` and `open` its parts; the others were abandoned. By the limit that they outlasted
    they are `declared` or `learned`.
    """

    opened: int = 0
    resolved: int = 0
    open: int = 0
    declared: int = 0
    learned: int = 0


@dataclass(frozen=True)
class FindingCount:
    """So many findings whose last revision says this. `is_met`: a promise that has a meeting touchpoint. `limit_kind`: of a
    stall, which limit fired.
    """

    type: str
    rule: str
    status: str
    is_met: bool
    count: int
    limit_kind: str = ""


class Summary(msgspec.Struct, kw_only=True):
    """What came in and what became of it, as of an instant.

    `touchpoints` are distinct; `unmapped` are those among them of types that the map does not name.
    `rejected_rows` are table rows that made no touchpoint, `after_as_of` touchpoints that were left out
    because they came later, and `duplicates` touchpoints that came again; None where nobody has counted
    them.
    """

    as_of: datetime
    touchpoints: int
    persons: int
    unmapped: int
    dead_letters: int
    rejected_rows: int | None = None
    after_as_of: int | None = None
    duplicates: int | None = None
    promises: dict[str, PromiseCounts]
    value_promises: dict[str, ValuePromiseCounts]
    stalls: dict[str, StallCounts]

    def to_json(self) -> bytes:
        """Indented JSON, fields in the order above."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2)


def promise_counts(plan: Plan, findings: Iterable[FindingCount]) -> dict[str, PromiseCounts]:
    """The promises of the map, in its order, with what became of them."""
    counts = {rule.name: PromiseCounts() for journey in plan.journeys for rule in journey.promises}
    for finding in findings:
        name = _PROMISE_FIELDS.get((finding.status, finding.is_met))
        if finding.type == "promise" and name is not None and finding.rule in counts:
            of_rule = counts[finding.rule]
            setattr(of_rule, name, getattr(of_rule, name) + finding.count)
    return counts


def value_promise_counts(plan: Plan, findings: Iterable[FindingCount]) -> dict[str, ValuePromiseCounts]:
    """The promises of a figure of the map, in its order, with what became of them."""
    counts = {rule.name: ValuePromiseCounts() for journey in plan.journeys for rule in journey.values}
    for finding in findings:
        of_rule = counts.get(finding.rule)
        if finding.type == "value_promise" and of_rule is not None and finding.status != "withdrawn":
            name = "open" if finding.status == "made" else finding.status
            of_rule.made += finding.count
            setattr(of_rule, name, getattr(of_rule, name) + finding.count)
    return counts


def stall_counts(plan: Plan, findings: Iterable[FindingCount]) -> dict[str, StallCounts]:
    """The stages of the map that have a limit, in its order, with their stalls."""
    counts = {
        rule.name: StallCounts() for journey in plan.journeys for rule in journey.stages if rule.may_stall
    }
    for finding in findings:
        of_stage = counts.get(finding.rule)
        if finding.type == "stall" and of_stage is not None and finding.status != "withdrawn":
            of_stage.opened += finding.count
            if finding.limit_kind == "learned":
                of_stage.learned += finding.count
            else:
                of_stage.declared += finding.count
            if finding.status == "resolved":
                of_stage.resolved += finding.count
            elif finding.status in ("opened", "escalated"):
                of_stage.open += finding.count
    return counts


_PROMISE_FIELDS = {
    ("kept", True): "kept",
    ("broken", True): "broken_then_met",
    ("broken", False): "broken",
    ("made", False): "open",
    ("revised", False): "open",
    ("at_risk", False): "open",
    ("cancelled", False): "cancelled",
}
