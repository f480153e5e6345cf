"""What is learned of one stage and segment: visits entered and left in, the curve of each period of event time out.

Only counts are kept: how many have left after how long, by the period in which they left, and how many are still inside, by
the slot of time in which they entered. Both are sums, so that neither the order of what is told nor a visit that is told
and taken back leaves a trace. A curve rests on what had happened before its period began, whatever else has been told by
then: what lies ahead waits for its period. What is told of the past later counts from the next period on.
"""

from __future__ import annotations

from typing import Final

from pipeline.core.instants import DAY, MINUTE
from pipeline.core.messages import Micros
from pipeline.core.survival import Curve, bin_of

PERIOD: Final = DAY
"""A curve holds for so long."""
WINDOW: Final = 90
"""Periods in which a visit must have ended to count."""
SLOT: Final = 15 * MINUTE
"""How exactly the age of a visit that still goes on is known."""

Counts = dict[int, int]


class Stays:
    """The visits of one stage and segment. `period` is the number of the first one of which no curve has been asked yet."""

    def __init__(self) -> None:
        self.period = 0
        self._ended: dict[int, Counts] = {}
        """By the period in which they ended, by bin of duration."""
        self._inside: Counts = {}
        """By the slot in which they entered; one that left a slot before it was told to have entered leaves a minus."""
        self._ahead: dict[int, list[tuple[Micros, Micros | None, int]]] = {}
        """By period: (entered, left, sign) of what had not happened yet when the last curve was asked for."""

    def tell(self, entered: Micros, left: Micros | None, sign: int) -> None:
        """A visit began, or with `left` one that had begun ended. `sign` is -1 if what was told before does not hold."""
        at = period_of(entered if left is None else left)
        if at >= self.period:
            self._ahead.setdefault(at, []).append((entered, left, sign))
        else:
            self._count(entered, left, sign)

    def curve(self, period: int) -> Curve:
        """The curve of a period; periods are asked for in order, and time has passed their beginning."""
        for at in sorted(each for each in self._ahead if each < period):
            for told in self._ahead.pop(at):
                self._count(*told)
        self.period = period
        for old in [each for each in self._ended if each < period - WINDOW]:
            del self._ended[old]
        ended: Counts = {}
        for counts in self._ended.values():
            for number, count in counts.items():
                ended[number] = ended.get(number, 0) + count
        going_on: Counts = {}
        for slot, count in self._inside.items():
            number = bin_of(period * PERIOD - slot * SLOT)
            going_on[number] = going_on.get(number, 0) + count
        return Curve(_some(ended), _some(going_on))

    def _count(self, entered: Micros, left: Micros | None, sign: int) -> None:
        slot = entered // SLOT
        if left is None:
            _add(self._inside, slot, sign)
        else:
            _add(self._inside, slot, -sign)
            _add(self._ended.setdefault(period_of(left), {}), bin_of(left - entered), sign)


def period_of(instant: Micros) -> int:
    """The number of the period in which an instant lies."""
    return instant // PERIOD


def _add(counts: Counts, key: int, sign: int) -> None:
    count = counts.get(key, 0) + sign
    if count:
        counts[key] = count
    else:
        del counts[key]


def _some(counts: Counts) -> Counts:
    """Without what was only taken back so far."""
    return {key: count for key, count in counts.items() if count > 0}
