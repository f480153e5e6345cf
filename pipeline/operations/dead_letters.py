"""The dead-letter topic as an operator sees it: list what was refused, look at one, send it again.

A letter is named by its offset on the dead-letter topic. Sending it again puts its bytes (or corrected ones) on the topic
that it came from; a touchpoint that was accepted before is recognised by its source and id, so that sending a letter twice
takes effect once.

A correction is a whole event in JSON, which goes in structured mode however the original came. Of a record in binary mode
it may be the data alone: then its headers are sent as they were.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from pipeline.core.binary import ATTRIBUTE_PREFIX, CLOUDEVENTS, CONTENT_TYPE
from pipeline.core.dead_letters import FOREIGN, letter_of, original_headers
from pipeline.core.ingest import TICK_HEADER
from pipeline.errors import ThroughlineError
from pipeline.operations.clients import explained, patiently, quiet
from pipeline.operations.sources import SourceWriter
from pipeline.ports import Headers
from pipeline.topology import MAX_LETTER_BYTES, Topology
from schemas.dead_letter import DeadLetter

REPLAYED_FROM = "throughline-replayed-from"
_TIMEOUT = 5.0
_OF_EVENTS = frozenset({"specversion", "identities"})
"""Attributes that every event has, and that are names of no catalogued data."""


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

    Raises DeadLetterError, before anything is sent, when one came from no source or the correction can't mend it;
    SourceNotWritableError.
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
    contents = [
        (stored.value, stored.headers)
        if corrected is None
        else (corrected, corrected_headers(stored, corrected))
        for stored in letters
    ]
    with SourceWriter(options, topology) as writer:
        for stored, (value, headers) in zip(letters, contents, strict=True):
            origin = (REPLAYED_FROM, f"{topology.dead_letter}/0/{stored.offset}".encode())
            writer.send(domains[stored.letter.topic], stored.key, value, [*headers, origin])
    return len(letters)


def corrected_headers(stored: StoredLetter, corrected: bytes) -> Headers:
    """The headers for `corrected` bytes: a structured event's and the letter's others, or with data alone the letter's.

    Raises DeadLetterError when a record in binary mode was refused for its headers and is given other data, or what is
    given is not JSON.
    """
    if _is_binary(stored.headers) and not _is_event(stored, corrected):
        _check_headers_were_right(stored)
        return stored.headers
    if not corrected:
        return stored.headers  # a tick has no value
    kept = [(name, value) for name, value in stored.headers if not _tells_what_the_value_is(name)]
    return [*kept, (CONTENT_TYPE, f"{CLOUDEVENTS}+json".encode())]


def _is_binary(headers: Headers) -> bool:
    """As ingest tells it: a content type of CloudEvents means structured mode, whatever else is there."""
    content_type = next((value for name, value in headers if name.lower() == CONTENT_TYPE), None) or b""
    if content_type.strip().lower().startswith(CLOUDEVENTS.encode()):
        return False
    return any(name.startswith(ATTRIBUTE_PREFIX) for name, _ in headers)


def _is_event(stored: StoredLetter, corrected: bytes) -> bool:
    if not corrected:
        return False
    try:
        found = msgspec.json.decode(corrected)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DeadLetterError(
            f"the correction of dead letter {stored.offset} is not JSON ({error}); give the whole event, or its data"
        ) from None
    # either is enough: an event taken for data might be accepted, and nobody would see that it is wrong
    return isinstance(found, dict) and not _OF_EVENTS.isdisjoint(found)


def _check_headers_were_right(stored: StoredLetter) -> None:
    told = stored.letter
    if told.path.split(".")[0] not in {"", "data"}:
        raise DeadLetterError(
            f"dead letter {stored.offset} was refused for {told.path}, which was told in its headers, and the correction "
            "is data alone; give the whole event as JSON, with specversion and all other attributes"
        )


def _tells_what_the_value_is(name: str) -> bool:
    """Whether a header speaks of the value that a corrected event takes the place of."""
    return name.startswith(ATTRIBUTE_PREFIX) or name.lower() == CONTENT_TYPE or name == TICK_HEADER


def _reader(options: Mapping[str, Any]) -> Consumer:
    return Consumer(
        quiet(
            options,
            group_id=f"dead-letters-{time.time_ns()}",
            enable_auto_commit=False,
            isolation_level="read_committed",
            enable_partition_eof=True,
            fetch_wait_max_ms=10,  # an end is told once nothing has come for so long
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
