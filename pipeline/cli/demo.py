"""`throughline demo`: the main job from end to end, and an exact account of it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import typer
from rich.table import Column, Table

from pipeline.cli.console import out, progress, say
from pipeline.cli.counts import Counted, show_counts
from pipeline.cli.journey import show_time_line
from pipeline.cli.replay import wait_until_caught_up
from pipeline.cli.simulate import Customers, Days, Seed
from pipeline.cli.which import keep_map, own_map
from pipeline.embedded.tree import Tree
from pipeline.operations.dead_letters import read_letters
from pipeline.operations.found import found_in
from pipeline.operations.pipelines import beside, pipeline_tree, require_new
from pipeline.operations.sources import SourceWriter
from pipeline.operations.streaming import stream
from pipeline.settings import Settings, read_settings
from pipeline.simulate.compare import Row, compare
from pipeline.simulate.simulation import Simulation
from pipeline.simulate.truth import read_truth, write_truth
from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.queries import slowest_stages, stuck_customers, time_line

NAME = "demo"
_MAP = Path(__file__).resolve().parents[2] / "examples" / "company" / "map.yaml"
_LIMIT_SECONDS = 600.0
_WORKERS = 2
_STREAM_SECONDS = 30.0
_STUCK_LOOKED_AT = 20
"""The one with the shortest story is shown."""
_NEXT = {
    "throughline up --map MAP": "a live pipeline; Ctrl-C drains it",
    "throughline journey ID --name demo": "anyone of this demo, while `up` runs",
    "throughline explain FINDING --name demo": "why is it broken, or who is stuck?",
    "throughline dlq list --name demo": "what was refused, and why",
    "throughline status": "lag, throughput, watermarks",
    "docs/importing.md": "your own data, in half an hour",
}


def demo(customers: Customers = 2000, days: Days = 14, seed: Seed = 7) -> None:
    """Simulate a company, stream it live through the pipeline, and compare what was found with what was injected."""
    settings = beside(read_settings(namespace=NAME, clock="replay"), _WORKERS)
    settings = settings.model_copy(update={"journey_map": own_map(settings)})
    simulation = Simulation(seed, customers, days)
    truth = settings.home.resolve() / "demo" / "truth.jsonl"
    truth.parent.mkdir(parents=True, exist_ok=True)
    write_truth(truth, simulation.truth())
    say(f"{customers} customers over {days:g} days; what goes wrong among them is written to {truth}")

    def prepare() -> None:
        require_new(settings, fresh=True)
        keep_map(_MAP, settings)

    tree = pipeline_tree(settings, _WORKERS, say, share=True, before=prepare)
    with tree:
        _stream(settings, simulation, tree)
        with closing(Warehouse.of(settings)) as warehouse:
            letters = read_letters(settings.kafka_client, settings.topology)
            rows = compare(read_truth(truth), found_in(warehouse, letters))
            _show(rows)
            _show_slowest(warehouse, simulation)
    exact = all(row.is_exact for row in rows)
    _say_where_next(exact=exact)
    sys.exit(0 if exact else 1)


def _stream(settings: Settings, simulation: Simulation, tree: Tree) -> None:
    """Send the simulation, paced so that it can be watched, and wait until all of it has been worked off."""
    speed = (simulation.end - simulation.start).total_seconds() / _STREAM_SECONDS
    with progress() as shown:
        task = shown.add_task("touchpoints sent", total=None)

        def sent(count: int) -> None:
            tree.check()
            shown.update(task, completed=count)

        with SourceWriter(settings.kafka_client, settings.topology) as writer:
            stream(simulation.records(), writer, speed, sent)
        wait_until_caught_up(settings, tree, shown, _LIMIT_SECONDS)


def _show(rows: Iterable[Row]) -> None:
    lines = [Counted(row.category, row.label, row[2:], not row.is_exact) for row in rows]
    show_counts("injected and found", ("injected", "found", "missed", "extra"), lines)


def _show_slowest(warehouse: Warehouse, simulation: Simulation) -> None:
    hours = [
        Column(name, justify="right") for name in ("customers", "open", "hours lost", "median to resolve")
    ]
    table = Table("stage", "owner", *hours, box=None, title="where customers get stuck", title_justify="left")
    for stage in slowest_stages(warehouse, simulation.end):
        median = f"{stage.median_hours:,.1f} h" if stage.median_hours is not None else "-"
        cells = (f"{stage.customers:,}", f"{stage.open:,}", f"{stage.stuck_hours:,.0f}", median)
        table.add_row(stage.stage, stage.owner, *cells)
    out.print(table)
    lines = [time_line(warehouse, stuck.person_id) for stuck in stuck_customers(warehouse, _STUCK_LOOKED_AT)]
    if lines:
        out.print("\n[bold]one customer who is stuck[/bold]")
        show_time_line(min(lines, key=lambda line: len(line.touchpoints)))


def _say_where_next(*, exact: bool) -> None:
    verdict = "[green]everything was found, nothing else was[/green]" if exact else "[red]not exact[/red]"
    out.print(f"\n{verdict}. Where to look next:")
    for command, what in _NEXT.items():
        out.print(f"  {command:<42}{what}")


def register(app: typer.Typer) -> None:
    app.command()(demo)
