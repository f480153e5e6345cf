"""Which pipeline a command is about: the live one, or the replay that `--name` names; and which time."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pipeline.settings import NAME_PATTERN, Settings, read_settings


def check_name(name: str) -> str:
    """The name, if it can be one of a pipeline."""
    if name and not re.fullmatch(NAME_PATTERN, name):
        raise typer.BadParameter(
            f"{name!r} can't name a pipeline; take at most 41 lower-case letters, digits and -, first a letter"
        )
    return name


Name = Annotated[
    str, typer.Option("--name", help="Of a replay; the live pipeline if absent.", callback=check_name)
]


def parse_instant(text: str) -> datetime:
    """An RFC 3339 instant; without an offset it is UTC."""
    try:
        parsed = datetime.fromisoformat(text)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"write an instant such as 2018-10-22T03:33:14Z, not {text!r}") from None


At = Annotated[
    datetime | None,
    typer.Option(
        help="When the identifiers are what is meant, of kinds with a life time; now if absent.",
        parser=parse_instant,
        metavar="INSTANT",
    ),
]


def settings_of(name: str) -> Settings:
    """The settings of the pipeline that is meant; THROUGHLINE_NAMESPACE counts where no name is given."""
    return read_settings(namespace=name) if name else read_settings()


def map_of(settings: Settings, name: str) -> Path | None:
    """The journey map of the pipeline that is meant, as far as it is known here: a replay keeps its own."""
    own = settings.home / "replays" / name / "map.yaml"
    return own if name and own.exists() else settings.journey_map
