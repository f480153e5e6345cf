"""`throughline dlq list|show|replay`: what was refused, why, and sending it again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from pipeline.cli.console import out, say
from pipeline.cli.which import Name, require_in_kafka, settings_of
from pipeline.operations.dead_letters import StoredLetter, find_letter, read_letters, send_again
from schemas.dead_letter import ErrorCode

Code = Annotated[ErrorCode | None, typer.Option(help="Only letters of this error code.")]


def list_letters(
    code: Code = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1)] = 50,
    name: Name = "",
) -> None:
    """List dead letters, oldest first."""
    settings = settings_of(name)
    require_in_kafka(settings)
    columns = (Column(title, no_wrap=title != "message") for title in ("letter", "code", "path", "message"))
    table = Table(*columns, box=None)
    shown = total = 0
    for stored in read_letters(settings.kafka_client, settings.topology):
        if code is not None and stored.letter.code != code:
            continue
        total += 1
        if shown < limit:
            shown += 1
            table.add_row(*map(escape, _row(stored)))
    if shown:
        out.print(table)
    out.print(f"{total} dead letters" + (f", the first {shown} shown" if shown < total else ""))


def show_letter(
    letter: Annotated[int, typer.Argument(help="The letter's number, as listed.")], name: Name = ""
) -> None:
    """Show one dead letter: why it was refused, where it came from, and its bytes."""
    settings = settings_of(name)
    require_in_kafka(settings)
    stored = find_letter(settings.kafka_client, settings.topology, letter)
    told = stored.letter
    out.print(
        f"{told.code} at {told.path or 'the whole record'}: {told.message}", markup=False, soft_wrap=True
    )
    out.print(f"from {_origin(stored)}, written {told.time.isoformat()}", markup=False, soft_wrap=True)
    out.print(f"key {stored.key!r}, headers {stored.headers!r}", markup=False, soft_wrap=True)
    out.print(f"{len(stored.value)} bytes:", markup=False)
    out.print(stored.value.decode(errors="backslashreplace"), markup=False, soft_wrap=True)


def replay_letters(
    letters: Annotated[list[int] | None, typer.Argument(help="Numbers of the letters to send again.")] = None,
    code: Code = None,
    every: Annotated[bool, typer.Option("--all", help="Every letter there is.")] = False,
    corrected: Annotated[
        Path | None,
        typer.Option(
            help="File with the corrected event as JSON, or of a record in binary mode its data; for one letter.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    name: Name = "",
) -> None:
    """Send dead letters again, to the topics that they came from."""
    settings = settings_of(name)
    wanted = set(letters or [])
    if not (wanted or code or every):
        raise typer.BadParameter("name the letters, or give --code or --all")
    if corrected is not None and (len(wanted) != 1 or code or every):
        raise typer.BadParameter("--corrected takes exactly one letter")
    require_in_kafka(settings)
    chosen = [
        stored
        for stored in read_letters(settings.kafka_client, settings.topology)
        if every or stored.offset in wanted or (code is not None and stored.letter.code == code)
    ]
    missing = wanted - {stored.offset for stored in chosen}
    if missing:
        raise typer.BadParameter(
            f"there is no dead letter {', '.join(map(str, sorted(missing)))}; `throughline dlq list` shows those there are"
        )
    sources = set(settings.topology.sources)
    ours = [each for each in chosen if each.offset in wanted or each.letter.topic in sources]
    content = corrected.read_bytes() if corrected is not None else None
    sent = send_again(settings.kafka_client, settings.topology, ours, content)
    if len(ours) < len(chosen):
        say(f"{len(chosen) - len(ours)} came from within the pipeline and are not sent again")
    out.print(f"{sent} sent again")


def _row(stored: StoredLetter) -> tuple[str, ...]:
    told = stored.letter
    return str(stored.offset), told.code, told.path, f"{told.message}\n{_origin(stored)}"


def _origin(stored: StoredLetter) -> str:
    told = stored.letter
    return f"{told.topic}, partition {told.partition}, offset {told.offset}"


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        help="Dead letters: what was refused, why, and sending it again.", no_args_is_help=True
    )
    group.command("list")(list_letters)
    group.command("show")(show_letter)
    group.command("replay")(replay_letters)
    app.add_typer(group, name="dlq")
