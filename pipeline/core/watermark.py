"""Watermarks: marks of channels in, the instant that all of them have passed out.

A mark says “everything before this instant has been sent on this channel”. The watermark is the minimum
over the *declared* channels, so it stands still until each of them has spoken, and it never goes back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipeline.core.messages import Micros


class Watermark:
    """The minimum over `channels`; times in microseconds.

    `known` holds the marks heard before a restart; marks of channels that are no longer declared are left
    out. A channel without a mark joins at `floor`, the watermark already reached: what was concluded stays
    concluded, and the newcomer holds time up until it speaks. Without a floor the watermark is None until
    all have spoken.
    """

    __slots__ = ("_marks", "_silent", "time")

    def __init__(
        self,
        channels: Iterable[str],
        known: Mapping[str, Micros] | None = None,
        floor: Micros | None = None,
    ) -> None:
        known = known or {}
        self._marks: dict[str, Micros] = {}
        self._silent: set[str] = set()
        for channel in channels:
            mark = known.get(channel, floor)
            if mark is None:
                self._silent.add(channel)
            else:
                self._marks[channel] = mark
        self.time: Micros | None = floor
        self._settle()

    def advance(self, channel: str, mark: Micros) -> bool:
        """Hear a mark; whether the watermark moved. A mark that goes back, or of an undeclared channel, is
        void.
        """
        last = self._marks.get(channel)
        if last is None:
            if channel not in self._silent:
                return False
            self._silent.discard(channel)
        elif mark <= last:
            return False
        self._marks[channel] = mark
        # only the channel that held the minimum, or the last silent one, can move it
        return (last is None or self.time is None or last <= self.time) and self._settle()

    def mark(self, channel: str) -> Micros | None:
        """The last mark of a channel; None if it has not spoken."""
        return self._marks.get(channel)

    def _settle(self) -> bool:
        if self._silent or not self._marks:
            return False
        least = min(self._marks.values())
        if self.time is not None and least <= self.time:
            return False
        self.time = least
        return True
