"""What a promise or a stage of the company has beyond its limit, and the clock that its journey's touchpoints set.

The truth's own bookkeeping: a clock here remembers every pause and adds up what ran between them, where the core's keeps
only what is left.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal, NamedTuple

from pipeline.core.messages import Micros
from pipeline.simulate.hours import ALWAYS, Hours
from pipeline.simulate.ledger import Alarms


class Step(NamedTuple):
    """So long after the breach, `to` is told."""

    after: Micros
    to: str


class Learning(NamedTuple):
    """What the map lets be learned: a limit that `quantile` of the stays do not outlast, `times` as long; or a forecast, by
    which a promise is at risk once it breaks with this `probability`. `least`: how many have to have ended.
    """

    least: int
    quantile: float = 0.0
    times: float = 1.0
    probability: float = 0.0


@dataclass(frozen=True, slots=True)
class Terms:
    """What the map says of a promise or a stage, as far as it is more than a limit.

    `hours`: in which its time runs. `given_up`: how long after it began a stall is abandoned. `learning`: what earlier ones
    say of it.
    """

    hours: Hours = ALWAYS
    judged_by: Literal["first", "latest", "best"] = "latest"
    warn_at: tuple[float, ...] = ()
    steps: tuple[Step, ...] = ()
    given_up: Micros | None = None
    learning: Learning | None = None


PLAIN = Terms()


class Act(Enum):
    """What a touchpoint does to a promise or a visit."""

    REVISE = auto()
    PAUSE = auto()
    RESUME = auto()
    RESET = auto()
    BRING = auto()
    """some of the parts in which a promise is met"""
    MEET = auto()
    CANCEL = auto()


class Word(NamedTuple):
    """An act at an instant; `due` is the date that is told anew, `parts` how many of them it brings."""

    time: Micros
    act: Act
    due: Micros = 0
    parts: int = 1


class Clock:
    """Runs towards a target from an instant on, in its hours and outside its pauses.

    All its instants are as if a pause under way ended as it began.
    """

    def __init__(self, hours: Hours, target: Micros, start: Micros, *, is_paused: bool = False) -> None:
        self.hours = hours
        self.target = target
        self.started = start
        self.resets = 0
        self.pauses: list[tuple[Micros, Micros]] = []
        self.paused_at = start if is_paused else None

    def at(self, share: float = 1.0) -> Micros:
        """The first instant by which a share of the target has run."""
        left, since = round(self.target * share), self.started
        for begin, end in self.pauses:
            ran = self.hours.between(since, begin)
            if ran >= left:
                break
            left, since = left - ran, end
        return self.hours.after(since, left)

    def ran(self, until: Micros) -> Micros:
        """How much had run when it was settled."""
        total, since = 0, self.started
        for begin, end in self.pauses:
            total, since = total + self.hours.between(since, begin), end
        return total + self.hours.between(since, until)

    @property
    def due(self) -> Micros:
        return self.at()

    @property
    def paused(self) -> Micros:
        return sum(end - begin for begin, end in self.pauses)

    def reached(self, time: Micros) -> Micros:
        """How far it has come when it is `time`."""
        return time if self.paused_at is None else min(time, self.paused_at)

    def is_over(self, time: Micros) -> bool:
        """Whether its due time has passed, which nothing mends."""
        return self.reached(time) > self.due

    def take(self, word: Word) -> None:
        """Let a word stop it, let it go on, or begin it anew; whatever else it does."""
        match word.act:
            case Act.PAUSE if self.paused_at is None and word.time < self.due:
                self.paused_at = word.time
            case Act.RESUME | Act.MEET | Act.CANCEL if self.paused_at is not None:
                self.pauses.append((self.paused_at, word.time))
                self.paused_at = None
            case Act.RESET if not self.is_over(word.time):
                self.started, self.pauses = word.time, []
                self.resets += 1
                self.paused_at = None if self.paused_at is None else word.time

    def steps(self, steps: tuple[Step, ...], until: Micros) -> list[Step]:
        """The steps of escalation that have been taken by an instant."""
        return [step for step in steps if self.hours.after(self.due, step.after) <= until]


def alarms_ahead(clock: Clock, terms: Terms) -> Iterable[Micros]:
    """The instants at which time alone lets something be said."""
    yield from map(clock.at, terms.warn_at)
    late = [step.after for step in terms.steps] + ([] if terms.given_up is None else [terms.given_up])
    yield from (clock.hours.after(clock.due, after) for after in late)


def alarms_passed(
    clock: Clock, terms: Terms, opened: Micros, until: Micros, *, escalates: bool = True
) -> Alarms:
    """What has been said by an instant; warnings that were past as it opened are skipped."""
    warnings = [clock.at(share) for share in terms.warn_at]
    steps = clock.steps(terms.steps, until) if escalates else []
    return Alarms(
        sum(opened < at <= until for at in warnings),
        sum(at <= opened for at in warnings),
        len(steps),
        steps[-1].to if steps else "",
    )
