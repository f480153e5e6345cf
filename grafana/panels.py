"""The kinds of panel that the dashboards are made of: one look, and one query each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from grafana_foundation_sdk.builders import barchart, common, dashboard, stat, table, timeseries
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    GraphDrawStyle,
    StackingMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from grafana.sources import CLICKHOUSE, PROMETHEUS, ClickHouseQuery, prometheus_query

FULL, HALF, THIRD, SIXTH = 24, 12, 8, 4
_HIGH, _LOW = 9, 4


def board(title: str, name: str, about: str, *, since: str, refresh: str) -> Any:
    """The beginning of every dashboard, as a builder; it is found under `throughline-<name>`."""
    return (
        dashboard.Dashboard(f"Throughline: {title}")
        .uid(f"throughline-{name}")
        .description(about)
        .tags(["throughline"])
        .timezone("utc")
        .time(since, "now")
        .refresh(refresh)
        .readonly()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(database_variable())
    )


def link_to(title: str, name: str) -> Any:
    """A link to another dashboard that keeps the time range."""
    return dashboard.DashboardLink(title).type("link").url(f"/d/throughline-{name}").keep_time(True)


def number(title: str, about: str, sql: str, *, alarming: bool = False) -> Any:
    """One figure; red above zero if `alarming`."""
    steps = [Threshold(None, "green"), Threshold(1, "red")] if alarming else [Threshold(None, "text")]
    return (
        stat.Panel()
        .title(title)
        .description(about)
        .datasource(CLICKHOUSE)
        .height(_LOW)
        .span(SIXTH)
        .no_value("0")
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
        .thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .with_target(ClickHouseQuery(sql, is_time_series=False))
    )


def history(
    title: str, about: str, sql: str, *, unit: str = "short", bars: bool = False, span: int = HALF
) -> Any:
    """Something over time, from ClickHouse: lines, or stacked bars."""
    panel = _time_series(title, about, unit, span).datasource(CLICKHOUSE)
    if bars:
        panel.draw_style(GraphDrawStyle.BARS).fill_opacity(80).stacking(
            common.StackingConfig().mode(StackingMode.NORMAL).group("A")
        )
    return panel.with_target(ClickHouseQuery(sql, is_time_series=True))


def measurement(title: str, about: str, expression: str, legend: str, *, unit: str = "short") -> Any:
    """Something over time, from Prometheus."""
    panel = _time_series(title, about, unit, THIRD).datasource(PROMETHEUS)
    return panel.with_target(prometheus_query(expression, legend))


def listing(
    title: str, about: str, sql: str, *, units: dict[str, str] | None = None, span: int = HALF
) -> Any:
    """Rows; `units` of the columns that have one."""
    panel = (
        table.Panel()
        .title(title)
        .description(about)
        .datasource(CLICKHOUSE)
        .height(_HIGH)
        .span(span)
        .with_target(ClickHouseQuery(sql, is_time_series=False))
    )
    for column, unit in (units or {}).items():
        panel.override_by_name(column, [DynamicConfigValue("unit", unit), DynamicConfigValue("decimals", 1)])
    return panel


def bars(title: str, about: str, sql: str, *, unit: str, span: int = HALF) -> Any:
    """A horizontal bar for each row: its first column is the name, the others are numbers."""
    return (
        barchart.Panel()
        .title(title)
        .description(about)
        .datasource(CLICKHOUSE)
        .height(_HIGH)
        .span(span)
        .unit(unit)
        .decimals(1)
        .orientation(VizOrientation.HORIZONTAL)
        .with_target(ClickHouseQuery(sql, is_time_series=False))
    )


def database_variable() -> Any:
    """`$database`: the live pipeline's, or a replay's."""
    query = (
        "SELECT name FROM system.databases "
        "WHERE name = 'throughline' OR startsWith(name, 'throughline_') ORDER BY name"
    )
    return (
        dashboard.QueryVariable("database")
        .label("Pipeline")
        .description("throughline is the live one; a replay has a database of its own.")
        .datasource(CLICKHOUSE)
        .query(query)
        .refresh(VariableRefresh.ON_DASHBOARD_LOAD)
        .current(VariableOption(text="throughline", value="throughline"))
    )


def filter_variable(name: str, label: str, sql: str) -> Any:
    """Any number of values; all of them at first. Use it as `filtered(column, name)`."""
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(CLICKHOUSE)
        .query(sql)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .current(VariableOption(text=["All"], value=["$__all"], selected=True))
    )


def filtered(column: str, variable: str) -> str:
    """A condition that holds for all rows while all values are chosen."""
    return f"$__conditionalAll({column} IN (${{{variable}:singlequote}}), ${variable})"


def add_panels(board: Any, panels: Iterable[Any], first_id: int = 1) -> None:
    """Lay the panels out from left to right; ids are kept stable, because links and permissions name them."""
    for panel_id, panel in enumerate(panels, start=first_id):
        board.with_panel(panel.id(panel_id))


def add_section(board: Any, title: str, panels: Iterable[Any], first_id: int) -> None:
    """A heading, and panels below it; the heading's id is `first_id`."""
    board.with_row(dashboard.Row(title).id(first_id))
    add_panels(board, panels, first_id + 1)


def _time_series(title: str, about: str, unit: str, span: int) -> Any:
    return (
        timeseries.Panel()
        .title(title)
        .description(about)
        .height(_HIGH)
        .span(span)
        .unit(unit)
        .min(0)
        .fill_opacity(10)
        .line_width(1)
    )
