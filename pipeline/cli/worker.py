"""`throughline worker`: one worker process, against running services."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from agents.app import work
from pipeline.settings import Settings


def worker(
    index: Annotated[
        int, typer.Option(help="Number of this worker on this machine; its metrics port follows.", min=0)
    ] = 0,
) -> None:
    """Run one worker. `up` starts these; on a cluster, start as many as you like, at most one per partition."""
    sys.exit(work(Settings(), index))


def register(app: typer.Typer) -> None:
    app.command()(worker)
