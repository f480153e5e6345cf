"""The summary of a pipeline, read from the warehouse: the same figures that a run in memory counts.

In: a warehouse, the plan of its journey map, and the instant to which time was advanced. Out: a `Summary`.
What always holds: each finding counts by its last revision, a touchpoint once however often it was written,
and a person only with touchpoints.
"""

from __future__ import annotations

from datetime import datetime

from pipeline.core.plan import Plan
from pipeline.core.summary import FindingCount, Summary, promise_counts, stall_counts, value_promise_counts
from pipeline.warehouse.client import Warehouse

_TOUCHPOINTS = """
SELECT count(), countIf(NOT mapped)
FROM (SELECT argMax(mapped, version) AS mapped FROM touchpoints GROUP BY source, id)"""
_PERSONS = "SELECT count() FROM living_persons"
_DEAD_LETTERS = "SELECT count() FROM dead_letters FINAL"
_DUPLICATES = "SELECT sum(count) FROM stage_counts FINAL WHERE name IN ('duplicates', 'reunited')"
_FINDINGS = """
SELECT 'promise', rule, status, isNotNull(met_at) AS is_met, count(), ''
FROM promises FINAL GROUP BY rule, status, is_met
UNION ALL
SELECT 'value_promise', rule, status, false, count(), ''
FROM value_promises FINAL GROUP BY rule, status
UNION ALL
SELECT 'stall', stage, status, false, count(), limit_kind
FROM stalls FINAL GROUP BY stage, status, limit_kind"""


def summary(
    warehouse: Warehouse,
    plan: Plan,
    as_of: datetime,
    *,
    rejected_rows: int | None = None,
    after_as_of: int | None = None,
) -> Summary:
    """What the warehouse holds of the map's promises and stages; what only an import counts is passed on.

    Raises WarehouseError.
    """
    ((touchpoints, unmapped),) = warehouse.query(_TOUCHPOINTS)
    ((persons,),) = warehouse.query(_PERSONS)
    ((dead_letters,),) = warehouse.query(_DEAD_LETTERS)
    ((duplicates,),) = warehouse.query(_DUPLICATES)
    findings = [FindingCount(*row) for row in warehouse.query(_FINDINGS)]
    return Summary(
        as_of=as_of,
        touchpoints=touchpoints,
        persons=persons,
        unmapped=unmapped,
        dead_letters=dead_letters,
        rejected_rows=rejected_rows,
        after_as_of=after_as_of,
        duplicates=duplicates,
        promises=promise_counts(plan, findings),
        value_promises=value_promise_counts(plan, findings),
        stalls=stall_counts(plan, findings),
    )
