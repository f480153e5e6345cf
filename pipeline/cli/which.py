"""Which pipeline a command is about: the live one, or the replay that `--name` names."""

from __future__ import annotations

import re
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


def settings_of(name: str) -> Settings:
    """The settings of the pipeline that is meant; THROUGHLINE_NAMESPACE counts where no name is given."""
    return read_settings(namespace=name) if name else read_settings()
