"""What is learned of one rule and segment: stays told and taken back in, the curve of each period of event time out.

Only counts are kept, by the period in which something happened. They are sums, so that neither the order of what is told
nor a stay that was told and taken back leaves a trace. The curve of a period is that of the stays which began in the
`WINDOW` periods before the last one that was over, as they stood then: what comes later than a period is the exception, for
which a curve is computed again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipeline.core.instants import DAY, MINUTE
from pipeline.core.messages import GOING_ON, Micros
from pipeline.core.stored import Happened
from pipeline.core.survival import Curve, bin_of

PERIOD: Final = DAY
"""A curve holds for so long."""
WINDOW: Final = 90
"""Periods in which a stay must have begun to count."""
BEHIND: Final = 1
"""Periods that must have passed before what happened counts, so that hardly any curve has to be computed again."""
SLOT: Final = 15 * MINUTE
"""How exactly the age of a stay that still goes on is known."""
_SLOTS: Final = PERIOD // SLOT

Counts = dict[int, int]


class Stays:
    """The stays of one rule and segment; `changed` are the periods of which more, or less, has been told than was saved."""

    def __init__(self) -> None:
        self._periods: dict[int, Happened] = {}
        self.changed: set[int] = set()

    def tell(self, entered: Micros, left: Micros, sign: int) -> int:
        """A stay began, and unless `left` is GOING_ON it ended. `sign` is -1 if what was told before does not hold. The last
        period that hears of it.
        """
        began, slot = period_of(entered), entered // SLOT
        _add(self._period(began).entered, slot, sign)
        if left == GOING_ON:
            return began
        ended = period_of(left)
        period = self._period(ended)
        _add(period.left, slot, sign)
        _add(period.ended.setdefault(began, {}), bin_of(left - entered), sign)
        return ended

    def curve(self, period: int) -> Curve:
        """The curve of a period."""
        until = period - BEHIND
        first = until - WINDOW
        ended: Counts = {}
        inside: Counts = {}
        for number in range(first, until):
            happened = self._periods.get(number)
            if happened is not None:
                _add_all(inside, happened.entered, 1)
                _add_all(inside, happened.left, -1)
                for began, bins in happened.ended.items():
                    if began >= first:
                        _add_all(ended, bins, 1)
        going_on: Counts = {}
        for slot, count in inside.items():
            if count > 0 and slot // _SLOTS >= first:
                age = bin_of(until * PERIOD - slot * SLOT)
                going_on[age] = going_on.get(age, 0) + count
        # what was only taken back so far is told some time
        return Curve({duration: count for duration, count in ended.items() if count > 0}, going_on)

    def has_told_since(self, period: int) -> bool:
        """Whether anything happened in a period or later."""
        return any(number >= period for number in self._periods)

    @property
    def first(self) -> int | None:
        """The first period in which anything happened; None without any."""
        return min(self._periods, default=None)

    def forget(self, before: int) -> list[int]:
        """Let go of the periods before one; which."""
        old = [number for number in self._periods if number < before]
        for number in old:
            del self._periods[number]
            self.changed.discard(number)
        return old

    def restore(self, period: int, happened: Happened) -> None:
        """What was saved of a period."""
        self._periods[period] = happened

    def take_changed(self) -> Iterator[tuple[int, Happened]]:
        """The periods to be saved."""
        for number in sorted(self.changed):
            yield number, self._periods[number]
        self.changed.clear()

    def _period(self, number: int) -> Happened:
        self.changed.add(number)
        period = self._periods.get(number)
        if period is None:
            period = self._periods[number] = Happened()
        return period


def period_of(instant: Micros) -> int:
    """The number of the period in which an instant lies."""
    return instant // PERIOD


def learned_at(instant: Micros) -> Micros:
    """Up to when everything counts that decides on a stay which begins at an instant."""
    return (period_of(instant) - BEHIND) * PERIOD


def _add_all(counts: Counts, more: Counts, sign: int) -> None:
    for key, count in more.items():
        counts[key] = counts.get(key, 0) + sign * count


def _add(counts: Counts, key: int, sign: int) -> None:
    count = counts.get(key, 0) + sign
    if count:
        counts[key] = count
    else:
        del counts[key]
