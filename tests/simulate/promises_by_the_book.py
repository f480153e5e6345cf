"""Promises and stalls by the rules of the semantics, written to be read: each is followed through its whole journey.

In: a rule of the map, a journey's touchpoints in trail order and the end. Out: what has to be found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from clocks_by_the_book import Clock, Touched, alarms
from hours_by_the_book import Hours
from learned_by_the_book import Stayed, learned_forecast, learned_limit

from pipeline.simulate.found import FoundPromise, FoundStall
from pipeline.simulate.ledger import ClockRun, DatesTold, Forecast, LimitLearned, PartsBrought
from schemas import learned
from schemas.calendars import CalendarByField, DueEndOf
from schemas.clocks import Clocked
from schemas.promises import DueField, Promise
from schemas.stages import Stage

Calendars = Mapping[str, Hours]
Journey = list[Any]
"""`Touched`, in trail order."""


def found_promises(
    name: str,
    rule: Promise,
    key: str,
    journey: Journey,
    end: datetime,
    person: str,
    calendars: Calendars,
    stays: list[Stayed],
) -> Iterator[FoundPromise]:
    """`stays` are those of all journeys."""
    for making in journey:
        if making.pulls(rule.made_by):
            promised = _Promised(rule, making, journey, calendars)
            if rule.forecast is not None:
                promised.forecast = _forecast(rule.forecast, promised, stays)
            yield promised.found(name, key, end, person)


def stays_until_met(rule: Promise, forecast: learned.Forecast, journey: Journey) -> Iterator[Stayed]:
    """What others may learn from, of promises that are made before they are met; of one that was called off, nothing."""
    met = next((touch for touch in journey if touch.pulls(rule.met_by)), None)
    is_called_off = any(touch.pulls(rule.cancelled_by) for touch in journey)
    for making in journey:
        if making.pulls(rule.made_by) and (met is not None or not is_called_off):
            yield _stayed(forecast, making, met)


def _forecast(rule: learned.Forecast, promised: _Promised, stays: list[Stayed]) -> Forecast | None:
    making = promised.making
    within = promised.clock.due - making.time
    found = learned_forecast(stays, _stayed(rule, making, None), within, rule.probability, rule.least)
    return found and Forecast(making.time + found[0], *found[1:])


class _Promised:
    """One promise, followed through the touchpoints that concern it until one of them settles it."""

    def __init__(self, rule: Promise, making: Touched, journey: Journey, calendars: Calendars) -> None:
        self.rule, self.making = rule, making
        self.about = [
            touch for touch in journey if rule.per is None or touch.value(rule.per) in (None, self.per)
        ]
        self.hours = _hours_for(rule.calendar, making, calendars)
        self.started = _instant(making, rule.starts) or making.time
        self.told = [self._due(making)]
        self.times = 0
        self.clock = self._clock()
        self.met = self._fulfilment()
        self.is_cancelled = False
        self.forecast: Forecast | None = None
        self._follow()

    @property
    def per(self) -> Any:
        return None if self.rule.per is None else self.making.value(self.rule.per)

    def found(self, name: str, key: str, end: datetime, person: str) -> FoundPromise:
        rule, clock, making = self.rule, self.clock, self.making
        due, status = clock.due, self._status(end)
        met = None if self.is_cancelled or self.met is None else self.met.time
        until = clock.now(end if self.settled is None else self.settled)
        return FoundPromise(
            name,
            key,
            status,
            making.time,
            due,
            met,
            person,
            None if met is None else (met - due) / timedelta(hours=1),
            self.per,
            clock.run(self.settled),
            DatesTold(self.times, self.told[0], self.told[-1], min(self.told)) if self.times else None,
            alarms(rule, clock, making.time, until, escalates=status == "broken"),
            self._parts(),
            self.forecast,
        )

    def _due(self, telling: Touched) -> datetime:
        if isinstance(self.rule.due, DueField):
            return datetime.fromisoformat(telling.value(self.rule.due.field))
        if isinstance(self.rule.due, DueEndOf):
            return self.hours.end_of_day(self.started, self.rule.due.days())
        return self.hours.after(self.started, self.rule.due.within)

    def _clock(self) -> Clock:
        judged = {"first": self.told[0], "latest": self.told[-1], "best": min(self.told)}[self.rule.judged_by]
        clock = Clock(self.hours, self.hours.between(self.started, judged), self.started)
        clock.begin(self.started, is_paused=_is_paused_before(self.rule, self.about, self.making))
        return clock

    def _fulfilment(self) -> Any | None:
        """The touchpoint that meets it, or brings the last of its parts."""
        brought = 0
        for touch in self.about:
            brought += self._brought_by(touch)
            if brought >= self.needed:
                return touch
        return None

    def _brought_by(self, touch: Touched) -> int:
        if not touch.pulls(self.rule.met_by):
            return 0
        return 1 if self.rule.part is None else int(touch.value(self.rule.part))

    @property
    def needed(self) -> int:
        return 1 if self.rule.parts is None else int(self.making.value(self.rule.parts))

    def _follow(self) -> None:
        cancelling = next((touch for touch in self.about if touch.pulls(self.rule.cancelled_by)), None)
        self.settled: datetime | None = None if self.met is None else self.met.time
        for touch in self.about[self.about.index(self.making) + 1 :]:
            if touch is self.met or touch is cancelling:
                self.clock.go_on(touch.time)
            if touch is self.met:
                return
            if touch is cancelling and touch.time <= self.clock.due:
                self.settled, self.is_cancelled = touch.time, True
                return
            if touch.pulls(self.rule.revised_by):
                self._revise(touch)
            self.clock.told(self.rule, touch)

    def _revise(self, touch: Touched) -> None:
        self.times += 1
        if touch.time <= self.clock.due:
            self.told.append(self._due(touch))
            self.clock = self._clock()

    def _status(self, end: datetime) -> str:
        if self.is_cancelled:
            return "cancelled"
        if self.settled is not None:
            return "kept" if self.settled <= self.clock.due else "broken"
        now = self.clock.now(end)
        if now > self.clock.due:
            return "broken"
        return "at_risk" if now >= self._at_risk() else "revised" if self.times else "made"

    def _at_risk(self) -> datetime:
        if self.forecast is not None:
            return self.forecast.at_risk_at
        share = self.rule.at_risk
        return self.clock.when(share.otherwise if isinstance(share, learned.Forecast) else share)

    def _parts(self) -> PartsBrought | None:
        if self.rule.parts is None:
            return None
        brought = sum(map(self._brought_by, self.about))
        return PartsBrought(self.needed, min(self.needed, brought))


def stays_in(stage: Stage, rule: learned.LearnedLimit, journey: Journey) -> Iterator[Stayed]:
    """What others may learn from."""
    for entered, left in _visits(stage, journey):
        yield _stayed(rule, entered, left)


def _stayed(rule: learned.LearnedLimit | learned.Forecast, entered: Touched, left: Touched | None) -> Stayed:
    segment = None if rule.segment is None else entered.value(rule.segment)
    return Stayed(segment, entered.time, None if left is None else left.time)


def found_stalls(
    name: str,
    stage: Stage,
    key: str,
    journey: Journey,
    end: datetime,
    person: str,
    calendars: Calendars,
    stays: list[Stayed],
) -> Iterator[FoundStall]:
    """`stays` are those of all journeys."""
    if stage.expected is None:
        return
    for entered, left in _visits(stage, journey):
        hours = _hours_for(stage.calendar, entered, calendars)
        clock = Clock(hours, stage.expected, entered.time)
        clock.begin(entered.time, is_paused=_is_paused_before(stage, journey, entered))
        for touch in journey[journey.index(entered) :]:
            if touch is left:
                clock.go_on(left.time)
                break
            clock.told(stage, touch)
        told = None
        if stage.learned is not None:
            rule, stay = stage.learned, _stayed(stage.learned, entered, left)
            limit = learned_limit(stays, stay, rule.quantile, rule.times, rule.least)
            if limit is not None and entered.time + limit[0] < clock.due:
                clock, told = Clock(Hours(None), limit[0], entered.time), LimitLearned(*limit[1:])
                clock.begin(entered.time, is_paused=False)
        until = clock.now(end) if left is None else left.time
        if until > clock.due:
            yield _stall(name, stage, key, (entered, left), clock, until, person)._replace(learned=told)


def _stall(
    name: str,
    stage: Stage,
    key: str,
    visit: tuple[Any, Any | None],
    clock: Clock,
    until: datetime,
    person: str,
) -> FoundStall:
    entered, left = visit
    given_up = None if stage.abandoned_after is None else clock.hours.after(clock.due, stage.abandoned_after)
    told = alarms(
        stage, clock, entered.time, until if given_up is None else min(until, given_up), escalates=True
    )
    if (given_up is not None and until > given_up) or (left and left.pulls(stage.abandoned_by)):
        status = "abandoned"
    else:
        status = "resolved" if left else "escalated" if told.steps else "opened"
    run = clock.run(None)
    # of a stall neither the truth nor a table says since when its clock runs
    shown = ClockRun(None, run.paused_at, run.paused_seconds, None, run.resets)
    return FoundStall(name, key, status, entered.time, clock.due, left and left.time, person, shown, told)


def _visits(stage: Stage, journey: Journey) -> Iterator[tuple[Any, Any | None]]:
    """The touchpoints that enter and leave a stage; None for who is still inside."""
    leave = [*stage.leave, *stage.abandoned_by]
    if stage.visits == "once":
        entered = next((touch for touch in journey if touch.pulls(stage.enter)), None)
        left = next((touch for touch in journey if touch.pulls(leave)), None)
        if entered is not None and (left is None or left.time >= entered.time):
            yield entered, left
        return
    inside: Any | None = None
    for touch in journey:
        if inside is not None and touch.pulls(leave):
            yield inside, touch
            inside = None
        elif inside is None and touch.pulls(stage.enter):
            inside = touch
    if inside is not None:
        yield inside, None


def _is_paused_before(rule: Clocked, journey: Journey, opening: Touched) -> bool:
    """Whether a pause is on when something opens."""
    is_paused = False
    for touch in journey[: journey.index(opening)]:
        is_paused = (is_paused and not touch.pulls(rule.resumed_by)) or touch.pulls(rule.paused_by)
    return is_paused


def _hours_for(choice: str | CalendarByField | None, opening: Touched, calendars: Calendars) -> Hours:
    if isinstance(choice, CalendarByField):
        choice = choice.values.get(opening.value(choice.field), choice.otherwise)
    return Hours(None) if choice is None else calendars[choice]


def _instant(touch: Touched, path: str | None) -> datetime | None:
    text = None if path is None else touch.value(path)
    return None if text is None else datetime.fromisoformat(text)
