"""What is most likely to go wrong next: open promises that will break, open visits that will become stalls.

Of all that has lasted as long as something has now, as large a share will outlast a limit as outlasts it of all, divided
by the share that has outlasted this age. What was learned for the day on which it began says how large they are.
"""
# ruff: noqa: S608 - the SQL is made of constants; nothing of a request is ever in it

from __future__ import annotations

from typing import Any

from grafana.panels import FULL, filtered, listing

_TOLD = ("promises", "value_promises", "stalls")
_HEARD = " UNION ALL ".join(f"SELECT max(detected_at) AS at FROM ${{database}}.{table}" for table in _TOLD)
_NOW = f"(SELECT max(at) FROM ({_HEARD}))"
"""The end of time as the pipeline knows it: of a replay of last year it is in that year."""
_OPEN = "status IN ('made', 'revised', 'at_risk') AND forecast_ended > 0"
_OUTLAST = (
    "100 - arrayCount(passed -> passed <= date_diff('microsecond', {since}, {until}) / 1e6, percentiles)"
)
"""How many of a hundred last longer; beyond what is known all of them do."""
_PROBABILITY = "100 * if(outlast_age = 0, 1, least(1, outlast_limit / outlast_age))"
"""In per cent. What has lasted longer than anything ever did is as good as lost, as in the pipeline's own forecast."""


def breaking_next() -> Any:
    """Open promises with a forecast, those most likely to break first."""
    return listing(
        "Most likely to break next",
        "Open promises, by how probable it is now that they break: of all that took as long as they have by now, the share "
        "that took longer than until the due time. It rests on so many earlier ones. Now is the end of time as the pipeline "
        "knows it. `throughline explain <finding>` says more.",
        f"""
        SELECT {_PROBABILITY} AS percent, 100 * break_probability AS percent_when_made, earlier_ones, rule, segment,
            owed_by, due_at, date_diff('second', now, due_at) / 3600 AS hours_left, journey_type, journey_key, person_id,
            finding_id
        FROM
        (
            SELECT open.*, learned.ended AS earlier_ones, {_NOW} AS now,
                {_OUTLAST.format(since="made_at", until="due_at")} AS outlast_limit,
                {_OUTLAST.format(since="made_at", until="now")} AS outlast_age
            FROM
            (
                SELECT finding_id, rule, forecast_segment AS segment, toDate(made_at) AS day, made_at, due_at, owed_by,
                    break_probability, journey_type, journey_key, person_id
                FROM ${{database}}.promises FINAL
                WHERE {_OPEN} AND {filtered("owed_by", "owner")}
            ) AS open
            INNER JOIN
            (
                SELECT rule, segment, day, ended, percentiles
                FROM ${{database}}.learned_limits FINAL
                WHERE of = 'promise' AND ended > 0 AND (rule, segment, day) IN
                    (SELECT rule, forecast_segment, toDate(made_at) FROM ${{database}}.promises FINAL WHERE {_OPEN})
            ) AS learned
            USING (rule, segment, day)
        )
        ORDER BY percent DESC, due_at, finding_id
        LIMIT 200
        """,
        units={"percent": "percent", "percent_when_made": "percent", "hours_left": "h"},
        span=FULL,
    )


def stuck_next() -> Any:
    """Open visits within a learned limit, those most likely to outlast it first."""
    return listing(
        "Most likely to get stuck next",
        "Open visits that are no stalls, by how probable it is now that they outlast the limit that was learned of all "
        "stays: of all that took as long as they have by now, the share that took longer than the limit. It rests on so "
        "many earlier ones. A shorter limit, declared or of a segment, may fire before. Now is the end of time as the "
        "pipeline knows it.",
        f"""
        SELECT {_PROBABILITY} AS percent, earlier_ones, stage, owner, due_at,
            date_diff('second', now, due_at) / 3600 AS hours_left, entered_at, journey_type, journey_key, person_id
        FROM
        (
            SELECT inside.stage AS stage, inside.entered_at AS entered_at, journey_type, journey_key, person_id,
                learned.ended AS earlier_ones, owners.owner AS owner, {_NOW} AS now,
                addMicroseconds(entered_at, toInt64(limit_seconds * 1e6)) AS due_at,
                {_OUTLAST.format(since="entered_at", until="due_at")} AS outlast_limit,
                {_OUTLAST.format(since="entered_at", until="now")} AS outlast_age
            FROM
            (
                SELECT stages.stage AS stage, stages.entered_at AS entered_at, toDate(entered_at) AS day, journey_id,
                    journey_type, journey_key, person_id
                FROM ${{database}}.journeys FINAL
                ARRAY JOIN stages
                WHERE status != 'withdrawn' AND {filtered("stage", "stage")} AND (journey_id, stage, entered_at) NOT IN
                    (SELECT journey_id, stage, entered_at FROM ${{database}}.stalls FINAL WHERE status != 'withdrawn')
            ) AS inside
            INNER JOIN
            (
                SELECT rule AS stage, day, ended, assumeNotNull(limit_seconds) AS limit_seconds, percentiles
                FROM ${{database}}.learned_limits FINAL
                WHERE of = 'stage' AND segment = '' AND ended > 0
            ) AS learned
            ON inside.stage = learned.stage AND inside.day = learned.day
            LEFT JOIN
            (
                SELECT stage, argMax(owner, day) AS owner FROM ${{database}}.stalls_daily GROUP BY stage
            ) AS owners
            ON inside.stage = owners.stage
        )
        WHERE now <= due_at AND {filtered("owner", "owner")}
        ORDER BY percent DESC, due_at, journey_type, journey_key
        LIMIT 200
        """,
        units={"percent": "percent", "hours_left": "h"},
        span=FULL,
    )
