"""Kafka clients of commands: as quiet as a command has to be, and their failures as sentences.

librdkafka writes what it sees of connections to standard error, in lines of its own; a command tells of a broker that
does not answer by its error, once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException

from pipeline.errors import ThroughlineError

Answer = TypeVar("Answer")
_CRITICAL = 2
_PASSING = frozenset(
    {
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        # a broker that was killed and has come back has not read the epochs of all its logs yet
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.FENCED_LEADER_EPOCH,
    }
)


class KafkaProblemError(ThroughlineError):
    """Kafka did not do what a command asked of it."""


def quiet(options: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Options of a client that writes nothing; `more` in librdkafka's names, with `_` for each dot."""
    return {
        **options,
        "log_level": _CRITICAL,
        **{name.replace("_", "."): value for name, value in more.items()},
    }


def patiently(ask: Callable[[], Answer], seconds: float) -> Answer:
    """Ask again, for so many seconds, while the broker has only just started or a topic was only just made."""
    limit = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except KafkaException as error:
            if error.args[0].code() not in _PASSING or time.monotonic() > limit:
                raise
            time.sleep(0.1)


@contextmanager
def explained(options: Mapping[str, Any], what: str) -> Iterator[None]:
    """Within, a KafkaException becomes a KafkaProblemError that says while doing `what`, and the remedy."""
    try:
        yield
    except KafkaException as error:
        raise KafkaProblemError(_sentence(error.args[0], str(options["bootstrap.servers"]), what)) from error


def _sentence(error: KafkaError, address: str, what: str) -> str:
    if error.code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_PARTITION):  # noqa: SLF001 - a public name
        return f"{what}: Kafka at {address} has no such topic; run `throughline prepare` or `throughline up`"
    return (
        f"{what}: Kafka at {address} does not answer as it should ({error.str()}); start it with `throughline up`, or "
        "set THROUGHLINE_KAFKA to where it listens"
    )
