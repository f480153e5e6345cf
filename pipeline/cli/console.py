"""What every command prints with: results on standard output, progress and errors on standard error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


@contextmanager
def progress(*, quiet: bool = False) -> Iterator[Progress]:
    """A progress display on standard error that disappears when done; silent when `quiet` or not a terminal."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=quiet or not err.is_terminal) as shown:
        yield shown


def say(text: str) -> None:
    """One line of what is going on, for a person who waits."""
    err.print(text, style="dim", markup=False, soft_wrap=True)


def warn(text: str) -> None:
    """What may be wrong, although the command goes on."""
    err.print("[yellow]warning:[/yellow]", escape(text), soft_wrap=True)


def complain(text: str) -> None:
    """What is wrong, and what to do about it."""
    err.print("[bold red]error:[/bold red]", escape(text), soft_wrap=True)
