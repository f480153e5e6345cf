"""`throughline journey ID`: one customer's journey on a time line."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.text import Text

from pipeline.cli.console import out
from pipeline.cli.figures_text import in_unit, promised_in_words
from pipeline.cli.which import Name, map_of, require_in_warehouse, settings_of
from pipeline.errors import ThroughlineError
from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.queries import (
    JourneyRow,
    PromiseRow,
    StallRow,
    TimeLine,
    TouchpointRow,
    ValueRow,
    journey_of,
)

_SAID = {"made": "open", "revised": "open, promised anew", "at_risk": "open, at risk"}
_PROMISE = {
    "kept": "green",
    "exceeded": "green",
    "broken": "bold red",
    "at_risk": "yellow",
    "made": "cyan",
    "revised": "cyan",
    "cancelled": "dim",
    "lapsed": "dim",
}


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
    require_in_warehouse(settings)
    with closing(Warehouse.of(settings)) as warehouse:
        forms = _forms(identifier, map_of(settings))
        lines = next((found for form in forms if (found := journey_of(warehouse, form))), [])
    if not lines:
        raise UnknownCustomerError(
            f"no touchpoint in {settings.database} carries the identifier {identifier!r}; "
            "give its value alone, as in the source system"
        )
    for line in lines:
        show_time_line(line)


def _forms(identifier: str, journey_map: Path | None) -> Iterator[str]:
    """The value as it was given; then, as far as it differs, as each kind of the map writes it."""
    # only a value that nobody has needs them
    from pipeline.maps import load_map  # noqa: PLC0415
    from schemas.identifiers import DEFAULT_IDENTIFIERS  # noqa: PLC0415

    yield identifier
    seen = {identifier}
    kinds = load_map(journey_map).identifiers if journey_map else DEFAULT_IDENTIFIERS
    for kind in kinds.values():
        with suppress(ValueError):
            form = kind.normaliser()(identifier)
            if form not in seen:
                seen.add(form)
                yield form


class Line(NamedTuple):
    """One entry of a time line: when, what, whose it is, and what follows from it."""

    time: datetime
    what: str
    by: str
    style: str = ""
    notes: tuple[str, ...] = ()


def show_time_line(line: TimeLine) -> None:
    """Print everything of one person in order of time, within 80 columns unless names are long."""
    touchpoints, journeys = _counted(line.touchpoints, "touchpoint"), _counted(line.journeys, "journey")
    out.print(f"[bold]person {line.person_id}[/bold]  {touchpoints}, {journeys}")
    for each in line.journeys:
        _plain(f"  {each.journey_type} {each.journey_key}: {each.status}{_within(each)}")
    for entry in sorted(_entries(line), key=lambda entry: entry.time):
        out.print(
            Text.assemble(
                (_short(entry.time), "dim"), "  ", (f"{entry.what:<44}", entry.style), " ", entry.by
            ),
            soft_wrap=True,
        )
        for note in entry.notes:
            _plain(f"{'':23}{note}")


def _plain(text: str) -> None:
    out.print(Text(text), soft_wrap=True)


def _counted(things: Sized, name: str) -> str:
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"


def _within(journey: JourneyRow) -> str:
    since = zip(journey.stages, journey.stages_since, strict=True)
    return "".join(f", in {stage} since {_short(entered)}" for stage, entered in since)


def _entries(line: TimeLine) -> list[Line]:
    return [
        *map(_touchpoint, line.touchpoints),
        *map(_promise, line.promises),
        *map(_value, line.values),
        *map(_stall, line.stalls),
    ]


def _touchpoint(each: TouchpointRow) -> Line:
    notes = [f"→ {stage}" for stage in each.stages_entered] + [f"← {stage}" for stage in each.stages_left]
    if not each.mapped:
        notes.append("unmapped")
    if each.outcome == "failure":
        notes.append("failure")
    return Line(each.time, each.type, each.owner or each.source, notes=("  ".join(notes),) if notes else ())


def _promise(each: PromiseRow) -> Line:
    gap = (
        ""
        if each.gap_hours is None
        else f", {abs(each.gap_hours):,.1f} h {'late' if each.gap_hours > 0 else 'early'}"
    )
    return Line(each.due_at, _became(each, gap), each.owed_by, _PROMISE.get(each.status, ""), (_made(each),))


def _value(each: ValueRow) -> Line:
    """When it was settled, or observed last; before that when it will be settled, if that is known."""
    time = each.cancelled_at or each.closed_at or each.observed_at or each.closes_at or each.made_at
    gap = ""
    if each.gap is not None:
        gap = (
            f", {abs(each.gap):.1%} {'worse' if each.gap > 0 else 'better'}" if each.gap else ", as promised"
        )
    observed = "nothing observed"
    if each.observed is not None:
        sums = f"{each.measured} of {each.observations}"
        observed = f"observed {in_unit(each.observed, each.unit)} ({sums})"
    notes = (_made(each), f"{promised_in_words(each)}, {observed}")
    return Line(time, _became(each, gap), each.owed_by, _PROMISE.get(each.status, ""), notes)


def _became(each: PromiseRow | ValueRow, gap: str) -> str:
    return f"promise {each.rule}: {_SAID.get(each.status, each.status)}{gap}"


def _made(each: PromiseRow | ValueRow) -> str:
    return f"made {_short(each.made_at)} by {each.made_by} {_id(each.finding_id)}"


def _stall(each: StallRow) -> Line:
    until = f"left {_short(each.left_at)}" if each.left_at else "still there"
    notes = [f"entered {_short(each.entered_at)}, {until} {_id(each.finding_id)}"]
    if each.abandoned_at:
        notes.append(f"given up {_short(each.abandoned_at)}")
    return Line(each.since, f"stuck in {each.stage}", each.owner, "bold red", tuple(notes))


def _id(finding: str) -> str:
    """As much of it as `explain` will know it by."""
    return f"({finding[:8]})"


def _short(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def register(app: typer.Typer) -> None:
    app.command()(journey)
