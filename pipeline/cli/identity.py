"""`throughline identity link|unlink`: say by name whether two identifiers are one person."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from pipeline.cli.console import out
from pipeline.cli.which import Name, settings_of
from pipeline.engine.topics import require_topics
from pipeline.operations.identity_words import Identifier, WordError, parse_identifier, say_whether_one
from pipeline.operations.sources import SourceWriter


def _identifier(text: str) -> Identifier:
    try:
        return parse_identifier(text)
    except WordError as error:
        raise typer.BadParameter(str(error)) from error


One = Annotated[
    Identifier, typer.Argument(help="KIND=VALUE, such as email=ann@example.com.", parser=_identifier)
]
Reason = Annotated[str, typer.Option(help="Why, for whoever asks later.")]


def link(one: One, other: One, reason: Reason, name: Name = "") -> None:
    """Say that two personal identifiers are one person, also against an earlier unlinking."""
    _say(one, other, reason, name, are_one=True)


def unlink(one: One, other: One, reason: Reason, name: Name = "") -> None:
    """Say that two personal identifiers are not one person, whatever links them; each gets back what is its own."""
    _say(one, other, reason, name, are_one=False)


def _say(one: Identifier, other: Identifier, reason: str, name: str, *, are_one: bool) -> None:
    settings = settings_of(name)
    require_topics(settings.kafka_admin, settings.topology.specs())
    with SourceWriter(settings.kafka_client, settings.topology) as writer:
        said = say_whether_one(writer, one, other, reason, are_one=are_one)
    verb = "linked" if are_one else "unlinked"
    out.print(escape(f"said: {one} and {other} are {verb}; touchpoint {said}"), soft_wrap=True)


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Who is one person with whom, said by name.", no_args_is_help=True)
    group.command("link")(link)
    group.command("unlink")(unlink)
    app.add_typer(group, name="identity")
