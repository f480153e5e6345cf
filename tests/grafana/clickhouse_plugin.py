"""What Grafana and its ClickHouse plugin do to a query before the server sees it.

Variables as Grafana's template engine fills them in, `$__conditionalAll` as the plugin's front end does, the other
macros as its back end does (version 4). An unknown macro or variable raises.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

Value = str | Sequence[str]
"""A chosen value, or the chosen values of a variable with several; `$__all` stands for all."""

_VARIABLE = re.compile(r"\$(?:\{(?P<braced>\w+)(?::(?P<format>\w+))?\}|(?P<bare>\w+))")
_MACRO = re.compile(r"\$__(?P<name>\w+)(?:\((?P<argument>[^()]*)\))?")
_CONDITIONAL = "$__conditionalAll("


@dataclass(frozen=True)
class Query:
    """The time range, the interval that Grafana chose, the variables and their options."""

    start: datetime
    end: datetime
    interval_seconds: int
    chosen: Mapping[str, Value]

    def expand(self, sql: str) -> str:
        return _MACRO.sub(self._macro, self._fill(self._conditions(sql)))

    def _conditions(self, sql: str) -> str:
        while (start := sql.rfind(_CONDITIONAL)) >= 0:
            end, comma = _closing(sql, start + len(_CONDITIONAL))
            condition, variable = sql[start + len(_CONDITIONAL) : comma], sql[comma + 1 : end].strip()
            value = self.chosen[variable.removeprefix("$")]
            everything = "$__all" in value
            sql = sql[:start] + ("1=1" if everything else condition) + sql[end + 1 :]
        return sql

    def _fill(self, sql: str) -> str:
        def filled(found: re.Match[str]) -> str:
            name = found["braced"] or found["bare"]
            if name.startswith("__"):
                return found[0]
            value = self.chosen[name]
            if found["format"] == "singlequote":
                values = [value] if isinstance(value, str) else value
                return ",".join("'" + one.replace("'", "\\'") + "'" for one in values)
            assert isinstance(value, str), f"${name} has several values and no format"
            return value

        return _VARIABLE.sub(filled, sql)

    def _macro(self, found: re.Match[str]) -> str:
        name, argument = found["name"], found["argument"]
        start, end = (f"toDateTime({int(moment.timestamp())})" for moment in (self.start, self.end))
        match name:
            case "fromTime":
                return start + ("" if argument is None else f"({argument})")
            case "toTime":
                return end + ("" if argument is None else f"({argument})")
            case "timeFilter":
                return f"{argument} >= {start} AND {argument} <= {end}"
            case "timeInterval":
                return f"toStartOfInterval(toDateTime({argument}), INTERVAL {self.interval_seconds} second)"
            case "interval_s":
                return str(self.interval_seconds)
        raise ValueError(f"the plugin has no macro $__{name}")


def _closing(sql: str, start: int) -> tuple[int, int]:
    """Where the bracket that was opened before `start` closes, and where the comma at its level is."""
    depth, comma = 1, -1
    for place in range(start, len(sql)):
        depth += {"(": 1, ")": -1}.get(sql[place], 0)
        if depth == 0:
            return place, comma
        if sql[place] == "," and depth == 1:
            comma = place
    raise ValueError("a bracket is never closed")


MAY = Query(
    datetime(2018, 5, 1, tzinfo=UTC),
    datetime(2018, 5, 8, tzinfo=UTC),
    1800,
    {"database": "throughline_dashboards", "owner": ["$__all"], "stage": ["$__all"]},
)
