"""A date that was told, and is told anew: put off, in time or too late for that, or brought forward."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.core.instants import DAY, MINUTE
from pipeline.core.messages import Micros
from pipeline.simulate.clocks import Act, Word
from pipeline.simulate.company import HOUR
from pipeline.simulate.episode import Episode

Tell = Callable[[Micros, Micros], object]
"""Tells, at an instant, a date."""


def told_anew(ep: Episode, made: Micros, due: Micros, met: Micros | None, tell: Tell) -> list[Word]:
    """What the customer is told after `due` was promised at `made`; `met` is when it will come."""
    if met is None or met - due > DAY:
        return _put_off(ep, made, due, tell)
    return [_bring_forward(ep, made, min(due, met), due, tell)] if ep.chance(0.06) else []


def _put_off(ep: Episode, made: Micros, due: Micros, tell: Tell) -> list[Word]:
    """Mostly before the day has come; then perhaps once more, by a little or a lot."""
    is_late = ep.chance(0.25)
    time = due + ep.between(HOUR, DAY) if is_late else due - ep.between(HOUR, (due - made) // 2)
    again = _on_the_minute(max(time, due) + ep.between(DAY, 3 * DAY))
    words = [_tell(time, again, tell)]
    if ep.chance(0.4):
        later = time + ep.between(HOUR, (again - time) // 2)
        words.append(_tell(later, _on_the_minute(again + ep.between(-DAY // 2, 2 * DAY)), tell))
    return words


def _bring_forward(ep: Episode, made: Micros, until: Micros, due: Micros, tell: Tell) -> Word:
    """Soon after it was promised; what comes as it was promised first may then be late."""
    time = made + ep.between((until - made) // 8, (until - made) // 2)
    return _tell(time, _on_the_minute(time + (due - time) * int(ep.between(4, 9)) // 10), tell)


def _tell(time: Micros, due: Micros, tell: Tell) -> Word:
    tell(time, due)
    return Word(time, Act.REVISE, due)


def _on_the_minute(instant: Micros) -> Micros:
    return instant - instant % MINUTE
