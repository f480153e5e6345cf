"""A pipeline whose map is changed half-way ends as if that had always been its map, to the last word of each finding."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import msgspec
import pytest
from laws import some

from pipeline.core.instants import micros
from pipeline.core.plan import Plan, compile_plan
from pipeline.core.run import MemoryPipeline, RunConfig
from pipeline.maps import load_map
from pipeline.simulate.faults import SimulatedRecord
from pipeline.simulate.simulation import Simulation

MAP = Path(__file__).parents[2] / "examples" / "company" / "map.yaml"
CHANGES = {  # every third one in each run (`laws.some`), those first that were missed once
    "how probable is at risk": ("probability: 50%", "probability: 51%"),
    "the length of a stage": ("expected: 36h", "expected: 20h"),
    "the time of a promise": ("due: {within: 24h}", "due: {within: 18h}"),
    "to whom it is escalated": ("to: service-lead", "to: lead-of-service"),
    "whose it is": ("owed_by: carrier", "owed_by: courier"),
    "by which date it is judged": ("judged_by: best", "judged_by: first"),
    "opening hours": ('"13:00-18:00"', '"13:00-17:00"'),
    "when to warn": ("warn_at: [50%, 75%]", "warn_at: [60%, 75%]"),
    "when it is given up": ("abandoned_after: 20h", "abandoned_after: 10h"),
    "when it is escalated": ("{after: 1h, to: service-lead}", "{after: 30m, to: service-lead}"),
    "a holiday": ("2026-03-06: closed", "2026-03-05: closed"),
    "how often as long": ("times: 3", "times: 2"),
    "what is learned": ("quantile: 50%", "quantile: 51%"),
    "how many are enough": ("least: 20", "least: 30"),
    "a tolerance": ("tolerance: 5%", "tolerance: 9%"),
    "a unit": ("unit: kWh", "unit: J"),
    "what exceeds": ("exceeds_by: 10%", "exceeds_by: 1%"),
    "a figure": ("promised: {value: 1}", "promised: {value: 2}"),
    "how bad it is": ("severity: critical", "severity: info"),
    "a window": ("window: 6d", "window: 5d"),
    "a habit": ("habit: {last: 4, least: 2}", "habit: {last: 3, least: 2}"),
}


@lru_cache(maxsize=1)
def records() -> tuple[tuple[SimulatedRecord, ...], int]:
    """Eight days of 300 customers, in order of arrival, and their end (µs)."""
    simulation = Simulation(seed=7, customers=300, days=8)
    return tuple(simulation.records()), micros(simulation.end)


def plan_of(folder: Path, text: str) -> Plan:
    file = folder / "map.yaml"
    file.write_text(text, "utf-8")
    return compile_plan(load_map(file))


def pipeline_under(plan: Plan) -> MemoryPipeline:
    return MemoryPipeline(plan, RunConfig(identity_key="a key of tests", now=records()[1], partitions=2))


def feed(pipeline: MemoryPipeline, part: tuple[SimulatedRecord, ...]) -> None:
    for record in part:
        if record.tick is None:
            pipeline.feed(record.domain, record.value, record.key, record.headers)
        else:
            pipeline.tick(record.tick)
    pipeline.drain()


def said(pipeline: MemoryPipeline) -> dict[bytes, object]:
    """The last word on each finding that was not withdrawn, but for its number and when it was found."""
    found = {}
    for key, value in pipeline.published.findings.items():
        finding = msgspec.json.decode(value)
        if finding["status"] != "withdrawn":
            found[key] = {
                name: known for name, known in finding.items() if name not in ("revision", "detected_at")
            }
    return found


def always(text: str, folder: Path) -> dict[bytes, object]:
    pipeline = pipeline_under(plan_of(folder, text))
    feed(pipeline, records()[0])
    return said(pipeline)


@pytest.mark.parametrize("change", some(tuple(CHANGES)))
def test_it_ends_as_if_the_map_had_always_been_so(change: str, tmp_path: Path) -> None:
    before, after = CHANGES[change]
    text = MAP.read_text("utf-8")
    assert before in text
    changed = text.replace(before, after)
    old, new = plan_of(tmp_path, text), plan_of(tmp_path, changed)
    part = len(records()[0]) // 2
    pipeline = pipeline_under(old)
    feed(pipeline, records()[0][:part])
    pipeline.restart_under(new)
    feed(pipeline, records()[0][part:])
    expected = always(changed, tmp_path)
    found = said(pipeline)
    assert found == expected
