"""`throughline worker`: one worker process, against running services."""

from __future__ import annotations

from typing import Annotated

import structlog
import typer

from agents import reporting
from agents.app import work
from pipeline.engine.worker import end_process
from pipeline.errors import ThroughlineError
from pipeline.settings import read_settings


def worker(
    index: Annotated[
        int, typer.Option(help="Number of this worker on this machine; its metrics port follows.", min=0)
    ] = 0,
) -> None:
    """Run one worker. `up` starts these; on a cluster, start as many as you like, at most one per partition."""
    reporting.configure()  # until the settings say otherwise, and should they be wrong
    try:
        settings = read_settings()
        reporting.configure(settings.log_format)
        code = work(settings, index)
    except ThroughlineError as error:
        structlog.get_logger("worker").critical(str(error))
        code = error.exit_code  # who started this worker learns from it whether starting it again makes sense
    end_process(code)


def register(app: typer.Typer) -> None:
    app.command()(worker)
