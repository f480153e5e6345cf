"""`throughline journey ID`: one customer's journey on a time line."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from pipeline.cli.console import out
from pipeline.cli.which import Name, settings_of
from pipeline.errors import ThroughlineError
from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.queries import PromiseRow, StallRow, TimeLine, TouchpointRow, journey_of

_PROMISE = {"kept": "green", "broken": "bold red", "at_risk": "yellow", "made": "cyan", "cancelled": "dim"}


class NoPipelineError(ThroughlineError):
    """The pipeline that was asked about does not exist."""


class UnknownCustomerError(ThroughlineError):
    """Nobody has this identifier."""


def journey(
    identifier: Annotated[
        str, typer.Argument(help="Any identifier of the customer: number, order, parcel, ticket, …")
    ],
    name: Name = "",
) -> None:
    """Show one customer's touchpoints, promises and stalls on a time line."""
    settings = settings_of(name)
    with closing(Warehouse.of(settings)) as warehouse:
        if not warehouse.has_database():
            raise NoPipelineError(
                f"ClickHouse at {settings.clickhouse} has no database {settings.database}: "
                f"there is no {f'replay named {name!r}' if name else 'live pipeline'} yet"
            )
        lines = journey_of(warehouse, identifier)
    if not lines:
        raise UnknownCustomerError(
            f"no touchpoint in {settings.database} carries the identifier {identifier!r}; "
            "give its value alone, as in the source system"
        )
    for line in lines:
        show_time_line(line)


def show_time_line(line: TimeLine) -> None:
    """Print everything of one person in order of time: what happened, and beside it what follows from it."""
    out.print(
        f"[bold]person {line.person_id}[/bold]  {len(line.touchpoints)} touchpoints, {len(line.journeys)} journeys"
    )
    for each in line.journeys:
        within = ", ".join(
            f"in {stage} since {_short(since)}"
            for stage, since in zip(each.stages, each.stages_since, strict=True)
        )
        out.print(
            f"  {each.journey_type} {escape(each.journey_key)}: {each.status}{', ' + within if within else ''}"
        )
    table = Table("time (UTC)", "what", "by", "", box=None, pad_edge=False)
    for moment, *cells in sorted(_rows(line), key=lambda row: row[0]):
        table.add_row(_short(moment), *cells)
    out.print(table)


def _rows(line: TimeLine) -> list[tuple[datetime, str, str, str]]:
    rows = [_touchpoint(each) for each in line.touchpoints]
    rows += [row for each in line.promises for row in _promise(each)]
    rows += [row for each in line.stalls for row in _stall(each)]
    return rows


def _touchpoint(each: TouchpointRow) -> tuple[datetime, str, str, str]:
    moves = [f"→ {stage}" for stage in each.stages_entered] + [f"← {stage}" for stage in each.stages_left]
    notes = [
        *moves,
        *([] if each.mapped else ["unmapped"]),
        *([each.outcome] if each.outcome == "failure" else []),
    ]
    return each.time, escape(each.type), escape(each.owner or each.source), escape("  ".join(notes))


def _promise(each: PromiseRow) -> list[tuple[datetime, str, str, str]]:
    colour = _PROMISE.get(each.status, "white")
    late = f", {each.gap_hours:+.1f} h" if each.gap_hours is not None else ""
    what = f"[{colour}]promise {escape(each.rule)}: {each.status}{late}[/{colour}]"
    return [
        (
            each.due_at,
            what,
            escape(each.owed_by),
            f"due; made {_short(each.made_at)} by {escape(each.made_by)}",
        )
    ]


def _stall(each: StallRow) -> list[tuple[datetime, str, str, str]]:
    what = f"[bold red]stuck in {escape(each.stage)}[/bold red]"
    until = f"until {_short(each.left_at)}" if each.left_at else "still"
    return [(each.since, what, escape(each.owner), f"entered {_short(each.entered_at)}, {until}")]


def _short(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def register(app: typer.Typer) -> None:
    app.command()(journey)
