"""`throughline identity`: who is one person with whom and why, and saying so by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.markup import escape

from pipeline.cli import squash
from pipeline.cli.console import out
from pipeline.cli.identity_text import show_claims, show_explanation, show_person
from pipeline.cli.which import At, Name, map_of, require_in_kafka, require_in_warehouse, settings_of
from pipeline.core.instants import micros
from pipeline.core.messages import Micros
from pipeline.core.tokens import Tokens
from pipeline.engine.topics import require_topics
from pipeline.errors import ThroughlineError
from pipeline.maps import load_map
from pipeline.operations.identity_view import IdentityView
from pipeline.operations.identity_words import (
    Identifier,
    Identify,
    WordError,
    check_word,
    import_link,
    parse_identifier,
    say_whether_one,
)
from pipeline.operations.link_table import check_links, read_links
from pipeline.operations.sources import SourceWriter
from pipeline.settings import Settings
from pipeline.warehouse.client import Warehouse
from schemas.identifiers import IdentifierKind


def _identifier(text: str) -> Identifier:
    try:
        return parse_identifier(text)
    except WordError as error:
        raise typer.BadParameter(str(error)) from error


class NoMapError(ThroughlineError):
    """A question that needs the journey map, which nobody has named."""


One = Annotated[
    Identifier, typer.Argument(help="KIND=VALUE, such as email=ann@example.com.", parser=_identifier)
]
Whom = Annotated[
    str, typer.Argument(help="KIND=VALUE, such as email=ann@example.com or order_id=77; or a person's id.")
]
Map = Annotated[
    Path | None,
    typer.Option(
        "--map",
        help="The journey map; the pipeline's own copy, else THROUGHLINE_JOURNEY_MAP, if absent.",
    ),
]
Reason = Annotated[str, typer.Option(help="Why, for whoever asks later.")]


def link(
    one: One, other: One, reason: Reason, name: Name = "", journey_map: Map = None, at: At = None
) -> None:
    """Say that two personal identifiers are one person, also against an earlier unlinking."""
    _say(one, other, reason, name, journey_map, at, are_one=True)


def unlink(
    one: One, other: One, reason: Reason, name: Name = "", journey_map: Map = None, at: At = None
) -> None:
    """Say that two personal identifiers are not one person, whatever links them; each gets back what is its own."""
    _say(one, other, reason, name, journey_map, at, are_one=False)


def show(whom: Whom, name: Name = "", journey_map: Map = None, at: At = None) -> None:
    """Show a person: when and why each of its identifiers was linked, and which links were refused."""
    person = _uuid(whom)
    with _view(name, journey_map, at) as view:
        if person is not None:
            return show_person(view.known_person(person), "")
        whose = view.whose(_identifier(whom))
        show_claims(whose)
        return show_person(view.person(whose.person), whose.token)


def explain(one: One, other: One, name: Name = "", journey_map: Map = None, at: At = None) -> None:
    """Say why two identifiers are, or are not, the same person."""
    with _view(name, journey_map, at) as view:
        show_explanation(view.explain(one, other))


def import_links(
    table: Annotated[
        Path, typer.Argument(help="CSV with the columns one, other (KIND=VALUE), perhaps time.")
    ],
    name: Name = "",
    journey_map: Map = None,
) -> None:
    """Link the identifiers of a table: who another system knows to be one person. Unlinking by name stands against it."""
    settings = settings_of(name)
    require_in_kafka(settings)
    kinds = _kinds(settings, journey_map)
    count = check_links(table, kinds, _identify(settings, kinds))
    require_topics(settings.kafka_admin, settings.topology.specs())
    secret = settings.identity_key.get_secret_value()
    with SourceWriter(settings.kafka_client, settings.topology) as writer:
        for link in read_links(table):
            import_link(writer, link.one, link.other, link.time, secret=secret)
    out.print(f"sent {count:,} links; `throughline identity show KIND=VALUE` says what became of one")


@contextmanager
def _view(name: str, journey_map: Path | None, at: datetime | None) -> Iterator[IdentityView]:
    settings = settings_of(name)
    require_in_warehouse(settings)
    kinds = _kinds(settings, journey_map)
    with closing(Warehouse.of(settings)) as warehouse:
        yield IdentityView(warehouse, kinds, _identify(settings, kinds), _instant(at))


def _identify(settings: Settings, kinds: Mapping[str, IdentifierKind]) -> Identify:
    return Tokens(settings.identity_key.get_secret_value(), kinds).identify


def _instant(at: datetime | None) -> Micros:
    return micros(at or datetime.now(UTC))


def _kinds(settings: Settings, journey_map: Path | None) -> dict[str, IdentifierKind]:
    path = journey_map or map_of(settings)
    if path is None:
        raise NoMapError(
            "the journey map says how identifiers are read, and the pipeline keeps none here: name its map by --map or "
            "THROUGHLINE_JOURNEY_MAP"
        )
    return load_map(path).identifiers


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _say(
    one: Identifier,
    other: Identifier,
    reason: str,
    name: str,
    journey_map: Path | None,
    at: datetime | None,
    *,
    are_one: bool,
) -> None:
    settings = settings_of(name)
    require_in_kafka(settings)
    is_checked = journey_map is not None or map_of(settings) is not None
    if is_checked:
        kinds = _kinds(settings, journey_map)
        check_word(one, other, kinds, _identify(settings, kinds), _instant(at))
    require_topics(settings.kafka_admin, settings.topology.specs())
    with SourceWriter(settings.kafka_client, settings.topology) as writer:
        said = say_whether_one(writer, one, other, reason, are_one=are_one, at=at)
    verb = "linked" if are_one else "unlinked"
    word = f"{one} and {other} are {verb}; touchpoint {said}"
    out.print(escape(f"said: {word}" if is_checked else f"sent the word that {word}"), soft_wrap=True)
    if not is_checked:
        out.print(
            "no journey map is known here (--map), so the pipeline decides whether these are identifiers; "
            "`throughline dlq list` has the word if they are not",
            soft_wrap=True,
        )


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        help="Who is one person with whom, and why; and saying so by name.", no_args_is_help=True
    )
    group.command("show")(show)
    group.command("explain")(explain)
    group.command("link")(link)
    group.command("import")(import_links)
    group.command("unlink")(unlink)
    squash.register(group)
    app.add_typer(group, name="identity")
