"""What a log may say of an error: no value of a record, which may be a customer's.

In: any exception. Out: words without what the record held. Our own errors and Kafka's speak of topics, offsets and
settings, and are told as they are. Whatever else a logic raises may quote what it was given (`KeyError`, `ValueError`
and pydantic do): its type is told, and where it was raised.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import aiokafka.errors
import confluent_kafka

from pipeline.errors import ThroughlineError

_SPEAKS_OF_KAFKA = (confluent_kafka.KafkaException, aiokafka.errors.KafkaError, OSError, TimeoutError)


def told(error: BaseException) -> str:
    """The error in one line; see above for what is left out."""
    name = type(error).__name__
    if isinstance(error, ThroughlineError) and not error.quotes_values:
        return f"{name}: {error}"
    if isinstance(error, _SPEAKS_OF_KAFKA):
        return f"{name}: {error}" if str(error) else name
    place = _raised_at(error.__traceback__)
    return f"{name} at {place}" if place else name


def frames(error: BaseException) -> Iterator[str]:
    """A traceback without values: each error of the chain, the outermost first, and where it came through."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield told(cause)
        for frame in traceback.extract_tb(cause.__traceback__):
            yield f"  {_place(frame)}"
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


def where(stage: str, topic: str, partition: int) -> dict[str, Any]:
    """Fields of a log line that speaks of one partition (`extra=`)."""
    return {"stage": stage, "topic": topic, "partition": partition}


def _raised_at(trace: TracebackType | None) -> str:
    found = traceback.extract_tb(trace)
    return _place(found[-1]) if found else ""


def _place(frame: traceback.FrameSummary) -> str:
    return f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}"
