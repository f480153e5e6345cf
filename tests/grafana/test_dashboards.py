"""Every panel of every dashboard has an answer: its query runs, and returns what the panel draws."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
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
        "Promises made": 30,
        "Kept by the first date, %": 44,
        "Kept by the latest date, %": 45.8,  # by it, one is open yet
        "Told anew": 1,
        "Waiting for others": 1,
        "Escalated now": 1,
        "Touchpoints": 4,
        "At risk now": 1,
        "Broken, not met yet": 2,
        "Customers stuck now": 1,
        "Unmapped touchpoints": 1,
        "Dead letters": 1,
        "Open stalls": 2,
        "Customers stuck": 1,
        "Resolved": 3,
        "Mean hours to resolve": 5.3,
        "Median hours to resolve": 4,
        "Open, by a learned limit": 1,
        "Escalated stalls": 1,
        "Abandoned": 2,
    }


def rows_of(filled: Warehouse, title: str, query: Query = MAY) -> list[dict[str, Any]]:
    """What the panel of this title draws, by column."""
    [panel] = (case.values[0] for case in FROM_CLICKHOUSE if case.values[0]["title"] == title)
    rows, columns = answer(filled, panel, query)
    return [dict(zip(columns, row, strict=True)) for row in rows]


@pytest.mark.services
def test_an_identifier_with_a_life_time_is_shown_by_its_kind_and_not_by_its_period(filled: Warehouse) -> None:
    (largest,) = (case.values[0] for case in FROM_CLICKHOUSE if case.values[0]["title"] == "Largest persons")
    rows, _ = answer(filled, largest, MAY)

    assert [(size, named_by, kinds) for _, size, named_by, kinds in rows if size > 1] == [
        (3, "customer_id", "cookie 2, customer_id 1")
    ]


@pytest.mark.services
def test_promised_figures_are_told_by_rule_with_how_far_off_they_were(filled: Warehouse) -> None:
    [row] = rows_of(filled, "Promised figures")
    counts = {
        name: row[name] for name in ("made", "kept", "exceeded", "broken", "lapsed", "cancelled", "open")
    }

    assert counts == {
        "made": 6, "kept": 1, "exceeded": 1, "broken": 2, "lapsed": 1, "cancelled": 0, "open": 1
    }  # fmt: skip
    assert (row["rule"], row["unit"], row["kept_percent"]) == ("consumption", "l/100km", 50)
    assert (row["median_gap"], row["gap_of_the_worst_tenth"]) == (pytest.approx(30), pytest.approx(50))
    assert {
        each["distance"]: each["promises"] for each in rows_of(filled, "How far from the promised figure")
    } == {
        "2 better": 1,
        "3 as promised": 1,
        "6 up to twice as much": 2,
    }


@pytest.mark.services
def test_who_promised_too_much_is_not_who_owed_it(filled: Warehouse) -> None:
    over, under = (
        {(row["field"], row["value"]): (row["broken"], row["kept_percent"]) for row in rows_of(filled, title)}
        for title in ("Who over-promises figures", "Who under-delivers figures")
    )

    assert over == {
        ("made_by", "marketing.ad.seen"): (2, 50),
        ("campaign", "autumn"): (2, 0),
        ("campaign", "spring"): (0, 100),
    }
    assert under == {("owed_by", "engines"): (2, 50), ("product", "estate"): (2, 50)}


@pytest.mark.services
def test_a_team_that_owed_none_of_them_has_no_promised_figures(filled: Warehouse) -> None:
    assert rows_of(filled, "Promised figures", CHOSEN) == []
    assert rows_of(filled, "Promised figures", replace(MAY, chosen={**MAY.chosen, "owner": ["engines"]}))


@pytest.mark.services
def test_forecasts_are_held_against_what_came_where_all_is_known(filled: Warehouse) -> None:
    found = rows_of(filled, "Calibration of forecasts")

    # met long before its due time, one promise more is known; of its like those not met yet are not
    assert [(row["tenth"], row["promises"], row["brier"]) for row in found] == [
        ("10 to 20 %", 10, round(0.2 * 0.85**2 + 0.8 * 0.15**2, 4)),
        ("80 to 90 %", 10, round(0.9 * 0.15**2 + 0.1 * 0.85**2, 4)),
    ]
    assert [(row["foretold"], row["came_true"]) for row in found] == [
        (pytest.approx(15), pytest.approx(20)),
        (pytest.approx(85), pytest.approx(90)),
    ]
    [rule] = rows_of(filled, "Forecasts by rule")
    assert (rule["rule"], rule["promises"], rule["base"]) == ("arrival", 20, round(0.55 * 0.45, 4))
    assert rule["brier"] == round((found[0]["brier"] + found[1]["brier"]) / 2, 4)


@pytest.mark.services
def test_which_limit_fired_is_told_by_when_the_stalls_began(filled: Warehouse) -> None:
    fired = [
        (str(row["bucket"])[:16], row["fired"], row["stalls"]) for row in rows_of(filled, "Which limit fired")
    ]

    assert fired == [
        ("2018-05-03 10:00", "declared", 3),
        ("2018-05-03 11:00", "declared", 1),
        ("2018-05-04 10:00", "learned", 1),
        ("2018-05-05 10:00", "learned", 2),
    ]


@pytest.mark.services
def test_learned_limits_are_told_with_their_bounds_by_stage_segment_and_day(filled: Warehouse) -> None:
    table = {row["segment"]: row for row in rows_of(filled, "Learned limits")}

    told = ("stage", "stays", "low", "limit_hours", "high")
    assert {segment: [row[name] for name in told] for segment, row in table.items()} == {
        "": ["packing", 440, 22, 48, 26],
        "ship": ["packing", 95, 22, 24, None],
    }
    assert {segment: str(row["newest"]) for segment, row in table.items()} == {
        "": "2018-05-07",
        "ship": "2018-05-07",
    }
    over_time = {
        (str(row["time"])[:10], row["of_what"]): row["hours"]
        for row in rows_of(filled, "Learned limits over time")
    }
    assert {key: hours for key, hours in over_time.items() if key[1] == "packing limit"} == {
        ("2018-05-03", "packing limit"): 24,
        ("2018-05-04", "packing limit"): 200,
        ("2018-05-05", "packing limit"): 24,
        ("2018-05-06", "packing limit"): 48,
        ("2018-05-07", "packing limit"): 48,
    }
    assert {key[1]: hours for key, hours in over_time.items() if key[0] == "2018-05-04"} == {
        "packing limit": 200,
        "packing low": 22,
        "packing high": 26,
        "packing of ship limit": 24,
        "packing of ship low": 22,
    }


@pytest.mark.services
def test_on_how_much_a_limit_rests_is_told_day_by_day_stall_or_no_stall(filled: Warehouse) -> None:
    rest = rows_of(filled, "Stays that learned limits rest on")

    # of the 3rd the last word counts, that of the 8th was taken back
    assert [(str(row["time"])[:10], row["stays"]) for row in rest if row["of_what"] == "packing"] == [
        ("2018-05-03", 412),
        ("2018-05-04", 420),
        ("2018-05-05", 430),
        ("2018-05-06", 435),
        ("2018-05-07", 440),
    ]
    assert [row["stays"] for row in rest if row["of_what"] == "packing of ship"] == [90, 95]


@pytest.mark.services
def test_learned_limits_are_those_of_the_chosen_stages_and_teams_of_a_part_of_a_day_too(
    filled: Warehouse,
) -> None:
    afternoon = replace(MAY, start=datetime(2018, 5, 7, 15, tzinfo=UTC))
    chosen = [
        {"stage": ["packing"]},
        {"owner": ["logistics"]},
        {"stage": ["returns"]},
        {"owner": ["returns"]},
    ]
    found = [
        len(rows_of(filled, "Learned limits", replace(afternoon, chosen={**MAY.chosen, **each})))
        for each in chosen
    ]

    assert found == [2, 2, 0, 0]


@pytest.mark.services
def test_open_promises_are_ranked_by_how_probable_it_is_at_the_end_of_time_that_they_break(
    filled: Warehouse,
) -> None:
    found = rows_of(filled, "Most likely to break next")

    # it is the 8th, 9:00. Of one 24 h old 80 of 100 outlast all that is known, the due time too. Of one 36 h old 64 of 100
    # last longer, and 52 longer than the 48 h until it is due. Of the third nothing is known any more.
    told = ("journey_key", "percent", "percent_when_made", "earlier_ones", "segment", "hours_left")
    assert [[row[name] for name in told] for row in found] == [
        ["o-1", 100, 12.5, 2_000, "", 24],
        ["o-0", pytest.approx(100 * 52 / 64), 12.5, 1_302, "express", 12],
    ]
    assert [str(row["due_at"])[:16] for row in found] == ["2018-05-09 09:00", "2018-05-08 21:00"]
    assert {(row["journey_type"], row["owed_by"], row["rule"]) for row in found} == {
        ("order", "logistics", "arrival")
    }
    assert [row["finding_id"] for row in found] == ["o-1", "o-0"]


@pytest.mark.services
def test_open_visits_are_ranked_by_how_probable_it_is_at_the_end_of_time_that_they_become_stalls(
    filled: Warehouse,
) -> None:
    found = rows_of(filled, "Most likely to get stuck next")

    # 52 of 100 last longer than 48 h, 76 longer than 24 h and 88 longer than 12 h. The third is beyond its limit, the fourth
    # is a stall.
    told = ("journey_key", "percent", "earlier_ones", "stage", "owner", "hours_left")
    assert [[row[name] for name in told] for row in found] == [
        ["o-0", pytest.approx(100 * 52 / 76), 440, "packing", "logistics", 24],
        ["o-1", pytest.approx(100 * 52 / 88), 440, "packing", "logistics", 36],
    ]
    assert [str(row["due_at"])[:16] for row in found] == ["2018-05-09 09:00", "2018-05-09 21:00"]


@pytest.mark.services
@pytest.mark.parametrize("title", ["Most likely to break next", "Most likely to get stuck next"])
def test_what_comes_next_is_that_of_the_chosen_teams(filled: Warehouse, title: str) -> None:
    def of(owner: str) -> list[dict[str, Any]]:
        return rows_of(filled, title, replace(MAY, chosen={**MAY.chosen, "owner": [owner]}))

    assert len(of("logistics")) == 2
    assert of("returns") == []


@pytest.mark.services
def test_what_was_escalated_or_given_up_is_told_by_stage(filled: Warehouse) -> None:
    found = {row["stage"]: row for row in rows_of(filled, "Escalated and abandoned")}

    told = ("stalls", "were_escalated", "highest_step", "abandoned", "resolved", "to_the_end")
    assert [found["packing"][name] for name in told] == [3, 1, 2, 1, 1, 6]
    assert [found["in_transit"][name] for name in told] == [3, 0, 0, 0, 2, 8]
    assert [found["returns"][name] for name in told] == [1, 0, 0, 1, 0, 5]


@pytest.mark.services
def test_what_was_given_up_costs_customers_time_until_then_whenever_it_is_left(filled: Warehouse) -> None:
    # l-1 4 h, l-2 6 h though it was left after 30, l-3 from the 5th at 10:00 to the end of the range
    hours = {"packing": 4 + 6 + 62, "returns": 5}
    swamplands = {row["stage"]: row for row in rows_of(filled, "Swamplands")}

    assert {stage: swamplands[stage]["customer_hours"] for stage in hours} == hours
    assert {stage: swamplands[stage]["open"] for stage in hours} == {"packing": 1, "returns": 0}
    by_stage = {row["stage"]: row["customer_hours"] for row in rows_of(filled, "Customer hours by stage")}
    assert {stage: by_stage[stage] for stage in hours} == hours
    assert {row["owner"]: row["customer_hours"] for row in rows_of(filled, "Time by team")}["returns"] == 5


@pytest.mark.services
def test_what_was_given_up_before_the_time_range_is_no_part_of_it(filled: Warehouse) -> None:
    later = replace(MAY, start=datetime(2018, 5, 5, 17, tzinfo=UTC))

    assert {row["stage"]: row["stalls"] for row in rows_of(filled, "Swamplands", later)} == {
        "in_transit": 1,
        "packing": 1,
    }
    assert {row["owner"] for row in rows_of(filled, "Time by team", later)} == {"logistics"}


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
