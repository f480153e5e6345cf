"""Clocks by the rules of the semantics, written to be read: a clock is the list of the spans in which it ran.

In: a rule of the map and one touchpoint after another. Out: what the clock shows; all of it is worked out anew from the
spans whenever it is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from hours_by_the_book import Hours

from pipeline.simulate.ledger import Alarms, ClockRun
from schemas.clocks import Clocked
from schemas.triggers import Trigger

NOTHING = timedelta(0)


class Touched(Protocol):
    """A touchpoint, as `brute_force` decodes it."""

    time: datetime

    def value(self, path: str) -> Any: ...
    def pulls(self, triggers: list[Trigger]) -> bool: ...


@dataclass
class Clock:
    """`spans` in which it ran, the last one still open unless it stands still since `paused_at`."""

    hours: Hours
    target: timedelta
    started: datetime
    spans: list[tuple[datetime, datetime | None]] = field(default_factory=list)
    paused_at: datetime | None = None
    resets: int = 0

    def begin(self, at: datetime, *, is_paused: bool) -> None:
        self.started = at
        self.spans = [(at, at)] if is_paused else [(at, None)]
        self.paused_at = at if is_paused else None

    def when(self, share: float) -> datetime:
        """The first instant by which this share of the target has run, if it went on at once."""
        wanted = self.target * share
        for begin, end in self.spans:
            if end is None or self.hours.between(begin, end) >= wanted:
                return self.hours.after(begin, wanted)
            wanted -= self.hours.between(begin, end)
        return self.hours.after(self.spans[-1][1] or self.started, wanted)

    @property
    def due(self) -> datetime:
        return self.when(1)

    def told(self, rule: Clocked, touch: Touched) -> None:
        """Let a touchpoint reset it, let it go on or stop it; after the breach it can do nothing."""
        is_over = self.paused_at is None and touch.time > self.due
        if touch.pulls(rule.reset_by) and not is_over:
            self.begin(touch.time, is_paused=self.paused_at is not None)
            self.resets += 1
        if touch.pulls(rule.resumed_by):
            self.go_on(touch.time)
        if touch.pulls(rule.paused_by) and self.paused_at is None and touch.time < self.due:
            self.spans[-1] = (self.spans[-1][0], touch.time)
            self.paused_at = touch.time

    def go_on(self, at: datetime) -> None:
        if self.paused_at is not None:
            self.spans.append((at, None))
            self.paused_at = None

    def paused(self) -> timedelta:
        """Between one span and the next."""
        ends = [end for _, end in self.spans[:-1] if end is not None]
        return sum((begin - end for end, (begin, _) in zip(ends, self.spans[1:], strict=True)), NOTHING)

    def ran(self, until: datetime) -> timedelta:
        return sum((self.hours.between(begin, end or until) for begin, end in self.spans), NOTHING)

    def now(self, end: datetime) -> datetime:
        """The time that it shows at the end."""
        return end if self.paused_at is None else min(end, self.paused_at)

    def run(self, settled: datetime | None) -> ClockRun:
        spent = None if settled is None else self.ran(settled).total_seconds()
        return ClockRun(self.started, self.paused_at, self.paused().total_seconds(), spent, self.resets)


def alarms(rule: Clocked, clock: Clock, opened: datetime, until: datetime, *, escalates: bool) -> Alarms:
    """The warnings and the steps of escalation that have come by an instant."""
    warnings = [clock.when(share) for share in rule.warn_at]
    steps = [step for step in rule.escalate if clock.hours.after(clock.due, step.after) <= until]
    taken = steps if escalates else []
    passed = [at for at in warnings if opened < at <= until]
    skipped = [at for at in warnings if at <= opened]
    return Alarms(len(passed), len(skipped), len(taken), taken[-1].to if taken else "")
