"""The live overview: what comes in, what was promised and what became of it, and whether the pipeline keeps up."""
# ruff: noqa: S608 - the SQL is made of constants; nothing of a request is ever in it

from __future__ import annotations

from typing import Any

from grafana.panels import (
    add_panels,
    add_section,
    board,
    filter_variable,
    filtered,
    history,
    link_to,
    listing,
    measurement,
    number,
)

_OWNER = filtered("owner", "owner")
_OWED = filtered("owed_by", "owner")


def live_overview() -> Any:
    """The dashboard, ready to be encoded."""
    about = "Customers' touchpoints and promises as they happen. Times are event times, in UTC."
    begun = (
        board("live overview", "live", about, since="now-6h", refresh="10s")
        .link(link_to("Stalls", "stalls"))
        .link(link_to("Promise ledger", "ledger"))
        .link(link_to("Identity", "identity"))
        .with_variable(
            filter_variable(
                "owner", "Team", "SELECT DISTINCT owner FROM ${database}.touchpoints_hourly WHERE owner != ''"
            )
        )
    )
    business = [*_figures(), *_touchpoints(), *_promises(), *_trouble()]
    add_panels(begun, business)
    add_section(begun, "Does the pipeline keep up?", _engine(), first_id=100)
    return begun.build()


def _figures() -> list[Any]:
    return [
        number(
            "Touchpoints",
            "Accepted in the time range, by event time, in whole hours.",
            f"""
            SELECT sum(touchpoints) AS touchpoints
            FROM ${{database}}.touchpoints_hourly FINAL
            WHERE $__timeFilter(hour) AND {_OWNER}
            """,
        ),
        number(
            "At risk now",
            "Promises that will break soon unless somebody acts.",
            f"SELECT count() AS at_risk FROM ${{database}}.promises FINAL WHERE status = 'at_risk' AND {_OWED}",
            alarming=True,
        ),
        number(
            "Broken, not met yet",
            "Due in the time range, past due, and still not met.",
            f"""
            SELECT count() AS broken
            FROM ${{database}}.promises FINAL
            WHERE status = 'broken' AND isNull(met_at) AND $__timeFilter(due_at) AND {_OWED}
            """,
            alarming=True,
        ),
        number(
            "Customers stuck now",
            "Persons with an open stall, however long ago it began.",
            f"""
            SELECT uniqExact(person_id) AS customers
            FROM ${{database}}.stalls FINAL
            WHERE status IN ('opened', 'escalated') AND {_OWNER}
            """,
            alarming=True,
        ),
        number(
            "Unmapped touchpoints",
            "Of types that the journey map does not name. Carried and shown, but no promise or stage sees them.",
            """
            SELECT sum(touchpoints) AS unmapped
            FROM ${database}.touchpoints_hourly FINAL
            WHERE $__timeFilter(hour) AND NOT mapped
            """,
        ),
        number(
            "Dead letters",
            "Records refused, by the time they came. `throughline dlq list` shows them.",
            "SELECT count() AS letters FROM ${database}.dead_letters FINAL WHERE $__timeFilter(time)",
            alarming=True,
        ),
    ]


def _touchpoints() -> list[Any]:
    return [
        history(
            "Touchpoints by domain",
            "Touchpoints a second, by event time.",
            f"""
            SELECT $__timeInterval(time) AS bucket, domain, count() / $__interval_s AS touchpoints
            FROM ${{database}}.touchpoints FINAL
            WHERE $__timeFilter(time) AND {_OWNER}
            GROUP BY bucket, domain
            ORDER BY bucket
            """,
            unit="cps",
        ),
        history(
            "Promises by day made and status",
            "Where today's promises stand. `broken` includes those that were met late.",
            f"""
            SELECT day, status, sum(promises) AS number
            FROM ${{database}}.promises_daily FINAL
            WHERE day >= toStartOfDay($__fromTime) AND day <= $__toTime AND {_OWED}
            GROUP BY day, status
            ORDER BY day
            """,
            bars=True,
        ),
    ]


def _promises() -> list[Any]:
    return [
        listing(
            "Broken promises: who made them, who failed them",
            "Due in the time range. Both ends of each mismatch: what set the expectation and which team owed it.",
            f"""
            SELECT owed_by, rule, made_by, count() AS promises, countIf(status = 'broken') AS broken,
                broken / promises AS share, countIf(status = 'broken' AND isNull(met_at)) AS unmet,
                avgIf(gap_hours, status = 'broken') AS hours_late
            FROM ${{database}}.promises FINAL
            WHERE $__timeFilter(due_at) AND status != 'withdrawn' AND {_OWED}
            GROUP BY owed_by, rule, made_by
            HAVING broken > 0
            ORDER BY broken DESC
            LIMIT 100
            """,
            units={"share": "percentunit", "hours_late": "h"},
        ),
        listing(
            "At risk now",
            "The most urgent first.",
            f"""
            SELECT due_at, rule, owed_by, journey_type, journey_key, person_id
            FROM ${{database}}.promises FINAL
            WHERE status = 'at_risk' AND {_OWED}
            ORDER BY due_at
            LIMIT 100
            """,
        ),
    ]


def _trouble() -> list[Any]:
    return [
        listing(
            "Unmapped types",
            "Name them in the journey map, with their owner.",
            """
            SELECT type, sum(touchpoints) AS number, max(hour) AS last_hour
            FROM ${database}.touchpoints_hourly FINAL
            WHERE $__timeFilter(hour) AND NOT mapped
            GROUP BY type
            HAVING number > 0
            ORDER BY number DESC
            LIMIT 100
            """,
        ),
        history(
            "Dead letters by reason",
            "Refused records, by the time they came.",
            """
            SELECT $__timeInterval(time) AS bucket, code, count() AS letters
            FROM ${database}.dead_letters FINAL
            WHERE $__timeFilter(time)
            GROUP BY bucket, code
            ORDER BY bucket
            """,
            bars=True,
        ),
    ]


def _engine() -> list[Any]:
    return [
        measurement(
            "Records by stage",
            "Processed and committed a second.",
            "sum by (stage) (rate(throughline_records_total[$__rate_interval]))",
            "{{stage}}",
            unit="cps",
        ),
        measurement(
            "Lag",
            "Records that are there and not yet read.",
            "sum by (stage) (throughline_lag_records)",
            "{{stage}}",
        ),
        measurement(
            "Watermark delay",
            "How far each stage's time is behind the clock. It cannot be less than the allowed lateness.",
            "time() - min by (stage) (throughline_watermark_seconds)",
            "{{stage}}",
            unit="s",
        ),
        measurement(
            "Batches, 95th percentile",
            "Time to process and commit one batch.",
            "histogram_quantile(0.95, sum by (stage, le) (rate(throughline_batch_seconds_bucket[$__rate_interval])))",
            "{{stage}}",
            unit="s",
        ),
        measurement(
            "Inserts, 95th percentile",
            "Time until ClickHouse has confirmed one block.",
            "histogram_quantile(0.95, sum by (table, le) (rate(throughline_insert_seconds_bucket[$__rate_interval])))",
            "{{table}}",
            unit="s",
        ),
        measurement(
            "Aborted transactions",
            "A second. Should rest at zero.",
            "sum by (stage) (rate(throughline_aborts_total[$__rate_interval]))",
            "{{stage}}",
        ),
    ]
