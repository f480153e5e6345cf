"""Of the promise ledger, the promises of a figure: how they were kept, how far off, who promised them and who owed them."""
# ruff: noqa: S608 - the SQL is made of constants; nothing of a request is ever in it

from __future__ import annotations

from typing import Any

from grafana.panels import FULL, HALF, THIRD, bars, filtered, listing

_MADE = (
    "FROM ${database}.value_promises FINAL "
    f"WHERE status != 'withdrawn' AND $__timeFilter(made_at) AND {filtered('owed_by', 'owner')}"
)
"""Figures promised in the time range."""
_SETTLED = "status IN ('kept', 'exceeded', 'broken')"
_KEPT = f"round(100 * countIf(status IN ('kept', 'exceeded')) / greatest(1, countIf({_SETTLED})), 1)"
_COUNTS = f"count() AS promises, countIf(status = 'broken') AS broken, {_KEPT} AS kept_percent"
_GAPS = (
    "100 * quantileExactIf(0.5)(gap, isNotNull(gap)) AS median_gap, "
    "100 * quantileExactIf(0.9)(gap, isNotNull(gap)) AS gap_of_the_worst_tenth"
)
_MAKERS = ("made_by", "campaign", "team", "channel", "agent")
_OWERS = ("owed_by", "product", "region", "persona")
_GAP = "Gap: how far from what was promised, as a share of it, positive is worse."
_PERCENT = {"median_gap": "percent", "gap_of_the_worst_tenth": "percent"}


def promised_figures() -> list[Any]:
    """The panels."""
    return [
        _by_rule(),
        _gaps(),
        _by("Who over-promises figures", "who made the promise", _MAKERS),
        _by("Who under-delivers figures", "who owed the promise, and to whom", _OWERS),
    ]


def _by_rule() -> Any:
    return listing(
        "Promised figures",
        f"Made in the time range, and what became of them. Lapsed: nothing was observed that could be judged. {_GAP}",
        f"""
        SELECT rule, kind, unit, count() AS made, countIf(status = 'kept') AS kept,
            countIf(status = 'exceeded') AS exceeded, countIf(status = 'broken') AS broken,
            countIf(status = 'lapsed') AS lapsed, countIf(status = 'cancelled') AS cancelled,
            countIf(status = 'made') AS open, {_KEPT} AS kept_percent, {_GAPS}
        {_MADE}
        GROUP BY rule, kind, unit
        ORDER BY broken DESC, made DESC
        """,
        units=_PERCENT,
        span=FULL - THIRD,
    )


def _gaps() -> Any:
    return bars(
        "How far from the promised figure",
        "Promises that were judged, by their gap: as a share of what was promised, worse than that or better.",
        f"""
        SELECT multiIf(gap <= -0.25, '1 better by 25 % or more', gap < 0, '2 better', gap = 0, '3 as promised',
            gap <= 0.05, '4 up to 5 % worse', gap <= 0.25, '5 up to 25 % worse', gap <= 1, '6 up to twice as much',
            '7 further off') AS distance,
            count() AS promises
        {_MADE} AND {_SETTLED} AND isNotNull(gap)
        GROUP BY distance
        ORDER BY distance
        """,
        unit="short",
        span=THIRD,
    )


def _by(title: str, whose: str, fields: tuple[str, ...]) -> Any:
    told_apart = ", ".join(f"('{name}', toString({name}))" for name in fields)
    return listing(
        title,
        f"By {whose}: {', '.join(fields)}, where the map tells them apart. {_GAP}",
        f"""
        SELECT told.1 AS field, told.2 AS value, rule, {_COUNTS}, {_GAPS}
        FROM (SELECT *, arrayJoin([{told_apart}]) AS told {_MADE})
        WHERE value != ''
        GROUP BY field, value, rule
        ORDER BY broken DESC, promises DESC
        LIMIT 200
        """,
        units=_PERCENT,
        span=HALF,
    )
