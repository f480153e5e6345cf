"""`throughline`: the commands, and the one place where an error becomes a sentence and an exit code."""

from __future__ import annotations

import logging
import os
import signal
import sys
from types import FrameType

from typer.core import TyperGroup

from pipeline.cli.console import complain
from pipeline.cli.deferred import DeferredCommand
from pipeline.engine.errors import EngineError
from pipeline.errors import ThroughlineError

_COMMANDS = (
    ("up", "up", "Start Kafka, the warehouse, topics, tables and workers; Ctrl-C drains and ends them all."),
    (
        "run",
        "run_command",
        "Run tables through the pipeline in memory and print what became of promises and stages.",
    ),
    (
        "replay",
        "replay",
        "Send tables through Kafka, wait until ClickHouse holds everything, print the summary read from there.",
    ),
    (
        "simulate",
        "simulate",
        "Simulate customers of an electronics retailer; what was injected is written to truth.jsonl.",
    ),
    (
        "demo",
        "demo",
        "Simulate a company, stream it live through the pipeline, and compare what was found with what was injected.",
    ),
    ("journey", "journey", "Show one customer's touchpoints, promises and stalls on a time line."),
    ("explain", "explain", "Say why a finding says what it says: rule, touchpoints, clock, arithmetic."),
    (
        "status",
        "status",
        "Show how far each stage is: records read a second, records still to be read, and the watermark.",
    ),
    (
        "validate",
        "validate",
        "Check a journey map; every problem is named with its line, its field and the remedy.",
    ),
    (
        "shadow",
        "shadow",
        "List which customers, promises and stalls a changed map would change, without touching the live pipeline.",
    ),
    ("prepare", "prepare", "Create or verify the topics and apply the warehouse's migrations."),
    ("migrate", "prepare", "Bring the warehouse's tables to the newest version."),
    (
        "worker",
        "worker",
        "Run one worker. `up` starts these; on a cluster, start as many as you like, at most one per partition.",
    ),
    ("dlq", "dlq", "Dead letters: what was refused, why, and sending it again."),
    ("identity", "identity", "Who is one person with whom, and why; and saying so by name."),
    ("schemas", "schemas_command", "The public contracts."),
)
"""Name, module, help: what the list of all commands shows without loading any of them. A test holds it to them."""

app = TyperGroup(
    name="throughline",
    help="Every touchpoint of a customer in one live journey: broken promises and stalls, while it still matters.",
    no_args_is_help=True,
    commands=[DeferredCommand(name, f"pipeline.cli.{module}", told) for name, module, told in _COMMANDS],
)


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
