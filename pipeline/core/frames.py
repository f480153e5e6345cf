"""Frames: messages in, Kafka records of many messages out, and back.

A frame is a msgpack array of messages for one partition of an internal topic. The order of the messages for a
partition is kept. A frame has at most `MAX_MESSAGES` messages and, beyond its first, at most `MAX_BYTES`
bytes.
"""

from __future__ import annotations

from typing import Any, Final, Generic, TypeVar

import msgspec

from pipeline.core.messages import Heard, IdentityMessage, JourneyMessage, StayMessage
from pipeline.ports import Outbox, Record

MAX_MESSAGES: Final = 500
MAX_BYTES: Final = 256 * 1024
M = TypeVar("M")
_encode: Final = msgspec.msgpack.Encoder().encode


class FrameError(ValueError):
    """A record of an internal topic that is no frame; these topics have no other writer, so it is not
    skipped.
    """

    def __init__(self, record: Record, reason: str) -> None:
        super().__init__(
            f"{record.topic}/{record.partition} holds a record at offset {record.offset} that is no frame "
            f"({reason}); something else writes to this topic, or a newer version did: "
            "stop it, or run that version"
        )


class Frames(Generic[M]):
    """Reads the frames of one topic; `messages` is the union of what travels there."""

    def __init__(self, messages: Any) -> None:
        self._decode = msgspec.msgpack.Decoder(list[messages]).decode

    def decode(self, record: Record) -> list[M]:
        """The messages of a record, in order. Raises FrameError."""
        try:
            found: list[M] = self._decode(record.value or b"")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise FrameError(record, str(error)) from error
        return found


IDENTITY_FRAMES: Frames[IdentityMessage] = Frames(IdentityMessage)
JOURNEY_FRAMES: Frames[JourneyMessage] = Frames(JourneyMessage)
LINK_FRAMES: Frames[Heard] = Frames(Heard)
STAY_FRAMES: Frames[StayMessage] = Frames(StayMessage)


def encode_frame(messages: list[bytes]) -> bytes:
    """One frame of already encoded messages (at most 65,535)."""
    return b"\xdc" + len(messages).to_bytes(2, "big") + b"".join(messages)


class FrameWriter:
    """Gathers messages per partition of `topic` and sends them as frames; nothing is left behind after
    `flush`.
    """

    __slots__ = ("_outbox", "_pending", "_sizes", "_topic")

    def __init__(self, outbox: Outbox, topic: str, partitions: int) -> None:
        self._outbox = outbox
        self._topic = topic
        self._pending: list[list[bytes]] = [[] for _ in range(partitions)]
        self._sizes = [0] * partitions

    def add(self, partition: int, message: Any) -> None:
        self.append(partition, _encode(message))

    def append(self, partition: int, encoded: bytes) -> None:
        """Add a message that is encoded already."""
        pending = self._pending[partition]
        size = self._sizes[partition] + len(encoded)
        if pending and (size > MAX_BYTES or len(pending) >= MAX_MESSAGES):
            self._send(partition)
            pending = self._pending[partition]
            size = len(encoded)
        pending.append(encoded)
        self._sizes[partition] = size

    def add_to_all(self, message: Any) -> None:
        encoded = _encode(message)
        for partition in range(len(self._pending)):
            self.append(partition, encoded)

    def flush(self) -> None:
        for partition, pending in enumerate(self._pending):
            if pending:
                self._send(partition)

    def _send(self, partition: int) -> None:
        self._outbox.send(self._topic, encode_frame(self._pending[partition]), partition=partition)
        self._pending[partition] = []
        self._sizes[partition] = 0
