"""Promises that a story plans, and how they stand at an instant; `visits` has those to stages, `figures` those of figures.

In: what makes one, and the words that its journey's touchpoints say to it, some beyond the end. Out: its line of the truth
as of the end. Whose it is, is the person of the touchpoint that made it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile

from pipeline.core.instants import SECOND, micros, moment
from pipeline.core.messages import Micros
from pipeline.simulate.clocks import PLAIN, Act, Clock, Terms, Word, alarms_ahead, alarms_passed
from pipeline.simulate.experience import Experience, Stay
from pipeline.simulate.ledger import (
    QUIET_CLOCK,
    Alarms,
    ClockRun,
    DatesTold,
    Forecast,
    PartsBrought,
)
from pipeline.simulate.plans import CLOSE_CALL, Journey, Persons, is_clear_of, moment_or_none
from pipeline.simulate.truth import PromiseFate, PromiseTruth

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
        ahead = [
            stands.clock.at(_AT_RISK),
            *(due for due in stands.told),
            *alarms_ahead(stands.clock, self.terms),
        ]
        return stands.closest >= CLOSE_CALL and is_clear_of(end, ahead)

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
        forecast = self._forecast(experience)
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

    def _forecast(self, experience: Experience) -> Forecast | None:
        learning = self.terms.learning
        if learning is None:
            return None
        # also of one that was cancelled since, from which others learn nothing
        opened = Stay(self.rule, self.segment, self.made, None)
        found = experience.forecast(opened, self.due - self.made, learning)
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
        return alarms_passed(self.clock, self.plan.terms, self.plan.made, until, escalates=is_broken)

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


def _clock_run(clock: Clock, made: Micros, settled: Micros | None) -> ClockRun:
    """Quiet where nothing has happened to it."""
    if clock.started == made and not clock.pauses and clock.paused_at is None:
        return QUIET_CLOCK
    spent = None if settled is None else clock.ran(settled) / SECOND
    return ClockRun(
        moment(clock.started), moment_or_none(clock.paused_at), clock.paused / SECOND, spent, clock.resets
    )
