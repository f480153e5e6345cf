"""The dead-letter topic as an operator sees it: list what was refused, look at one, send it again.

A letter is named by its offset on the dead-letter topic. Sending it again puts its bytes (or corrected ones) on the topic
that it came from; a touchpoint that was accepted before is recognised by its source and id, so that sending a letter twice
takes effect once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from pipeline.core.dead_letters import FOREIGN, letter_of, original_headers
from pipeline.errors import ThroughlineError
from pipeline.operations.clients import explained, patiently, quiet
from pipeline.operations.sources import SourceWriter
from pipeline.ports import Headers
from pipeline.topology import MAX_LETTER_BYTES, Topology
from schemas.dead_letter import DeadLetter

REPLAYED_FROM = "throughline-replayed-from"
_TIMEOUT = 5.0


class DeadLetterError(ThroughlineError):
    """A dead letter that is not there, or that could not be sent again."""


@dataclass(frozen=True)
class StoredLetter:
    """A dead letter with its reasons (`letter`) and its original key, value and headers.

    A record that is no dead letter is one too, of the stage `FOREIGN`: it is shown, and never sent again.
    """

    offset: int
    letter: DeadLetter
    key: bytes | None
    value: bytes
    headers: Headers


def read_letters(options: Mapping[str, Any], topology: Topology) -> Iterator[StoredLetter]:
    """Every dead letter on the topic now, oldest first. Raises KafkaProblemError, DeadLetterError."""
    reader = _reader(options)
    try:
        with explained(options, f"reading {topology.dead_letter}"):
            tp = TopicPartition(topology.dead_letter, 0)
            first, end = patiently(lambda: reader.get_watermark_offsets(tp, timeout=_TIMEOUT), _TIMEOUT)
        reader.assign([TopicPartition(topology.dead_letter, 0, first)])
        while first < end:
            message = reader.poll(_TIMEOUT)
            if message is None:
                raise DeadLetterError(
                    f"{topology.dead_letter} did not answer within {_TIMEOUT:.0f} s; is the broker up?"
                )
            error = message.error()
            if error is None:
                yield _stored(message)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the constant's public name
                return
            else:
                raise DeadLetterError(f"{topology.dead_letter}: {error.str()}")
    finally:
        reader.close()


def find_letter(options: Mapping[str, Any], topology: Topology, offset: int) -> StoredLetter:
    """The letter at `offset`. Raises DeadLetterError when there is none."""
    for stored in read_letters(options, topology):
        if stored.offset == offset:
            return stored
    raise DeadLetterError(f"there is no dead letter {offset}; `throughline dlq list` shows those there are")


def send_again(
    options: Mapping[str, Any],
    topology: Topology,
    letters: list[StoredLetter],
    corrected: bytes | None = None,
) -> int:
    """Put letters back on the topics that they came from, with `corrected` bytes if given; returns how many.

    Raises DeadLetterError, before anything is sent, when one came from no source; SourceNotWritableError.
    """
    domains = {topology.source(domain): domain for domain in topology.domains}
    for stored in letters:
        if stored.letter.stage == FOREIGN:
            raise DeadLetterError(
                f"record {stored.offset} of {topology.dead_letter} is no dead letter, and is not sent again"
            )
        if stored.letter.topic not in domains:
            raise DeadLetterError(
                f"dead letter {stored.offset} came from {stored.letter.topic}, which is no source of this pipeline; "
                "internal records are not sent again"
            )
    with SourceWriter(options, topology) as writer:
        for stored in letters:
            headers = [*stored.headers, (REPLAYED_FROM, f"{topology.dead_letter}/0/{stored.offset}".encode())]
            content = stored.value if corrected is None else corrected
            writer.send(domains[stored.letter.topic], stored.key, content, headers)
    return len(letters)


def _reader(options: Mapping[str, Any]) -> Consumer:
    return Consumer(
        quiet(
            options,
            group_id=f"dead-letters-{time.time_ns()}",
            enable_auto_commit=False,
            isolation_level="read_committed",
            enable_partition_eof=True,
            fetch_message_max_bytes=MAX_LETTER_BYTES,
        )
    )


def _stored(message: Message) -> StoredLetter:
    record = _Read(message)
    return StoredLetter(
        record.offset, letter_of(record), record.key, record.value or b"", original_headers(record.headers)
    )


class _Read:
    """A message of the driver, as a record."""

    def __init__(self, message: Message) -> None:
        self.topic, self.partition = message.topic() or "", message.partition() or 0
        self.offset, self.timestamp = message.offset() or 0, message.timestamp()[1]
        self.key, self.value = message.key(), message.value()
        self.headers: Headers = message.headers() or []
