"""`throughline`: the commands, and the one place where an error becomes a sentence and an exit code."""

from __future__ import annotations

import logging
import os
import signal
import sys
from types import FrameType

import typer

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
from pipeline.cli.console import complain
from pipeline.engine.errors import EngineError
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
    """Entry point. Exit codes: 0 done, 1 done and found wanting, 2 an error that the user can mend, 130 interrupted;
    a worker has codes of its own (`pipeline.engine.errors`).
    """
    signal.signal(signal.SIGTERM, _interrupt)
    logging.getLogger().addHandler(
        logging.NullHandler()
    )  # what libraries log is in the errors; a worker logs properly
    try:
        app(prog_name="throughline", standalone_mode=True)
    except EngineError as error:
        complain(str(error))
        sys.exit(2)
    except ThroughlineError as error:
        complain(str(error))
        sys.exit(error.exit_code)
    except BrokenPipeError:  # whoever read our output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        complain(f"{error.filename or 'the system'}: {error.strerror or error}")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM ends a command as Ctrl-C does: in order. `up` and a worker, which drain, have handlers of their own."""
    raise KeyboardInterrupt
