"""The examples give the figures of their data's description: by Throughline, by plain SQL, as literals."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import oracle
import pytest
from example_data import Example
from example_figures import LOANS, OLIST, figures

from pipeline.core.instants import micros
from pipeline.core.plan import compile_plan
from pipeline.core.run import RunConfig, run
from pipeline.core.summary import Summary
from pipeline.imports.importer import ImportedEvent, Importer
from pipeline.imports.mapping import load_mapping
from pipeline.maps import load_map

pytestmark = pytest.mark.data

LATENESS = 600_000_000
CONFIG = RunConfig("examples", micros(datetime(2026, 1, 1, tzinfo=UTC)), partitions=2, lateness=LATENESS)


def summary_of(example: Example, events: Iterable[ImportedEvent], as_of: int) -> Summary:
    summary = run(compile_plan(load_map(example.folder / "map.yaml")), events, CONFIG, as_of).summary
    assert (summary.unmapped, summary.dead_letters, summary.duplicates) == (0, 0, 0)
    return summary


def disordered(events: Iterable[ImportedEvent], seed: int) -> list[ImportedEvent]:
    """The events as they might arrive: each later than it happened, by less than the lateness."""
    delay = random.Random(seed)
    return sorted(events, key=lambda event: event.time + delay.randrange(LATENESS))


def newest(example: Example) -> int:
    assert example.report.newest is not None
    return example.report.newest


def test_the_tables_of_olist_hold_the_figures_of_its_description(data_folder: Path) -> None:
    assert oracle.olist(data_folder) == OLIST


def test_the_log_of_the_loans_holds_the_figures_of_its_description(data_folder: Path) -> None:
    assert oracle.loans(data_folder) == LOANS


def test_a_run_over_olist_gives_the_figures(olist: Example) -> None:
    assert figures(summary_of(olist, olist.events, newest(olist))) == OLIST


@pytest.mark.slow
def test_a_run_over_the_loans_gives_the_figures(loans: Example) -> None:
    assert figures(summary_of(loans, loans.events, newest(loans))) == LOANS


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_olist_in_any_order_of_arrival_within_lateness_gives_the_figures(olist: Example, seed: int) -> None:
    arriving = disordered(olist.events, seed)
    assert arriving != olist.events
    assert figures(summary_of(olist, arriving, newest(olist))) == OLIST


def test_some_loans_in_any_order_of_arrival_give_what_they_give_in_order(loans: Example) -> None:
    some = [event for event in loans.events if event.key.endswith(b"77")]
    arriving = disordered(some, 3)
    assert arriving != some
    in_order = summary_of(loans, some, newest(loans))
    assert in_order.touchpoints == len(some) > 2000
    assert in_order.stalls["offer_out"].opened > 0
    assert summary_of(loans, arriving, newest(loans)) == in_order


def test_an_earlier_as_of_leaves_out_and_counts_what_came_later(olist: Example) -> None:
    as_of = datetime(2018, 1, 1, tzinfo=UTC)
    importer = Importer(load_mapping(olist.folder / "mapping.yaml"), olist.data)
    events = list(importer.events(as_of))
    assert events == [event for event in olist.events if event.time <= micros(as_of)]
    assert importer.report.after_as_of == len(olist.events) - len(events) > 0
    promised = summary_of(olist, events, micros(as_of)).promises["delivery"]
    assert promised.open > OLIST.promises["delivery"][3]
