"""Time in an identity partition: marks of the ingest and identity partitions in, its own marks out."""

from __future__ import annotations

from typing import Final

import msgspec

from pipeline.core.frames import FrameWriter
from pipeline.core.messages import IdentityMark, JourneyMark, Micros
from pipeline.core.stored import reader
from pipeline.core.watermark import Watermark
from pipeline.ports import Store

_HEARD: Final = b"m"
_SENT: Final = b"out"
_pack: Final = msgspec.msgpack.Encoder().encode
_unpack: Final = reader(list[Micros])


class IdentityMarks:
    """The levels of one identity partition, kept in its store.

    Level 0 is the minimum over `sources`, the channels of the ingest partitions: everything before it that
    came straight from ingest has been sent on. Level n is the minimum of all identity partitions' level
    n-1: everything before it that had been forwarded n times at most has been sent on. Nothing is forwarded
    more than `levels` times, so the level of that number is what the journeys may rely on.
    """

    def __init__(
        self, partition: int, partitions: int, sources: tuple[str, ...], levels: int, store: Store
    ) -> None:
        self._channel = f"identity/{partition}"
        self._store = store
        self._peers = levels
        heard = {key[len(_HEARD) :].decode(): _unpack(key, value) for key, value in store.scan(_HEARD)}
        sent = store.get(_SENT)
        self._sent: list[Micros] = _unpack(_SENT, sent) if sent else []
        self._levels = [Watermark(sources, _level(heard, 0), self._floor(0))]
        identity = [f"identity/{number}" for number in range(partitions)]
        self._levels += [
            Watermark(identity, _level(heard, level - 1), self._floor(level))
            for level in range(1, levels + 1)
        ]
        self._changed: dict[str, list[Micros]] = {}

    @property
    def time(self) -> Micros | None:
        """The mark of the last level."""
        return self._levels[-1].time

    def _floor(self, level: int) -> Micros | None:
        return self._sent[level] if level < len(self._sent) else None

    def hear(self, message: IdentityMark) -> None:
        """A mark of a channel that is not declared is void."""
        above = self._levels[1:] if message.channel.startswith("identity/") else self._levels[:1]
        for watermark, mark in zip(above, message.levels, strict=False):
            watermark.advance(message.channel, mark)
        if above[0].mark(message.channel) is not None:
            self._changed[message.channel] = message.levels

    def send(self, identity: FrameWriter, journeys: FrameWriter) -> None:
        """Say how far time has come, if it has moved; whatever it speaks of has to be in the writers
        already.
        """
        for channel, levels in self._changed.items():
            self._store.put(_HEARD + channel.encode(), _pack(levels))
        self._changed = {}
        reached = self._reached()
        if reached == self._sent:
            return
        peers = self._peers
        if reached[:peers] != self._sent[:peers]:
            identity.add_to_all(IdentityMark(self._channel, reached[:peers]))
        if reached[peers:] != self._sent[peers:]:
            journeys.add_to_all(JourneyMark(self._channel, reached[peers]))
        self._sent = reached
        self._store.put(_SENT, _pack(reached))

    def _reached(self) -> list[Micros]:
        reached = []
        for level in self._levels:
            if level.time is None:
                break
            reached.append(level.time)
        return reached


def _level(heard: dict[str, list[Micros]], level: int) -> dict[str, Micros]:
    return {channel: marks[level] for channel, marks in heard.items() if level < len(marks)}
