"""Of the stalls, their limits and what became of them: which limit fired, what was learned and how sure it is."""
# ruff: noqa: S608 - the SQL is made of constants; nothing of a request is ever in it

from __future__ import annotations

from typing import Any

from grafana.panels import FULL, THIRD, bars, filtered, history, listing, number

_CHOSEN = f"{filtered('stage', 'stage')} AND {filtered('owner', 'owner')}"
_STALLS = f"FROM ${{database}}.stalls FINAL WHERE status != 'withdrawn' AND {_CHOSEN}"
_OWN = "SELECT stage FROM ${database}.stalls_daily WHERE owner IN (${owner:singlequote})"
_OWNED = f"$__conditionalAll(rule IN ({_OWN}), $owner)"
"""What was learned does not say whose a stage is; its stalls do."""
_LEARNED = (
    "FROM ${database}.learned_limits FINAL WHERE of = 'stage' AND ended > 0 "
    "AND day BETWEEN toDate($__fromTime, 'UTC') AND toDate($__toTime, 'UTC') "
    f"AND {filtered('rule', 'stage')} AND {_OWNED}"
)
"""What was learned for each day of the time range, whether or not anything outlasted it."""
_DAY = "toDateTime(day, 'UTC')"
OVER_AT = "coalesce(abandoned_at, left_at)"
"""When a stall ended: it was left or given up, whichever came first; NULL while it lasts."""
STUCK_HOURS = (
    f"date_diff('second', since, least(ifNull({OVER_AT}, now64(6)), toDateTime64($__toTime, 6))) / 3600"
)
"""How long a stall has lasted, up to the end of the time range."""
_OF = "concat(rule, if(segment = '', '', ' of '), segment)"


def limits() -> list[Any]:
    """The panels."""
    return [*_figures(), _fired(), _learned(), *_over_time(), _escalated_and_abandoned(), _by_owner()]


def _figures() -> list[Any]:
    figures = [
        number(
            "Open, by a learned limit",
            "Lasting now, of stages whose limit was learned and is shorter than the declared one, if there is one.",
            f"SELECT countIf(limit_kind = 'learned') AS stalls {_STALLS} AND status IN ('opened', 'escalated')",
        ),
        number(
            "Escalated stalls",
            "Lasting now, with a step of escalation behind them.",
            f"SELECT count() AS stalls {_STALLS} AND status = 'escalated'",
            alarming=True,
        ),
        number(
            "Abandoned",
            "Given up, of stalls that began in the time range.",
            f"SELECT count() AS stalls {_STALLS} AND status = 'abandoned' AND $__timeFilter(since)",
        ),
    ]
    return [figure.span(THIRD) for figure in figures]


def _fired() -> Any:
    return history(
        "Which limit fired",
        "Stalls by when they began: the limit that the map declares, or one that was learned.",
        f"""
        SELECT $__timeInterval(since) AS bucket, toString(limit_kind) AS fired, count() AS stalls
        {_STALLS} AND $__timeFilter(since)
        GROUP BY bucket, fired
        ORDER BY bucket
        """,
        bars=True,
        span=THIRD,
    )


def _learned() -> Any:
    return listing(
        "Learned limits",
        "By stage and segment (empty: of all stays), the newest of the time range: between low and high it lies with "
        "95 % confidence, and it rests on so many stays that had ended.",
        f"""
        SELECT rule AS stage, segment, argMax(limit_seconds, day) / 3600 AS limit_hours,
            argMax(low_seconds, day) / 3600 AS low, argMax(tuple(high_seconds), day).1 / 3600 AS high,
            argMax(ended, day) AS stays, max(day) AS newest
        {_LEARNED}
        GROUP BY stage, segment
        ORDER BY stage, segment
        """,
        units={"limit_hours": "h", "low": "h", "high": "h"},
        span=FULL - THIRD,
    )


def _over_time() -> list[Any]:
    return [
        history(
            "Learned limits over time",
            "With their 95 % bounds (low, high), by the day on which the stays begin that they hold for.",
            f"""
            SELECT {_DAY} AS time, concat({_OF}, ' ', bound.1) AS of_what, assumeNotNull(bound.2) / 3600 AS hours
            FROM
            (
                SELECT day, rule, segment,
                    arrayJoin([('limit', limit_seconds), ('low', low_seconds), ('high', high_seconds)]) AS bound
                {_LEARNED}
            )
            WHERE isNotNull(bound.2)
            ORDER BY time, of_what
            """,
            unit="h",
        ),
        history(
            "Stays that learned limits rest on",
            "How many had ended, by stage and segment; who still went on then counts too, as not known yet.",
            f"""
            SELECT {_DAY} AS time, {_OF} AS of_what, ended AS stays
            {_LEARNED}
            ORDER BY time, of_what
            """,
        ),
    ]


def _escalated_and_abandoned() -> Any:
    return listing(
        "Escalated and abandoned",
        "Stalls that began in the time range. To the end: median hours from the limit to the exit, or until they "
        "were given up, of those that are over.",
        f"""
        SELECT stage, owner, count() AS stalls, countIf(escalated > 0) AS were_escalated, max(escalated) AS highest_step,
            countIf(status = 'abandoned') AS abandoned,
            round(100 * countIf(status = 'abandoned') / count(), 1) AS abandoned_percent,
            countIf(status = 'resolved') AS resolved,
            quantileExactIf(0.5)(date_diff('second', since, ifNull({OVER_AT}, since)) / 3600, isNotNull({OVER_AT}))
                AS to_the_end
        {_STALLS} AND $__timeFilter(since)
        GROUP BY stage, owner
        ORDER BY abandoned DESC, were_escalated DESC
        """,
        units={"to_the_end": "h"},
        span=FULL - THIRD,
    )


def _by_owner() -> Any:
    return bars(
        "Time by team",
        "Hours that customers were stuck beyond a limit, by the team whose job it is that nobody is. "
        "Of stalls that lasted in the time range, each from its limit to its exit, until it was given up, or to now.",
        f"""
        SELECT owner, sum({STUCK_HOURS}) AS customer_hours
        {_STALLS} AND since <= $__toTime AND ifNull({OVER_AT}, $__toTime) >= $__fromTime
        GROUP BY owner
        ORDER BY customer_hours DESC
        LIMIT 12
        """,
        unit="h",
        span=THIRD,
    )
