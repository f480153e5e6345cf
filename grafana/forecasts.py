"""Of the promise ledger, the forecasts: how often what was foretold came true, and how good that is (their calibration)."""
# ruff: noqa: S608 - the SQL is made of constants; nothing of a request is ever in it

from __future__ import annotations

from typing import Any

from grafana.panels import THIRD, bars, filtered, listing

_JUDGED = (
    "FROM ${database}.promise_ledger WHERE isNotNull(break_probability) AND status IN ('kept', 'broken') "
    f"AND $__timeFilter(made_at) AND {filtered('owed_by', 'owner')} "
    "AND due_at < (SELECT max(detected_at) FROM ${database}.promises)"
)
"""Promises with a forecast of which all are judged that were due as soon: of those due later only the kept ones are."""
_FORETOLD = "avg(break_probability)"
_CAME = "countIf(status = 'broken') / count()"
_BRIER = "avg(pow(break_probability - (status = 'broken'), 2))"
_OF = "Promises made in the time range whose due time is past."


def forecasts() -> list[Any]:
    """The panels."""
    return [_by_tenth(), _foretold_and_came(), _by_rule()]


def _by_tenth() -> Any:
    return listing(
        "Calibration of forecasts",
        f"By how probable it was, when the promise was made, that it breaks: foretold and came true, in per cent. {_OF} "
        "Brier score: the mean squared difference of the two, 0 is perfect.",
        f"""
        SELECT {_tenth()} AS tenth, count() AS promises, 100 * {_FORETOLD} AS foretold, 100 * {_CAME} AS came_true,
            round({_BRIER}, 4) AS brier
        {_JUDGED}
        GROUP BY least(floor(10 * break_probability), 9) AS number
        ORDER BY number
        """,
        units={"foretold": "percent", "came_true": "percent"},
        span=THIRD,
    )


def _foretold_and_came() -> Any:
    return bars(
        "Foretold and came true",
        f"The same as bars: of a calibrated forecast both are as long. {_OF}",
        f"""
        SELECT {_tenth()} AS tenth, 100 * {_FORETOLD} AS foretold, 100 * {_CAME} AS came_true
        {_JUDGED}
        GROUP BY least(floor(10 * break_probability), 9) AS number
        ORDER BY number
        """,
        unit="percent",
        span=THIRD,
    )


def _by_rule() -> Any:
    return listing(
        "Forecasts by rule",
        f"{_OF} Base: the Brier score of who always foretells the share that broke; a forecast that is worth anything is "
        "below it. Earlier ones: promises that the forecasts rest on, at least.",
        f"""
        SELECT rule, owed_by, count() AS promises, 100 * {_FORETOLD} AS foretold, 100 * {_CAME} AS came_true,
            round({_BRIER}, 4) AS brier, round({_CAME} * (1 - {_CAME}), 4) AS base, min(forecast_ended) AS earlier_ones
        {_JUDGED}
        GROUP BY rule, owed_by
        ORDER BY promises DESC
        """,
        units={"foretold": "percent", "came_true": "percent"},
        span=THIRD,
    )


def _tenth() -> str:
    return "concat(toString(10 * number), ' to ', toString(10 * number + 10), ' %')"
