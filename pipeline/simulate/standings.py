"""Promises and visits that a story plans, and how they stand at an instant.

In: what opens one, and the words that its journey's touchpoints say to it, some beyond the end. Out: its line of the truth
as of the end. Whose it is, is the person of the touchpoint that opened it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile

from pipeline.core.instants import SECOND, micros, moment
from pipeline.core.messages import Micros
from pipeline.simulate.clocks import PLAIN, Act, Clock, Terms, Word
from pipeline.simulate.experience import Experience, Stay
from pipeline.simulate.hours import ALWAYS
from pipeline.simulate.ledger import (
    QUIET_CLOCK,
    Alarms,
    ClockRun,
    DatesTold,
    Forecast,
    LimitLearned,
    PartsBrought,
)
from pipeline.simulate.plans import CLOSE_CALL, END_MARGIN, Journey, Persons
from pipeline.simulate.truth import PromiseFate, PromiseTruth, StallFate, StallTruth

_AT_RISK = 0.75
_JUDGES = ("first", "latest", "best")
_HOUR = 3600 * SECOND


@dataclass(slots=True, frozen=True)
class PlannedPromise:
    """`words` in order of time, none before the making; what follows the one that settles it is ignored.

    `due` is what was told or follows from the rule first, counted from `started`. `parts`: in how many it is met, 0 if by
    a word that meets it. `segment`: by which promises are told apart where something is learned of them.
    """

    rule: str
    journey: Journey
    made: Micros
    due: Micros
    words: tuple[Word, ...]
    terms: Terms = PLAIN
    started: Micros | None = None
    per: str | None = None
    parts: int = 0
    segment: str | None = None

    def is_clear(self, end: Micros) -> bool:
        """But for when it is at risk by forecast: that is not known yet."""
        stands = _Promised(self, end)
        ahead = [stands.clock.at(_AT_RISK), *(due for due in stands.told), *_alarms(stands.clock, self.terms)]
        return stands.closest >= CLOSE_CALL and _is_clear_of(end, ahead)

    def stay(self, end: Micros) -> Stay | None:
        """What others may learn from; None if there is nothing, as when it was cancelled."""
        if self.terms.learning is None or self.made > end:
            return None
        stands = _Promised(self, end)
        return None if stands.is_cancelled else Stay(self.rule, self.segment, self.made, stands.met)

    def as_of(self, end: Micros, persons: Persons, experience: Experience) -> PromiseTruth | None:
        """None when it has not been made by then."""
        if self.made > end:
            return None
        stands = _Promised(self, end)
        forecast = self._forecast(end, experience)
        met, due = stands.met, stands.clock.due
        return PromiseTruth(
            self.rule,
            *self.journey,
            stands.status(
                end, stands.clock.at(_AT_RISK) if forecast is None else micros(forecast.at_risk_at)
            ),
            moment(self.made),
            moment(due),
            None if met is None else moment(met),
            persons[self.made],
            None if met is None else (met - due) / _HOUR,
            self.per,
            _clock_run(stands.clock, self.made, stands.settled),
            stands.dates(),
            stands.alarms(end),
            PartsBrought(self.parts, stands.brought) if self.parts else None,
            forecast,
        )

    def _forecast(self, end: Micros, experience: Experience) -> Forecast | None:
        stay, learning = self.stay(end), self.terms.learning
        if stay is None or learning is None:
            return None
        found = experience.forecast(stay, self.due - self.made, learning)
        return found and Forecast(moment(self.made + found.at_risk_after), found.probability, found.ended)


class _Promised:
    """A promise with everything that was said of it up to `end`.

    `told`: the first due time, the latest and the earliest that were told in time. `closest`: how near a word came to the
    due time that held then.
    """

    def __init__(self, plan: PlannedPromise, end: Micros) -> None:
        self.plan = plan
        self.started = plan.made if plan.started is None else plan.started
        self.told = (plan.due, plan.due, plan.due)
        self.clock = self._clock_until(plan.due)
        self.revisions = self.brought = 0
        self.settled: Micros | None = None
        self.is_cancelled = False
        self.closest: Micros = 2**62
        for word in takewhile(lambda word: word.time <= end and self.settled is None, plan.words):
            self._take(word)

    @property
    def met(self) -> Micros | None:
        return None if self.is_cancelled else self.settled

    def status(self, end: Micros, at_risk_at: Micros) -> PromiseFate:
        if self.is_cancelled:
            return "cancelled"
        if self.settled is not None:
            return "kept" if self.settled <= self.clock.due else "met_late"
        if self.clock.is_over(end):
            return "broken"
        if self.clock.reached(end) >= at_risk_at:
            return "at_risk"
        return "revised" if self.revisions else "made"

    def dates(self) -> DatesTold | None:
        return DatesTold(self.revisions, *map(moment, self.told)) if self.revisions else None

    def alarms(self, end: Micros) -> Alarms:
        until = self.clock.reached(end if self.settled is None else self.settled)
        is_broken = not self.is_cancelled and until > self.clock.due
        return _passed(self.clock, self.plan.terms, self.plan.made, until, escalates=is_broken)

    def _clock_until(self, due: Micros) -> Clock:
        hours = self.plan.terms.hours
        return Clock(hours, hours.between(self.started, due), self.started)

    def _take(self, word: Word) -> None:
        is_over = self.clock.is_over(word.time)
        self.closest = min(self.closest, abs(self.clock.reached(word.time) - self.clock.due))
        match word.act:
            case Act.REVISE:
                self._revise(word.due, is_over=is_over)
            case Act.BRING:
                self.brought += word.parts
                if self.brought >= self.plan.parts:
                    self.settled = word.time
            case Act.CANCEL if is_over:
                pass
            case Act.MEET | Act.CANCEL:
                self.clock.take(word)
                self.settled, self.is_cancelled = word.time, word.act is Act.CANCEL
            case _:
                self.clock.take(word)

    def _revise(self, due: Micros, *, is_over: bool) -> None:
        self.revisions += 1
        if not is_over:
            first, _, best = self.told
            self.told = (first, due, min(best, due))
            self.clock = self._clock_until(self.told[_JUDGES.index(self.plan.terms.judged_by)])


@dataclass(slots=True, frozen=True)
class PlannedVisit:
    """`words`: all that is said in the journey, also before it was entered; a pause then is one that it begins in.

    `gives_up`: what leaves the stage does so because nobody waits any more. `segment`: by which stays are told apart.
    """

    stage: str
    journey: Journey
    entered: Micros
    left: Micros | None
    limit: Micros
    terms: Terms = PLAIN
    words: tuple[Word, ...] = ()
    gives_up: bool = False
    segment: str | None = None

    def is_clear(self, end: Micros) -> bool:
        """As far as its own limit goes: what will be learned is not known yet."""
        clock = self._clock(end)
        ahead = [clock.due, *_alarms(clock, self.terms)]
        calls = [self.left, *(word.time for word in self.words)]
        is_close = any(at is not None and abs(at - each) < CLOSE_CALL for at in calls for each in ahead)
        return not is_close and _is_clear_of(end, ahead)

    def stay(self, end: Micros) -> Stay | None:
        """What others may learn from; None if it has not begun by then, or nothing is learned of the stage."""
        if self.terms.learning is None or self.entered > end:
            return None
        left = self.left if self.left is not None and self.left <= end else None
        return Stay(self.stage, self.segment, self.entered, left)

    def as_of(self, end: Micros, persons: Persons, experience: Experience) -> StallTruth | None:
        """None when the visit has not outlasted its limit by then."""
        clock, learned = self._judged(end, experience)
        left = self.left if self.left is not None and self.left <= end else None
        until = clock.reached(end if left is None else left)
        if until <= clock.due:
            return None
        return StallTruth(
            self.stage,
            *self.journey,
            self._status(clock, left, until),
            moment(self.entered),
            moment(clock.due),
            None if left is None else moment(left),
            persons[self.entered],
            ClockRun(
                paused_at=_moment(clock.paused_at), paused_seconds=clock.paused / SECOND, resets=clock.resets
            ),
            _passed(clock, self.terms, self.entered, min(until, self._abandoned(clock))),
            learned,
        )

    def _judged(self, end: Micros, experience: Experience) -> tuple[Clock, LimitLearned | None]:
        """The clock of the limit that counts, which is the shorter one, and what it was learned from."""
        clock, learning, stay = self._clock(end), self.terms.learning, self.stay(end)
        if learning is None or stay is None:
            return clock, None
        limit = experience.limit(stay, learning)
        if limit is None or self.entered + limit.duration >= clock.due:
            return clock, None
        # it is elapsed time, whatever the hours
        return Clock(ALWAYS, limit.duration, self.entered), LimitLearned(limit.ended, limit.segment)

    def _clock(self, end: Micros) -> Clock:
        before = [word.act for word in self.words if word.time < self.entered and word.act in _STOPS]
        is_paused = bool(before) and before[-1] is Act.PAUSE
        clock = Clock(self.terms.hours, self.limit, self.entered, is_paused=is_paused)
        for word in self.words:
            if self.entered <= word.time <= end and (self.left is None or word.time < self.left):
                clock.take(word)
        if self.left is not None and self.left <= end:
            clock.take(Word(self.left, Act.RESUME))
        return clock

    def _status(self, clock: Clock, left: Micros | None, until: Micros) -> StallFate:
        if until > self._abandoned(clock) or (left is not None and self.gives_up):
            return "abandoned"
        if left is not None:
            return "resolved"
        return "escalated" if clock.steps(self.terms.steps, until) else "opened"

    def _abandoned(self, clock: Clock) -> Micros:
        """The last instant at which somebody still waits."""
        lasts = self.terms.given_up
        return 2**62 if lasts is None else clock.hours.after(clock.due, lasts)


_STOPS = (Act.PAUSE, Act.RESUME)


def _alarms(clock: Clock, terms: Terms) -> Iterable[Micros]:
    """The instants at which time alone lets something be said."""
    yield from map(clock.at, terms.warn_at)
    late = [step.after for step in terms.steps] + ([] if terms.given_up is None else [terms.given_up])
    yield from (clock.hours.after(clock.due, after) for after in late)


def _passed(clock: Clock, terms: Terms, opened: Micros, until: Micros, *, escalates: bool = True) -> Alarms:
    warnings = [clock.at(share) for share in terms.warn_at]
    steps = clock.steps(terms.steps, until) if escalates else []
    return Alarms(
        sum(opened < at <= until for at in warnings),
        sum(at <= opened for at in warnings),
        len(steps),
        steps[-1].to if steps else "",
    )


def _clock_run(clock: Clock, made: Micros, settled: Micros | None) -> ClockRun:
    """Quiet where nothing has happened to it."""
    if clock.started == made and not clock.pauses and clock.paused_at is None:
        return QUIET_CLOCK
    spent = None if settled is None else clock.ran(settled) / SECOND
    return ClockRun(
        moment(clock.started), _moment(clock.paused_at), clock.paused / SECOND, spent, clock.resets
    )


def _is_clear_of(end: Micros, instants: Iterable[Micros]) -> bool:
    return all(abs(at - end) >= END_MARGIN for at in instants)


def _moment(instant: Micros | None) -> datetime | None:
    return None if instant is None else moment(instant)
