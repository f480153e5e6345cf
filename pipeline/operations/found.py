"""What a pipeline has found, read from its warehouse, in the form that the simulator's truth is held against."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pipeline.operations.dead_letters import StoredLetter
from pipeline.simulate.found import (
    Found,
    FoundDeadLetter,
    FoundPromise,
    FoundStall,
    FoundTouchpoint,
    FoundValue,
)
from pipeline.simulate.ledger import Alarms, ClockRun, DatesTold, Forecast, LimitLearned, PartsBrought
from pipeline.simulate.truth import fingerprint
from pipeline.warehouse.client import Warehouse

_TOUCHPOINTS = "SELECT source, id, toString(person_id), mapped FROM touchpoints_resolved"
_PROMISES = """
SELECT
    (rule, journey_key, status, made_at, due_at, met_at, toString(person_id), gap_hours, nullIf(per, '')),
    (started_at, paused_at, paused_seconds, spent_seconds, resets),
    (revisions, first_due_at, latest_due_at, best_due_at),
    (warned, skipped, escalated, escalated_to),
    (parts_needed, parts_brought),
    (at_risk_at, break_probability, forecast_ended)
FROM promises FINAL WHERE status != 'withdrawn'"""
_VALUES = """
SELECT
    rule, journey_key, status, made_at, promised_from, promised_to, observed, gap, toString(person_id), nullIf(per, '')
FROM value_promises FINAL WHERE status != 'withdrawn'"""
_STALLS = """
SELECT
    (stage, journey_key, status, entered_at, since, left_at, toString(person_id)),
    (NULL, paused_at, paused_seconds, NULL, resets),
    (warned, skipped, escalated, escalated_to),
    limit_kind,
    (limit_ended, nullIf(segment, ''))
FROM stalls FINAL WHERE status != 'withdrawn'"""
_REFUSED = "SELECT rule, count() FROM links WHERE status = 'refused' GROUP BY rule"
_DUPLICATES = "SELECT sum(count) FROM stage_counts FINAL WHERE name IN ('duplicates', 'reunited')"


def found_in(warehouse: Warehouse, letters: Iterable[StoredLetter]) -> Found:
    """Everything that `compare` asks for; `letters` come from the topic, for the warehouse keeps only their beginning."""
    ((duplicates,),) = warehouse.query(_DUPLICATES)
    return Found(
        touchpoints=[FoundTouchpoint(*row) for row in warehouse.query(_TOUCHPOINTS)],
        promises=[_promise(*row) for row in warehouse.query(_PROMISES)],
        values=[FoundValue(*row) for row in warehouse.query(_VALUES)],
        stalls=[
            FoundStall._make((*stall, ClockRun(*clock), Alarms(*alarms), _learned(kind, learned)))
            for stall, clock, alarms, kind, learned in warehouse.query(_STALLS)
        ],
        dead_letters=[FoundDeadLetter(each.letter.code, fingerprint(each.value)) for each in letters],
        duplicates=int(duplicates),
        refused_links=dict(warehouse.query(_REFUSED)),
    )


def _learned(kind: str, learned: tuple[int, str | None]) -> LimitLearned | None:
    return None if kind == "declared" else LimitLearned(*learned)


def _promise(
    promise: tuple[Any, ...],
    clock: tuple[Any, ...],
    dates: tuple[Any, ...],
    alarms: tuple[Any, ...],
    parts: tuple[Any, ...],
    forecast: tuple[Any, ...],
) -> FoundPromise:
    """The tables have all of it of every promise, also where no date was told anew, there is but one part, or nothing was
    learned.
    """
    said = (
        ClockRun(*clock),
        DatesTold(*dates) if dates[0] else None,
        Alarms(*alarms),
        PartsBrought(*parts) if parts[0] > 1 else None,
        None if forecast[1] is None else Forecast(*forecast),
    )
    return FoundPromise._make((*promise, *said))
