"""Structured logs of a worker: one line an event, on standard error, ours and the libraries' alike.

In: what structlog and `logging` are told, by us, Faust, aiokafka and librdkafka. Out: a JSON object a line, or on a
terminal coloured text, with `event`, `level`, `time`, `logger`, and `stage`, `topic`, `partition` where it is about
one. What always holds: no value of a record, which may be a customer's, is in it; see `pipeline.engine.telling`.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from pipeline.engine.telling import frames, told

LogFormat = Literal["auto", "json", "text"]

_QUIET = {
    # they tell of every rebalance and heartbeat; what matters of it the engine tells
    "aiokafka": logging.WARNING,
    "faust": logging.WARNING,
    "mode": logging.WARNING,
    # each of its failures ends in an error of the engine
    "kafka": logging.CRITICAL,
}
_FIELDS = ("stage", "topic", "partition")
_ORDER = ("time", "level", "event", *_FIELDS, "logger")
_REPEAT_SECONDS = 30.0


def configure(form: LogFormat = "auto") -> None:
    """Send everything through structlog, uncaught errors as well. `auto` is text on a terminal, JSON elsewhere."""
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(allow=_FIELDS),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _frames_for_exc_info,
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
                *_rendered(json=form == "json" or (form == "auto" and not sys.stderr.isatty())),
            ],
        )
    )
    for rule in (_matters, _without_values, _Seldom("librdkafka", "aiokafka")):
        handler.addFilter(rule)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(level)
    sys.excepthook = _uncaught
    threading.excepthook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)


def _rendered(*, json: bool) -> list[Processor]:
    if not json:
        return [structlog.dev.ConsoleRenderer(timestamp_key="time", exception_formatter=_nothing)]
    return [_ordered, structlog.processors.JSONRenderer(ensure_ascii=False)]


def _nothing(*_: Any) -> None:
    """There is no exc_info any more."""


def _ordered(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    first = {name: event.pop(name) for name in _ORDER if name in event}
    return {**first, **event}


def _frames_for_exc_info(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Where an error came from, without what its message may quote."""
    given = event.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()
    error = given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["exception"] = "\n".join(frames(error))
    return event


def _without_values(record: logging.LogRecord) -> bool:
    """Errors that libraries log as arguments, and asyncio's display of a task, are told without their values."""
    if isinstance(record.args, tuple):
        record.args = tuple(told(each) if isinstance(each, BaseException) else each for each in record.args)
    if record.name == "asyncio":
        record.msg, record.args = record.getMessage().partition("\n")[0], ()
    return True


def _matters(record: logging.LogRecord) -> bool:
    """Not Faust's `[^--Service]: Starting...`, which it logs in the name of whoever inherits from its services."""
    return record.levelno > logging.INFO or not str(record.msg).startswith("[^")


class _Seldom:
    """Lets the same line of these libraries pass once in a while: each partition's client says of the same broker the
    same, and while a broker is away it is said again and again.
    """

    def __init__(self, *libraries: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._libraries, self._clock = libraries, clock
        self._told: dict[str, float] = {}

    def __call__(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] not in self._libraries:
            return True
        line, now = record.getMessage().rpartition("]: ")[2], self._clock()
        if now - self._told.get(line, -_REPEAT_SECONDS) < _REPEAT_SECONDS:
            return False
        self._told = {each: when for each, when in self._told.items() if now - when < _REPEAT_SECONDS}
        self._told[line] = now
        return True


def _uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        logging.getLogger("worker").critical("a thread ended by an error", exc_info=(kind, error, trace))  # type: ignore[arg-type]
