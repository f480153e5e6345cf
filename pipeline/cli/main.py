"""`throughline`: the commands, and the one place where an error becomes a sentence and an exit code."""

from __future__ import annotations

import sys

import typer
from pydantic import ValidationError
from rich.markup import escape

from pipeline.cli import (
    demo,
    dlq,
    journey,
    prepare,
    replay,
    run_command,
    schemas_command,
    simulate,
    status,
    up,
    validate,
    worker,
)
from pipeline.cli.console import err
from pipeline.errors import ThroughlineError

app = typer.Typer(
    name="throughline",
    help="Every touchpoint of a customer in one live journey: broken promises and stalls, while it still matters.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for module in (up, run_command, replay, simulate, demo, journey, status, validate, prepare, worker):
    module.register(app)
dlq.register(app)
schemas_command.register(app)


def run() -> None:
    """Entry point. Exit codes: 0 done, 1 done and found wanting, 2 an error that the user can mend, 130 interrupted."""
    try:
        app(standalone_mode=True)
    except ThroughlineError as error:
        err.print(f"[bold red]error:[/bold red] {escape(str(error))}")
        sys.exit(error.exit_code)
    except ValidationError as error:
        err.print(f"[bold red]error:[/bold red] {escape(_settings_problem(error))}")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def _settings_problem(error: ValidationError) -> str:
    lines = [
        f"setting {'.'.join(map(str, each['loc'])) or '(all)'}: {each['msg']}; set it as "
        f"THROUGHLINE_{'_'.join(map(str, each['loc'])).upper()} or in throughline.toml"
        for each in error.errors()
    ]
    return "\n".join(lines)
