"""Business time: instants and durations in, counted while a calendar is open; instants and durations out.

A calendar is compiled to the spans of UTC in which it is open, in order and apart from one another, each with the open
time up to its end. So every question is a search in sorted numbers. What always holds: an instant is open exactly if the
clock and the date on the wall, in the calendar's zone, lie within its hours. A local time that is skipped opens nothing,
one that comes twice opens twice, and no time is open outside the years of `schemas.calendars`.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from hashlib import blake2b

from pipeline.core.instants import DAY, NEVER
from pipeline.core.messages import Micros


class BusinessCalendar:
    """`offsets`: as a map resolves them, in microseconds. `hours`: (opening, closing) in microseconds of local time since
    1970, as if it had no zone, in order and apart or touching; each lies within one date.
    """

    def __init__(
        self, name: str, offsets: Sequence[tuple[Micros, Micros]], hours: Sequence[tuple[Micros, Micros]]
    ) -> None:
        self.name = name
        self._starts: array[int] = array("q", [start for start, _ in offsets])
        """From when each offset holds; the first also before."""
        self._offsets: array[int] = array("q", [offset for _, offset in offsets])
        self._opens: array[int] = array("q")
        self._closes: array[int] = array("q")
        self._until: array[int] = array("q")
        """Open time up to each closing."""
        self._days: array[int] = array("q")
        """The business days, as days since 1970,"""
        self._ends: array[int] = array("q")
        """and when each closes for the last time."""
        self._lay_out(hours)

    def after(self, start: Micros, duration: Micros) -> Micros:
        """The first instant by which it has been open for `duration` since `start`; NEVER if it will not be."""
        if duration <= 0:
            return start
        target = self._passed(start) + duration
        place = bisect_left(self._until, target)
        if place == len(self._until):
            return NEVER
        return self._closes[place] - (self._until[place] - target)

    def between(self, start: Micros, end: Micros) -> Micros:
        """How long it is open from `start` to `end`; none if that is not later."""
        return max(0, self._passed(end) - self._passed(start))

    def opening(self, instant: Micros) -> Micros:
        """The next opening after an instant; NEVER if there is none."""
        place = bisect_right(self._opens, instant)
        return self._opens[place] if place < len(self._opens) else NEVER

    def closing(self, instant: Micros) -> Micros:
        """The next closing after an instant; NEVER if there is none."""
        place = bisect_right(self._closes, instant)
        return self._closes[place] if place < len(self._closes) else NEVER

    def end_of_day(self, instant: Micros, days: int, at: Micros | None) -> Micros:
        """The end of the business day that is `days` after the date of an instant; 0: of the first that has not ended.

        It ends `at` microseconds after midnight by the clock on the wall, or at its last closing. NEVER if there is none.
        """
        today = (instant + self._offset(instant)) // DAY
        if days > 0:
            return self._end(bisect_right(self._days, today) + days - 1, at)
        place = bisect_left(self._days, today)
        while (end := self._end(place, at)) <= instant:
            place += 1
        return end

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BusinessCalendar) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        """Its name and a digest of all that decides: a plan's digest is made of it."""
        content = blake2b(digest_size=16)
        for each in (self._starts, self._offsets, self._opens, self._closes, self._days, self._ends):
            content.update(len(each).to_bytes(8, "big") + each.tobytes())
        return f"BusinessCalendar({self.name!r}, {content.hexdigest()})"

    def _passed(self, instant: Micros) -> Micros:
        """The open time before an instant."""
        place = bisect_right(self._opens, instant) - 1
        return 0 if place < 0 else self._until[place] - max(0, self._closes[place] - instant)

    def _offset(self, instant: Micros) -> Micros:
        return self._offsets[max(0, bisect_right(self._starts, instant) - 1)]

    def _end(self, place: int, at: Micros | None) -> Micros:
        if place >= len(self._days):
            return NEVER
        return self._ends[place] if at is None else self._first(self._days[place] * DAY + at)

    def _first(self, local: Micros) -> Micros:
        """The first instant at which the clock shows a local time; if it skips that, when it has skipped it."""
        # no clock is more than a day off
        place = max(0, bisect_right(self._starts, local - DAY) - 1)
        while place + 1 < len(self._starts) and local - self._offsets[place] >= self._starts[place + 1]:
            place += 1
        shown = local - self._offsets[place]
        return max(shown, self._starts[place]) if place else shown

    def _lay_out(self, hours: Sequence[tuple[Micros, Micros]]) -> None:
        """Lay the hours on the instants: under each offset those that the clock then shows."""
        local_closes: array[int] = array("q", [closes for _, closes in hours])
        for place, offset in enumerate(self._offsets):
            start = self._starts[place] if place else -NEVER
            end = self._starts[place + 1] if place + 1 < len(self._starts) else NEVER
            first = bisect_right(local_closes, start + offset)
            for number in range(first, len(hours)):
                opens, closes = hours[number]
                if opens - offset >= end:
                    break
                self._add(max(opens - offset, start), min(closes - offset, end), opens // DAY)

    def _add(self, opens: Micros, closes: Micros, day: int) -> None:
        """Add a span of a date, which no earlier one overlaps."""
        passed = self._until[-1] if self._until else 0
        if self._closes and self._closes[-1] == opens:
            self._closes[-1] = closes
            self._until[-1] = passed + closes - opens
        else:
            self._opens.append(opens)
            self._closes.append(closes)
            self._until.append(passed + closes - opens)
        if self._days and self._days[-1] == day:
            self._ends[-1] = closes
        else:
            self._days.append(day)
            self._ends.append(closes)
