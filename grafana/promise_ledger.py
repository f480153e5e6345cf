"""The promise ledger: who promises too much, who does not keep it, how often dates are told anew, and what is escalated."""
# ruff: noqa: S608 - the SQL is made of constants; nothing of a request is ever in it

from __future__ import annotations

from typing import Any

from grafana.forecasts import forecasts
from grafana.live_forecasts import breaking_next
from grafana.panels import (
    FULL,
    THIRD,
    add_panels,
    add_section,
    bars,
    board,
    filter_variable,
    filtered,
    link_to,
    listing,
    number,
)
from grafana.promised_figures import promised_figures

_OWED = filtered("owed_by", "owner")
_MADE = f"FROM ${{database}}.promise_ledger WHERE $__timeFilter(made_at) AND {_OWED}"
"""Promises made in the time range."""
_NOW = f"FROM ${{database}}.promise_ledger WHERE {_OWED}"
_DIMENSIONS = ("campaign", "agent", "team", "channel", "persona", "product", "region")
_TOLD_APART = ", ".join(f"('{name}', toString({name}))" for name in ("made_by", *_DIMENSIONS))


def promise_ledger() -> Any:
    """The dashboard, ready to be encoded."""
    about = "Promises by who made them and who owed them. Times are event times, in UTC."
    owners = (
        "SELECT owed_by FROM ${database}.promises_daily "
        "UNION DISTINCT SELECT owed_by FROM ${database}.value_promises"
    )
    begun = (
        board("promise ledger", "ledger", about, since="now-30d", refresh="1m")
        .link(link_to("Live overview", "live"))
        .link(link_to("Stalls", "stalls"))
        .with_variable(filter_variable("owner", "Team that owed it", owners))
    )
    add_panels(begun, [*_figures(), *_makers(), *_owers(), *_dates(), _escalated()])
    add_section(begun, "Promises of a figure", promised_figures(), first_id=100)
    add_section(begun, "Forecasts", [*forecasts(), breaking_next()], first_id=200)
    return begun.build()


def _kept(verdict: str) -> str:
    """The share kept of those of which a judge has said so."""
    return (
        f"round(100 * countIf({verdict} = 'kept') / greatest(1, countIf({verdict} IN ('kept', 'broken'))), 1)"
    )


def _figures() -> list[Any]:
    return [
        number("Promises made", "In the time range.", f"SELECT count() AS promises {_MADE}"),
        number(
            "Kept by the first date, %",
            "Of those that are settled for a judge who holds us to what was told first.",
            f"SELECT {_kept('by_first')} AS kept {_MADE}",
        ),
        number(
            "Kept by the latest date, %",
            "Of those that are settled for a judge who lets the latest date count that was told in time.",
            f"SELECT {_kept('by_latest')} AS kept {_MADE}",
        ),
        number(
            "Told anew",
            "Promises of which another due time was told.",
            f"SELECT countIf(revisions > 0) AS promises {_MADE}",
        ),
        number(
            "Waiting for others",
            "Open promises whose clock stands still now.",
            f"SELECT countIf(isNotNull(paused_at)) AS promises {_NOW} AND status IN ('made', 'revised', 'at_risk')",
        ),
        number(
            "Escalated now",
            "Broken, not met, and a step of escalation taken.",
            f"SELECT countIf(escalated > 0) AS promises {_NOW} AND status = 'broken' AND isNull(met_at)",
            alarming=True,
        ),
    ]


def _makers() -> list[Any]:
    return [
        listing(
            "Who over-promises",
            "By the touchpoint that made the promise, and by each field that the map tells promises apart by. "
            "Gap: hours late of those met, negative if early.",
            f"""
            SELECT told.1 AS made_by_what, told.2 AS value, rule, count() AS promises,
                {_kept("by_first")} AS kept_percent, countIf(status = 'broken') AS broken,
                countIf(revisions > 0) AS told_anew, quantileExact(0.5)(gap_hours) AS median_gap,
                quantileExact(0.9)(gap_hours) AS gap_of_the_worst_tenth
            FROM (SELECT *, arrayJoin([{_TOLD_APART}]) AS told {_MADE})
            WHERE value != ''
            GROUP BY made_by_what, value, rule
            ORDER BY broken DESC, promises DESC
            LIMIT 200
            """,
            units={"median_gap": "h", "gap_of_the_worst_tenth": "h"},
            span=FULL - THIRD,
        ),
        bars(
            "Broken, by who made it",
            "Share of the settled promises that were broken, in per cent, by the touchpoint that made them.",
            f"""
            SELECT made_by, 100 - {_kept("by_first")} AS broken_percent
            {_MADE}
            GROUP BY made_by
            ORDER BY broken_percent DESC
            LIMIT 12
            """,
            unit="percent",
            span=THIRD,
        ),
    ]


def _owers() -> list[Any]:
    return [
        listing(
            "Who under-delivers",
            "By the team that owed the promise, the product and the region. Waiting: hours that clocks stood still, in all.",
            f"""
            SELECT owed_by, product, region, rule, count() AS promises, {_kept("by_latest")} AS kept_percent,
                countIf(status = 'broken') AS broken, countIf(status = 'broken' AND isNull(met_at)) AS still_unmet,
                countIf(escalated > 0) AS escalated, quantileExact(0.5)(gap_hours) AS median_gap,
                sum(paused_seconds) / 3600 AS waiting
            {_MADE}
            GROUP BY owed_by, product, region, rule
            ORDER BY broken DESC, promises DESC
            LIMIT 200
            """,
            units={"median_gap": "h", "waiting": "h"},
            span=FULL - THIRD,
        ),
        bars(
            "How late, how early",
            "Promises met, by how far from their due time.",
            f"""
            SELECT multiIf(gap_hours <= -24, '1 a day or more early', gap_hours <= 0, '2 early',
                gap_hours <= 4, '3 up to 4 h late', gap_hours <= 24, '4 up to a day late',
                gap_hours <= 168, '5 up to a week late', '6 later') AS distance,
                count() AS promises
            {_MADE} AND isNotNull(gap_hours)
            GROUP BY distance
            ORDER BY distance
            """,
            unit="short",
            span=THIRD,
        ),
    ]


def _dates() -> list[Any]:
    return [
        listing(
            "Dates that are told anew",
            "How often, by how much the latest date is behind the first, and what each judge says.",
            f"""
            SELECT rule, owed_by, revisions AS times, count() AS promises,
                avg(date_diff('second', first_due_at, latest_due_at)) / 3600 AS moved_by,
                {_kept("by_first")} AS kept_by_first_percent, {_kept("by_latest")} AS kept_by_latest_percent,
                {_kept("by_best")} AS kept_by_best_percent
            {_MADE} AND revisions > 0
            GROUP BY rule, owed_by, times
            ORDER BY promises DESC
            LIMIT 100
            """,
            units={"moved_by": "h"},
            span=FULL,
        )
    ]


def _escalated() -> Any:
    return listing(
        "Escalated",
        "Broken and not met, the highest step first. `throughline explain <finding>` says why.",
        f"""
        SELECT due_at, date_diff('second', due_at, now64(6)) / 3600 AS hours_late, rule, owed_by, escalated AS step,
            escalated_to, journey_type, journey_key, person_id, finding_id
        {_NOW} AND status = 'broken' AND isNull(met_at) AND escalated > 0
        ORDER BY step DESC, due_at
        LIMIT 200
        """,
        units={"hours_late": "h"},
        span=FULL,
    )
