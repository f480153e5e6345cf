"""The two data sources of the dashboards, and a query to each.

The ClickHouse plugin (`grafana-clickhouse-datasource`, version 4) has no builder in Grafana's foundation SDK; the
fields of its query are those that its SQL editor saves. Their uids are those of `provisioning/datasources`.
"""

from __future__ import annotations

from textwrap import dedent
from typing import Any

from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.cog import builder, variants
from grafana_foundation_sdk.models.dashboard import DataSourceRef

CLICKHOUSE = DataSourceRef("grafana-clickhouse-datasource", "throughline-clickhouse")
PROMETHEUS = DataSourceRef("prometheus", "throughline-prometheus")
PLUGIN_VERSION = "4.0.0"  # without one the plugin takes a query for its version 3's, and migrates it
_TIME_SERIES, _TABLE = 0, 1


class ClickHouseQuery(variants.Dataquery, builder.Builder[variants.Dataquery]):  # type: ignore[misc]
    """SQL with the plugin's macros. As a time series it returns a time, a number and any labels."""

    def __init__(self, sql: str, *, is_time_series: bool) -> None:
        self.ref_id = "A"
        self._sql = dedent(sql).strip()
        self._is_time_series = is_time_series

    def build(self) -> variants.Dataquery:
        return self

    def to_json(self) -> dict[str, Any]:
        return {
            "refId": self.ref_id,
            "datasource": CLICKHOUSE.to_json(),
            "pluginVersion": PLUGIN_VERSION,
            "editorType": "sql",
            "queryType": "timeseries" if self._is_time_series else "table",
            "format": _TIME_SERIES if self._is_time_series else _TABLE,
            "rawSql": self._sql,
        }


def prometheus_query(expression: str, legend: str) -> Any:
    """A range query; `legend` is a template over labels, such as `{{stage}}`."""
    return prometheus.Dataquery().expr(expression).legend_format(legend).range().ref_id("A")
