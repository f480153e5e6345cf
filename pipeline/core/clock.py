"""Clocks: what a clock has left and the touchpoints that stop and start it in; the instants that it sets out.

A clock runs towards a target while its calendar, if it has one, is open and nothing pauses it. It keeps how much of the
target is left and since when that runs, so that it is as small after a thousand pauses as after none. While it is paused all
its instants are those that would come if it went on at once; time beyond `paused_at` has not passed for it (`reached`).
"""

from __future__ import annotations

from pipeline.core.calendars import BusinessCalendar
from pipeline.core.instants import LAST, NEVER
from pipeline.core.messages import Micros
from pipeline.core.stored import ClockState


def begin(target: Micros, start: Micros, paused_at: Micros | None = None) -> ClockState:
    """A clock that starts at an instant; with `paused_at` it does so standing still."""
    return ClockState(start, start, target, None if paused_at is None else max(start, paused_at))


def due(clock: ClockState, calendar: BusinessCalendar | None) -> Micros:
    """The first instant by which the whole target has run."""
    return _after(calendar, clock.runs_from, clock.left)


def moved(
    clock: ClockState, calendar: BusinessCalendar | None, target: Micros, share: float, at: Micros
) -> Micros:
    """The instant at which a share of the target has run: `at` if it had when the clock last set out, otherwise anew."""
    ahead = round(target * share) - (target - clock.left)
    return at if ahead <= 0 else _after(calendar, clock.runs_from, ahead)


def spent(clock: ClockState, calendar: BusinessCalendar | None, target: Micros, until: Micros) -> Micros:
    """How much had run at an instant that is not before the last pause began."""
    running = 0 if clock.paused_at is not None else _between(calendar, clock.runs_from, until)
    return target - clock.left + running


def reached(clock: ClockState, instant: Micros) -> Micros:
    """Up to where time has passed for a clock when it is `instant`."""
    return instant if clock.paused_at is None else min(instant, clock.paused_at)


def coming(clock: ClockState, instant: Micros) -> Micros:
    """An instant that time will reach for a clock as it stands; NEVER for one that it will not."""
    return instant if clock.paused_at is None or instant <= clock.paused_at else NEVER


def pause(clock: ClockState, calendar: BusinessCalendar | None, instant: Micros) -> bool:
    """Stand still from an instant on; whether it ran until then."""
    if clock.paused_at is not None:
        return False
    clock.left -= _between(calendar, clock.runs_from, instant)
    clock.paused_at = clock.runs_from = max(instant, clock.runs_from)
    return True


def resume(clock: ClockState, instant: Micros) -> bool:
    """Go on at an instant; whether it stood still until then."""
    paused_at = clock.paused_at
    if paused_at is None:
        return False
    # a clock that starts later than it was told to go on has not been paused at all
    clock.runs_from = max(instant, paused_at)
    clock.paused += clock.runs_from - paused_at
    clock.paused_at = None
    return True


def reset(clock: ClockState, target: Micros, instant: Micros) -> None:
    """Begin anew at an instant; one that stands still does so from there on."""
    clock.started_at = clock.runs_from = instant
    clock.left = target
    clock.paused = 0
    clock.resets += 1
    if clock.paused_at is not None:
        clock.paused_at = instant


def _after(calendar: BusinessCalendar | None, start: Micros, duration: Micros) -> Micros:
    # what lies beyond the calendar's years can still be written down
    return min(LAST, calendar.after(start, duration) if calendar is not None else start + max(0, duration))


def _between(calendar: BusinessCalendar | None, start: Micros, end: Micros) -> Micros:
    return calendar.between(start, end) if calendar is not None else max(0, end - start)
