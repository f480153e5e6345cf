"""`throughline simulate`: a company's customers, with what is wrong among them written down."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from pipeline.cli.console import out, progress
from pipeline.cli.counts import Counted, show_counts
from pipeline.cli.inputs import parse_instant
from pipeline.engine.topics import require_topics
from pipeline.operations.sources import SourceWriter
from pipeline.operations.streaming import stream
from pipeline.settings import read_settings
from pipeline.simulate.compare import injected
from pipeline.simulate.faults import SimulatedRecord
from pipeline.simulate.simulation import DEFAULT_START, Simulation
from pipeline.simulate.tangles import NO_TANGLES, Tangles
from pipeline.simulate.truth import read_truth, write_truth

Customers = Annotated[int, typer.Option(help="How many customers.", min=1)]
Days = Annotated[float, typer.Option(help="How many days of their lives.", min=0.01)]
Seed = Annotated[int, typer.Option(help="The same seed gives the same bytes.", min=0)]


def simulate(
    to: Annotated[Path, typer.Option(help="Folder for truth.jsonl, and records.jsonl unless --send.")],
    customers: Customers = 2000,
    days: Days = 14,
    seed: Seed = 7,
    start: Annotated[
        str | None,
        typer.Option(
            help=f"First instant, RFC 3339. Default: {DEFAULT_START:%Y-%m-%d}, or with --send so that it ends now."
        ),
    ] = None,
    tangles: Annotated[
        bool,
        typer.Option(
            help="Among them are some who are hard to tell apart: known only later, on a shared device or address, "
            "linked by mistake."
        ),
    ] = True,
    send: Annotated[
        bool, typer.Option("--send", help="Send to the running pipeline, not to a file.")
    ] = False,
    speed: Annotated[
        float | None,
        typer.Option(help="With --send: so many times as fast as it happens; full speed if absent."),
    ] = None,
) -> None:
    """Simulate customers of an electronics retailer; what was injected is written to truth.jsonl."""
    default = datetime.now(UTC) - timedelta(days=days) if send else DEFAULT_START
    among = Tangles() if tangles else NO_TANGLES
    simulation = Simulation(seed, customers, days, parse_instant(start) or default, tangles=among)
    if send:
        settings = read_settings()
        require_topics(settings.kafka_admin, settings.topology.specs())
        _tell_truth(simulation, to)
        with progress() as shown, SourceWriter(settings.kafka_client, settings.topology) as writer:
            task = shown.add_task("sending touchpoints", total=None)
            count = stream(
                simulation.records(), writer, speed, lambda sent: shown.update(task, completed=sent)
            )
        out.print(f"{count} records sent to {settings.kafka}", soft_wrap=True)
    else:
        _tell_truth(simulation, to)
        count = _write(to / "records.jsonl", simulation.records())
        out.print(
            f"{count} records in {to / 'records.jsonl'}: topic, key and headers as text, value in base64",
            soft_wrap=True,
        )


def _tell_truth(simulation: Simulation, to: Path) -> None:
    to.mkdir(parents=True, exist_ok=True)
    truth = to / "truth.jsonl"
    write_truth(truth, simulation.truth())
    lines = (Counted(category, label, (count,)) for category, label, count in injected(read_truth(truth)))
    show_counts("what is to be found", ("injected",), lines)
    out.print(f"the truth is in {truth}; it holds as of {simulation.end.isoformat()}", soft_wrap=True)


def _write(path: Path, records: Iterable[SimulatedRecord]) -> int:
    encode, count = msgspec.json.Encoder().encode, 0
    with path.open("wb") as file:
        for record in records:
            if record.tick is None:
                count += 1
                line = {
                    "topic": f"touchpoints.{record.domain}",
                    "key": (record.key or b"").decode(errors="backslashreplace"),
                    "headers": {
                        name: value.decode(errors="backslashreplace") for name, value in record.headers
                    },
                    "value": b64encode(record.value).decode(),
                }
                file.write(encode(line) + b"\n")
    return count


def register(app: typer.Typer) -> None:
    app.command()(simulate)
