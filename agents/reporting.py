"""Structured logs of a worker: one line an event, on standard error, ours and the libraries' alike."""

from __future__ import annotations

import logging
import sys

import structlog

_QUIET = {
    # they tell of every rebalance and heartbeat; what matters of it the engine tells
    "aiokafka": logging.WARNING,
    "faust": logging.WARNING,
    "mode": logging.WARNING,
    # each of its failures ends in an error of the engine
    "kafka": logging.CRITICAL,
}


def configure() -> None:
    """Send everything through structlog. No touchpoint, no identifier and no customer's value is ever logged."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event", "logger"]),
            ],
        )
    )
    handler.addFilter(_matters)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(level)


def _matters(record: logging.LogRecord) -> bool:
    """Not Faust's `[^--Service]: Starting...`, which it logs in the name of whoever inherits from its services."""
    return record.levelno > logging.INFO or not str(record.msg).startswith("[^")
