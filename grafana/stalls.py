"""Stalls: where customers are stuck, who they are, since when, whose job it is, and how long it takes to free them."""
# ruff: noqa: S608 - the SQL is made of constants; nothing of a request is ever in it

from __future__ import annotations

from typing import Any

from grafana.limits import OVER_AT, STUCK_HOURS, limits
from grafana.live_forecasts import stuck_next
from grafana.panels import (
    FULL,
    THIRD,
    add_panels,
    add_section,
    bars,
    board,
    filter_variable,
    filtered,
    history,
    link_to,
    listing,
    number,
)

_CHOSEN = f"{filtered('stage', 'stage')} AND {filtered('owner', 'owner')}"
_STUCK_IN_RANGE = f"since <= $__toTime AND ifNull({OVER_AT}, $__toTime) >= $__fromTime AND {_CHOSEN}"
"""Stalls that lasted at some moment of the time range."""


def stalls() -> Any:
    """The dashboard, ready to be encoded."""
    about = "Journeys that stay in a stage beyond its limit. Times are event times, in UTC."
    stages = (
        "SELECT stage FROM ${database}.stalls_daily "
        "UNION DISTINCT SELECT rule FROM ${database}.learned_limits WHERE of = 'stage'"
    )
    begun = (
        board("stalls", "stalls", about, since="now-30d", refresh="1m")
        .link(link_to("Live overview", "live"))
        .with_variable(filter_variable("stage", "Stage", stages))
        .with_variable(
            filter_variable("owner", "Team", "SELECT DISTINCT owner FROM ${database}.stalls_daily")
        )
    )
    add_panels(begun, [*_figures(), *_swamplands(), _stuck_now(), *_freeing()])
    add_section(begun, "Limits, escalation, teams", limits(), first_id=100)
    add_section(begun, "Who is likely to get stuck", [stuck_next()], first_id=200)
    return begun.build()


def _figures() -> list[Any]:
    now = f"FROM ${{database}}.stalls FINAL WHERE status IN ('opened', 'escalated') AND {_CHOSEN}"
    resolved = (
        f"FROM ${{database}}.stalls FINAL WHERE status = 'resolved' AND $__timeFilter(left_at) AND {_CHOSEN}"
    )
    hours = "date_diff('second', since, assumeNotNull(left_at)) / 3600"
    return [
        number("Open stalls", "Lasting now.", f"SELECT count() AS stalls {now}", alarming=True),
        number(
            "Customers stuck",
            "Persons with an open stall.",
            f"SELECT uniqExact(person_id) AS customers {now}",
        ),
        number(
            "Longest, in hours",
            "Beyond its limit, of those lasting now.",
            f"SELECT round(max(date_diff('second', since, now64(6))) / 3600, 1) AS hours {now}",
        ),
        number("Resolved", "Left the stage in the time range.", f"SELECT count() AS stalls {resolved}"),
        number(
            "Mean hours to resolve",
            "From the limit to the exit, of those resolved in the time range.",
            f"SELECT round(avg({hours}), 1) AS hours {resolved}",
        ),
        number(
            "Median hours to resolve",
            "From the limit to the exit, of those resolved in the time range.",
            f"SELECT round(quantileExact(0.5)({hours}), 1) AS hours {resolved}",
        ),
    ]


def _swamplands() -> list[Any]:
    return [
        listing(
            "Swamplands",
            "Stages by the time that they cost customers beyond their limit: customers times hours. "
            "Stalls that lasted in the time range, each from its limit to its exit, until it was given up, or to now.",
            f"""
            SELECT stage, owner, uniqExact(person_id) AS customers, count() AS stalls,
                countIf(status IN ('opened', 'escalated')) AS open, sum({STUCK_HOURS}) AS customer_hours,
                quantileExact(0.5)({STUCK_HOURS}) AS median_hours, max({STUCK_HOURS}) AS longest_hours
            FROM ${{database}}.stalls FINAL
            WHERE status != 'withdrawn' AND {_STUCK_IN_RANGE}
            GROUP BY stage, owner
            ORDER BY customer_hours DESC
            """,
            units={"customer_hours": "h", "median_hours": "h", "longest_hours": "h"},
            span=FULL - THIRD,
        ),
        bars(
            "Customer hours by stage",
            "The same ranking as bars.",
            f"""
            SELECT stage, sum({STUCK_HOURS}) AS customer_hours
            FROM ${{database}}.stalls FINAL
            WHERE status != 'withdrawn' AND {_STUCK_IN_RANGE}
            GROUP BY stage
            ORDER BY customer_hours DESC
            LIMIT 12
            """,
            unit="h",
            span=THIRD,
        ),
    ]


def _stuck_now() -> Any:
    return listing(
        "Stuck now",
        "The longest first. `throughline journey <identifier>` shows the story, `throughline explain <finding>` says why.",
        f"""
        SELECT since, date_diff('second', since, now64(6)) / 3600 AS hours, stage, owner, journey_type, journey_key,
            person_id, entered_at, limit_seconds / 3600 AS limit_hours, limit_kind, segment, escalated AS step, finding_id
        FROM ${{database}}.stalls FINAL
        WHERE status IN ('opened', 'escalated') AND {_CHOSEN}
        ORDER BY since
        LIMIT 200
        """,
        units={"hours": "h", "limit_hours": "h"},
        span=FULL,
    )


def _freeing() -> list[Any]:
    return [
        history(
            "Opened and resolved",
            "Stalls that began (limit reached) and that were resolved.",
            f"""
            SELECT $__timeInterval(moment) AS bucket, change, count() AS stalls
            FROM
            (
                SELECT since AS moment, 'opened' AS change
                FROM ${{database}}.stalls FINAL
                WHERE status != 'withdrawn' AND $__timeFilter(since) AND {_CHOSEN}
                UNION ALL
                SELECT assumeNotNull(left_at) AS moment, 'resolved' AS change
                FROM ${{database}}.stalls FINAL
                WHERE status = 'resolved' AND $__timeFilter(left_at) AND {_CHOSEN}
            )
            GROUP BY bucket, change
            ORDER BY bucket
            """,
            bars=True,
        ),
        bars(
            "Time to resolve, by stage",
            "Mean and median, from the limit to the exit, of stalls resolved in the time range.",
            f"""
            SELECT stage, avg(hours) AS mean, quantileExact(0.5)(hours) AS median
            FROM
            (
                SELECT stage, date_diff('second', since, assumeNotNull(left_at)) / 3600 AS hours
                FROM ${{database}}.stalls FINAL
                WHERE status = 'resolved' AND $__timeFilter(left_at) AND {_CHOSEN}
            )
            GROUP BY stage
            ORDER BY mean DESC
            LIMIT 12
            """,
            unit="h",
        ),
    ]
