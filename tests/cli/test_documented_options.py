"""The pages name only options that the commands have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.deferred import DeferredCommand
from pipeline.cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def options(commands: Mapping[str, Any]) -> Iterator[str]:
    for command in commands.values():
        loaded = command.load() if isinstance(command, DeferredCommand) else command
        for parameter in loaded.params:
            yield from (*parameter.opts, *parameter.secondary_opts)
        yield from options(getattr(loaded, "commands", {}))


def named(text: str) -> set[str]:
    """Options that stand alone in a code span, or behind `throughline` in one line."""
    alone = re.findall(r"`(--[a-z][a-z-]*)", text)
    behind = [
        option
        for line in re.findall(r"throughline (.*)", text)
        for option in re.findall(r" (--[a-z-]+)", line)
    ]
    return {*alone, *behind}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_an_option_that_a_page_names_exists(page: Path) -> None:
    assert named(page.read_text("utf-8")) <= {*options(app.commands), "--help"}
