"""Every panel draws the same before a squash, between any two of its statements, and after; but for the one that tells how
much there is to squash.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from clickhouse_plugin import MAY
from moving_world import MovingWorld, Sinks

from grafana.build import DASHBOARDS, encoded
from grafana.sources import CLICKHOUSE
from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.migrate import migrate
from pipeline.warehouse.squash import squash

PENDING = "identity: Overrides pending"
QUERIES = {
    f"{name}: {panel['title']}": panel["targets"][0]["rawSql"]
    for name in DASHBOARDS
    for panel in json.loads(encoded(name))["panels"]
    if panel["type"] != "row" and panel["datasource"]["uid"] == CLICKHOUSE.uid
}
CLOCK = "now64(6)"
"""What grows with the clock is asked as of an instant."""


def answer(warehouse: Warehouse, panel: str) -> list[tuple[Any, ...]]:
    query = replace(MAY, chosen={**MAY.chosen, "database": warehouse.database})
    sql = query.expand(QUERIES[panel]).replace(CLOCK, "toDateTime64('2018-06-01', 6, 'UTC')")
    return sorted(warehouse.query(sql), key=str)


def drawn(warehouse: Warehouse) -> dict[str, list[tuple[Any, ...]]]:
    return {panel: answer(warehouse, panel) for panel in QUERIES if panel != PENDING}


class Looking(Warehouse):
    """Looks at every panel before each statement."""

    def __init__(self, inside: Warehouse, expected: dict[str, list[tuple[Any, ...]]]) -> None:
        super().__init__(inside.address, inside.database)
        self._inside, self._expected = inside, expected
        self.looks = 0

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        assert drawn(self._inside) == self._expected
        self.looks += 1
        return super().query(sql, parameters)


@pytest.mark.services
def test_a_squash_changes_nothing_that_a_dashboard_draws(clickhouse: str) -> None:
    inside = Warehouse(clickhouse, f"throughline_{uuid.uuid4().hex[:12]}")
    migrate(inside)
    try:
        world = MovingWorld(5, Sinks(inside))
        world.live(40)
        world.deliver()
        expected = drawn(inside)
        assert sum(map(bool, expected.values())) > len(expected) / 2, "hardly anything to draw"
        with closing(Looking(inside, expected)) as looking:
            done = squash(looking, world.retry, world.retry)

        assert drawn(inside) == expected
        assert answer(inside, PENDING) == [(0,)]
        assert done.touchpoints > 5
        assert looking.looks > 6
    finally:
        inside.drop_database()
        inside.close()
