"""Visits to stages that a story plans, and how they stand at an instant.

In: when one was entered and left, and the words that its journey's touchpoints say to it, some beyond the end. Out: its line
of the truth as of the end. Whose it is, is the person of the touchpoint that entered it.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.core.instants import SECOND, moment
from pipeline.core.messages import Micros
from pipeline.simulate.clocks import PLAIN, Act, Clock, Terms, Word, alarms_ahead, alarms_passed
from pipeline.simulate.experience import Experience, Stay
from pipeline.simulate.hours import ALWAYS
from pipeline.simulate.ledger import ClockRun, LimitLearned
from pipeline.simulate.plans import CLOSE_CALL, Journey, Persons, is_clear_of, moment_or_none
from pipeline.simulate.truth import StallFate, StallTruth

_STOPS = (Act.PAUSE, Act.RESUME)


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
        ahead = [clock.due, *alarms_ahead(clock, self.terms)]
        calls = [self.left, *(word.time for word in self.words)]
        is_close = any(at is not None and abs(at - each) < CLOSE_CALL for at in calls for each in ahead)
        return not is_close and is_clear_of(end, ahead)

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
                paused_at=moment_or_none(clock.paused_at),
                paused_seconds=clock.paused / SECOND,
                resets=clock.resets,
            ),
            alarms_passed(clock, self.terms, self.entered, min(until, self._abandoned(clock))),
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
