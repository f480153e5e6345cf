"""Every panel of every dashboard has an answer: its query runs, and returns what the panel draws."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from clickhouse_plugin import MAY, Query
from ruamel.yaml import YAML

from grafana.build import DASHBOARDS, FOLDER, encoded
from grafana.sources import CLICKHOUSE, PROMETHEUS
from pipeline.metrics import Metrics
from pipeline.warehouse.client import Warehouse

yaml = YAML(typ="safe")
DATASOURCES = FOLDER.parent / "provisioning" / "datasources" / "throughline.yaml"
PANELS = [
    pytest.param(panel, id=f"{name}: {panel['title']}")
    for name in DASHBOARDS
    for panel in json.loads(encoded(name))["panels"]
    if panel["type"] != "row"
]
FROM_CLICKHOUSE = [case for case in PANELS if case.values[0]["datasource"]["uid"] == CLICKHOUSE.uid]
FROM_PROMETHEUS = [case for case in PANELS if case.values[0]["datasource"]["uid"] == PROMETHEUS.uid]
VARIABLES = [
    pytest.param(variable, id=f"{name}: {variable['name']}")
    for name in DASHBOARDS
    for variable in json.loads(encoded(name))["templating"]["list"]
]
CHOSEN = replace(MAY, chosen={**MAY.chosen, "owner": ["logistics", "o'hara"], "stage": ["in_transit"]})


def kind(column_type: str) -> str:
    """`time`, `number` or `text`, as Grafana takes a column's type."""
    bare = re.sub(r"^(Nullable|LowCardinality)\((.*)\)$", r"\2", column_type)
    if bare.startswith("Date"):
        return "time"
    return "number" if bare.startswith(("UInt", "Int", "Float", "Decimal")) else "text"


def answer(warehouse: Warehouse, panel: dict[str, Any], query: Query) -> tuple[list[Any], dict[str, str]]:
    """The rows, and the kind of each column by name."""
    (target,) = panel["targets"]
    rows, columns = warehouse.columns(query.expand(target["rawSql"]))
    return rows, {name: kind(column_type) for name, column_type in columns}


def test_the_dashboards_in_the_repository_are_those_of_the_builder() -> None:
    written = {file.stem: file.read_text(encoding="utf-8") for file in FOLDER.glob("*.json")}

    assert written == {name: encoded(name) for name in DASHBOARDS}, "run `make dashboards`"


@pytest.mark.parametrize("name", DASHBOARDS)
def test_ids_are_unique_and_panels_do_not_overlap(name: str) -> None:
    panels = json.loads(encoded(name))["panels"]
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


@pytest.mark.services
@pytest.mark.parametrize("panel", FROM_CLICKHOUSE)
def test_a_panel_gets_the_rows_and_columns_that_it_draws(filled: Warehouse, panel: dict[str, Any]) -> None:
    rows, columns = answer(filled, panel, MAY)
    kinds = list(columns.values())

    assert rows, "nothing to draw"
    match panel["type"]:
        case "stat":
            assert kinds == ["number"]
            assert len(rows) == 1
            assert rows[0][0]
        case "timeseries":
            assert kinds.count("time") == 1
            assert kinds.count("number") == 1
        case "barchart":
            assert kinds[0] == "text"
            assert set(kinds[1:]) == {"number"}
        case "table":
            assert len(columns) > 1
        case other:
            pytest.fail(f"no test knows what a {other} needs")


@pytest.mark.services
@pytest.mark.parametrize("panel", FROM_CLICKHOUSE)
def test_a_panel_has_a_query_that_also_runs_with_chosen_teams_and_stages(
    filled: Warehouse, panel: dict[str, Any]
) -> None:
    _, columns = answer(filled, panel, CHOSEN)

    assert columns


@pytest.mark.services
@pytest.mark.parametrize("panel", FROM_CLICKHOUSE)
def test_units_belong_to_columns_that_are_there(filled: Warehouse, panel: dict[str, Any]) -> None:
    _, columns = answer(filled, panel, MAY)
    named = {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]}

    assert named <= set(columns)


@pytest.mark.services
@pytest.mark.parametrize("variable", VARIABLES)
def test_a_variable_has_options(filled: Warehouse, variable: dict[str, Any]) -> None:
    options = [value for (value,) in filled.query(MAY.expand(variable["query"]))]

    expected = {"database": "throughline_dashboards", "owner": "logistics", "stage": "in_transit"}
    assert expected[variable["name"]] in options


@pytest.mark.services
def test_figures_of_the_week(filled: Warehouse) -> None:
    figures = {}
    for case in FROM_CLICKHOUSE:
        (panel,) = case.values
        if panel["type"] == "stat":
            figures[panel["title"]] = answer(filled, panel, MAY)[0][0][0]

    del figures["Longest, in hours"]  # it grows with the clock
    assert figures == {
        "Persons": 1,
        "Linked identifiers": 3,
        "Largest person": 3,
        "Shared identifiers": 1,
        "Refused links": 2,
        "Overrides pending": 1,
        "Promises made": 6,
        "Kept by the first date, %": 25,
        "Kept by the latest date, %": 33.3,  # by it, one is open yet
        "Told anew": 1,
        "Waiting for others": 1,
        "Escalated now": 1,
        "Touchpoints": 4,
        "At risk now": 1,
        "Broken, not met yet": 2,
        "Customers stuck now": 1,
        "Unmapped touchpoints": 1,
        "Dead letters": 1,
        "Open stalls": 1,
        "Customers stuck": 1,
        "Resolved": 2,
        "Mean hours to resolve": 6,
        "Median hours to resolve": 8,
    }


@pytest.mark.services
def test_an_identifier_with_a_life_time_is_shown_by_its_kind_and_not_by_its_period(filled: Warehouse) -> None:
    (largest,) = (case.values[0] for case in FROM_CLICKHOUSE if case.values[0]["title"] == "Largest persons")
    rows, _ = answer(filled, largest, MAY)

    assert [(size, named_by, kinds) for _, size, named_by, kinds in rows if size > 1] == [
        (3, "customer_id", "cookie 2, customer_id 1")
    ]


@pytest.mark.services
def test_a_chosen_team_narrows_the_figures(filled: Warehouse) -> None:
    (touchpoints,) = (case.values[0] for case in FROM_CLICKHOUSE if case.values[0]["title"] == "Touchpoints")
    nobody = replace(MAY, chosen={**MAY.chosen, "owner": ["nobody"]})

    assert answer(filled, touchpoints, CHOSEN)[0] == [(2,)]
    assert answer(filled, touchpoints, nobody)[0] == [(0,)]


@pytest.mark.parametrize("panel", FROM_PROMETHEUS)
def test_a_panel_asks_for_metrics_that_workers_export(panel: dict[str, Any]) -> None:
    metrics = Metrics("throughline")
    metrics.watch(list)
    exported = set()
    for family in metrics.registry.collect():
        endings = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(family.type, [""])
        exported |= {family.name + ending for ending in endings}

    (target,) = panel["targets"]
    asked = set(re.findall(r"\bthroughline_\w+", target["expr"]))
    assert asked
    assert asked <= exported


def test_every_panel_asks_one_of_the_provisioned_sources() -> None:
    provisioned = yaml.load(DATASOURCES.read_text(encoding="utf-8"))["datasources"]

    assert len(FROM_CLICKHOUSE) + len(FROM_PROMETHEUS) == len(PANELS)
    assert {(source["type"], source["uid"]) for source in provisioned} == {
        (source.type_val, source.uid) for source in (CLICKHOUSE, PROMETHEUS)
    }


def test_an_unknown_macro_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"no macro \$__timeGroup"):
        MAY.expand("SELECT $__timeGroup(time)")
