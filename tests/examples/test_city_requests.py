"""The walk-through's example: three tables that differ in everything, against what their inventor knows."""

from __future__ import annotations

import re
import runpy
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from pipeline.core.instants import micros
from pipeline.core.plan import compile_plan
from pipeline.core.run import RunConfig, run
from pipeline.core.summary import PromiseCounts, StallCounts, Summary
from pipeline.imports.importer import Importer
from pipeline.imports.mapping import MappingError, load_mapping
from pipeline.imports.report import ImportReport
from pipeline.maps import load_map

PAGE = Path(__file__).parents[2] / "docs" / "importing.md"
FOLDER = Path(__file__).parents[2] / "examples" / "city_requests"
ZONE = ZoneInfo("Europe/Madrid")
AS_OF = datetime(2025, 4, 15, tzinfo=UTC)
NOW = micros(datetime(2026, 1, 1, tzinfo=UTC))


class City:
    """What the inventor knows, what the importer made of the tables, and what a run made of that."""

    def __init__(self, data: Path) -> None:
        self.data = data
        inventor = runpy.run_path(str(FOLDER / "make_data.py"))
        inventor["write"](data)
        self.requests: list[Any] = inventor["invent"]()
        importer = Importer(load_mapping(FOLDER / "mapping.yaml"), data, rejects=data / "rejects.jsonl")
        events = list(importer.events(AS_OF))
        self.events = [msgspec.json.decode(event.value) for event in events]
        self.report: ImportReport = importer.report
        self.rejects = [msgspec.json.decode(r) for r in (data / "rejects.jsonl").read_bytes().splitlines()]
        plan = compile_plan(load_map(FOLDER / "map.yaml"))
        self.summary: Summary = run(plan, events, RunConfig("city", NOW), micros(AS_OF)).summary


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    return City(tmp_path_factory.mktemp("city"))


def end_of(day: date) -> datetime:
    """The last microsecond of a day in Madrid, in UTC."""
    midnight = datetime.combine(day + timedelta(days=1), time(), ZONE)
    return midnight.astimezone(UTC) - timedelta(microseconds=1)


def promised(pairs: Iterable[tuple[datetime, datetime | None]]) -> PromiseCounts:
    """Counts of promises given as due and met."""
    counts = PromiseCounts()
    for due, met in pairs:
        if met is None:
            counts.broken += due < AS_OF
            counts.open += due >= AS_OF
        else:
            counts.kept += met <= due
            counts.broken_then_met += met > due
    return counts


def stalled(visits: Iterable[tuple[datetime, datetime | None]], limit: timedelta) -> StallCounts:
    """Counts of stalls, of visits given as entered and left."""
    long = [left for entered, left in visits if (left or AS_OF) - entered > limit]
    open_ones = long.count(None)
    return StallCounts(opened=len(long), resolved=len(long) - open_ones, open=open_ones, declared=len(long))


def test_every_row_of_the_three_tables_becomes_its_touchpoint(city: City) -> None:
    requests = city.requests
    assert Counter(event["type"] for event in city.events) == {
        "service.request.opened": 300,
        "fulfilment.work.crew_assigned": sum(r.assigned is not None for r in requests),
        "fulfilment.work.work_started": sum(len(r.started) for r in requests),
        "fulfilment.work.work_stopped": sum(len(r.stopped) for r in requests),
        "survey.request.answered": sum(r.score is not None for r in requests),
    }
    assert city.report.repeated_ids == 0


def test_the_two_broken_rows_are_kept_with_line_and_reason(city: City) -> None:
    assert city.report.rejected_rows == 2
    assert [(r["file"], r["line"], r["event"], r["reason"]) for r in city.rejects] == [
        (
            "requests.csv.gz",
            101,
            "requests.opened",
            "time: '31.02.2025 10:00' is not a time of the format %d.%m.%Y %H:%M",
        ),
        ("requests.csv.gz", 201, None, "the row has 4 columns, but the header has 6"),
    ]


def test_local_times_become_the_instants_that_they_were(city: City) -> None:
    opened = {e["id"]: e["time"] for e in city.events if e["type"] == "service.request.opened"}
    assert len({r.opened.astimezone(ZONE).utcoffset() for r in city.requests}) == 2  # winter and summer time
    for r in city.requests:
        assert datetime.fromisoformat(opened[f"{r.number}:opened"]) == r.opened


def test_promises_and_stalls_are_those_that_the_inventor_counts(city: City) -> None:
    requests = city.requests
    assert city.summary.promises == {
        "repair": promised((end_of(r.due), r.finished) for r in requests),
        "crew": promised((r.opened + timedelta(hours=48), r.assigned) for r in requests),
    }
    assert city.summary.stalls == {
        "waiting": stalled(((r.opened, r.assigned) for r in requests), timedelta(days=3)),
        "at_work": stalled(
            (visit for r in requests for visit in zip(r.started, r.stopped, strict=True)), timedelta(hours=12)
        ),
    }


def test_the_figures_on_the_page_are_those_of_the_example(city: City) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert f"touchpoints {len(city.events):,}   persons {city.summary.persons} " in page
    for name, each in city.summary.promises.items():
        figures = (each.kept, each.broken_then_met, each.broken, each.open, each.cancelled)
        assert re.search(rf"^\s*{name}\s+" + r"\s+".join(map(str, figures)) + "$", page, re.MULTILINE)
    for name, stall in city.summary.stalls.items():
        counts = (stall.opened, stall.resolved, stall.open)
        assert re.search(rf"^\s*{name}\s+" + r"\s+".join(map(str, counts)) + "$", page, re.MULTILINE)


def test_the_first_steps_of_the_walk_through_give_what_the_page_says(city: City, tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    mapping, journey_map = re.findall(r"```yaml\n(version: 1.*?)```", page, re.DOTALL)
    (tmp_path / "mapping.yaml").write_text(mapping, encoding="utf-8")
    (tmp_path / "map.yaml").write_text(journey_map, encoding="utf-8")
    importer = Importer(load_mapping(tmp_path / "mapping.yaml"), city.data)
    events = list(importer.events())
    plan = compile_plan(load_map(tmp_path / "map.yaml"))
    summary = run(plan, events, RunConfig("city", NOW), micros(AS_OF)).summary
    assert f"{summary.touchpoints} touchpoints of {summary.persons} persons came in" in page
    for rejection in importer.report.first_rejections:
        assert f"rejected {rejection}\n" in page
    (tmp_path / "mapping.yaml").write_text(mapping.replace("Eingang", "Eingng"), encoding="utf-8")
    with pytest.raises(MappingError) as caught:
        Importer(load_mapping(tmp_path / "mapping.yaml"), city.data).events()
    (problem,) = caught.value.problems
    assert f"mapping.yaml:{problem.line}: {problem.field}: {problem.message}" in " ".join(page.split())


def test_everybody_is_found_and_nothing_is_unmapped_or_dead(city: City) -> None:
    summary = city.summary
    assert summary.persons == len({r.citizen for r in city.requests})
    assert (summary.touchpoints, summary.unmapped, summary.dead_letters) == (len(city.events), 0, 0)
    assert all(count > 0 for count in (summary.promises["repair"].kept, summary.promises["repair"].broken))
    assert summary.promises["crew"].broken > 0
    assert summary.stalls["at_work"].opened > 0
