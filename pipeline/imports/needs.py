"""What the rules of a journey map need of touchpoints: their types, their fields, and what follows without them.

In: a journey map. Out: for each rule its `Opening` and what has to come as well (`Sequel`), and the fields that it
reads (`Read`); each with its place in the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.imports.makers import Kind, kind_of
from schemas.base import Place
from schemas.calendars import CalendarByField, DueEndOf
from schemas.figures import LimitField, MeasuredDuration, MeasuredField, PromisedField, PromisedRange
from schemas.journey_map import JourneyMap, JourneyType
from schemas.learned import Forecast
from schemas.promises import DueField, Promise
from schemas.stages import STAGE_TRIGGERS, ExpectedByField, Stage
from schemas.triggers import Trigger
from schemas.values import ValuePromise

Triggers = Sequence[Trigger]

_NUMBER: frozenset[Kind] = frozenset({float})
_EMPTY = "it is always empty"
_OTHERWISE = "`otherwise` always holds"


@dataclass(frozen=True)
class Opening:
    """What a promise or a stage can't begin without."""

    place: Place
    triggers: Triggers


@dataclass(frozen=True)
class Sequel:
    """Where some of `after` come, some of `triggers` have to come as well; `otherwise` is what follows if they don't."""

    place: Place
    after: Triggers
    triggers: Triggers
    otherwise: str


@dataclass(frozen=True)
class Read:
    """A field that is read of the touchpoints of triggers, as a value of the kinds that are `wanted` (none: any).

    `otherwise`: what follows when none of them has it. With `may_be_meant` that is a use of the rule like any other.
    """

    place: Place
    path: str
    triggers: Triggers
    otherwise: str
    wanted: frozenset[Kind] = frozenset()
    may_be_meant: bool = False


def openings(journey_map: JourneyMap) -> Iterator[Opening]:
    """Of each promise and stage."""
    for at, journey in _journeys(journey_map):
        for name, stage in journey.stages.items():
            yield Opening((*at, "stages", name), stage.enter)
        for name, promise in journey.promises.items():
            measured = promise.measured_by if isinstance(promise, ValuePromise) else []
            yield Opening((*at, "promises", name), promise.made_by or measured)


def sequels(journey_map: JourneyMap) -> Iterator[Sequel]:
    for at, journey in _journeys(journey_map):
        for name, stage in journey.stages.items():
            place = (*at, "stages", name)
            left = [*stage.leave, *stage.abandoned_by]
            yield Sequel((*place, "leave"), stage.enter, left, "whoever enters the stage stays in it")
            yield _resumed(place, stage)
        for name, promise in journey.promises.items():
            place = (*at, "promises", name)
            if isinstance(promise, ValuePromise):
                yield from _measured(place, promise)
            else:
                met_by = (*place, "met_by")
                yield Sequel(met_by, promise.made_by, promise.met_by, "the promise is never met")
                yield _resumed(place, promise)


def _resumed(place: Place, rule: Stage | Promise) -> Sequel:
    otherwise = "a clock that was paused once never runs again"
    return Sequel((*place, "resumed_by"), rule.paused_by, rule.resumed_by, otherwise)


def _measured(place: Place, promise: ValuePromise) -> Iterator[Sequel]:
    measured_by, *others = [place for place, _ in promise.triggers() if place[0] == "measure"]
    yield Sequel((*place, *measured_by), promise.made_by, promise.measured_by, "nothing is ever measured")
    if isinstance(promise.measure, MeasuredDuration):
        [to] = others
        yield Sequel((*place, *to), promise.measure.from_, promise.measure.to, "no duration ever ends")


def reads(journey_map: JourneyMap) -> Iterator[Read]:
    for at, journey in _journeys(journey_map):
        told = [*_triggers(at, journey)]
        for _, trigger in told:
            yield Read((*at, "key"), journey.key, [trigger], "they are in no such journey")
        for place, trigger in told:
            for path, asked in trigger.where.items():
                wanted = frozenset(map(kind_of, asked if isinstance(asked, list) else [asked]))
                yield Read((*place, "where", path), path, [trigger], "the condition never holds", wanted)
        for name, stage in journey.stages.items():
            yield from _of_stage((*at, "stages", name), stage)
        for name, promise in journey.promises.items():
            place = (*at, "promises", name)
            if isinstance(promise, ValuePromise):
                yield from _of_figures(place, promise)
            else:
                yield from _of_deadline(place, promise)


def _journeys(journey_map: JourneyMap) -> Iterator[tuple[Place, JourneyType]]:
    for name, journey in journey_map.journeys.items():
        yield ("journeys", name), journey


def _triggers(at: Place, journey: JourneyType) -> Iterator[tuple[Place, Trigger]]:
    named: list[tuple[Place, Triggers]] = [((*at, "end"), journey.end)]
    for name, stage in journey.stages.items():
        named += [((*at, "stages", name, each), getattr(stage, each)) for each in STAGE_TRIGGERS]
    for name, promise in journey.promises.items():
        named += [((*at, "promises", name, *place), triggers) for place, triggers in promise.triggers()]
    for place, triggers in named:
        yield from (((*place, position), trigger) for position, trigger in enumerate(triggers))


def _of_stage(place: Place, stage: Stage) -> Iterator[Read]:
    yield from _attributes(place, stage, stage.enter)
    if isinstance(stage.calendar, CalendarByField):
        yield Read((*place, "calendar", "field"), stage.calendar.field, stage.enter, _OTHERWISE)
    if isinstance(stage.expected, ExpectedByField):
        yield Read((*place, "expected", "field"), stage.expected.field, stage.enter, _OTHERWISE)
    if stage.learned is not None and stage.learned.segment is not None:
        yield Read((*place, "learned", "segment"), stage.learned.segment, stage.enter, _EMPTY)


def _of_deadline(place: Place, promise: Promise) -> Iterator[Read]:
    made = promise.made_by
    told = {"field": promise.due.field} if isinstance(promise.due, DueField) else {}
    if isinstance(promise.due, DueEndOf) and promise.due.of is not None:
        told = {"of": promise.due.of}
    for name, path in told.items():
        for each in (*made, *promise.revised_by):
            yield Read((*place, "due", name), path, [each], "they promise nothing")
    if isinstance(promise.calendar, CalendarByField):
        yield Read((*place, "due", "calendar", "field"), promise.calendar.field, made, _OTHERWISE)
    if promise.starts is not None:
        yield Read((*place, "starts"), promise.starts, made, "the clock always starts with the making")
    if promise.parts is not None:
        yield Read((*place, "parts"), promise.parts, made, "the promise never has parts")
    if promise.part is not None:
        yield Read((*place, "part"), promise.part, promise.met_by, "each brings one part", may_be_meant=True)
    if isinstance(promise.at_risk, Forecast) and promise.at_risk.segment is not None:
        yield Read((*place, "at_risk", "segment"), promise.at_risk.segment, made, _EMPTY)
    yield from _per(place, promise)
    yield from _attributes(place, promise, made)


def _of_figures(place: Place, promise: ValuePromise) -> Iterator[Read]:
    promised, opening = promise.promised, promise.made_by or promise.measured_by
    limits: list[tuple[Place, str]] = []
    if isinstance(promised, PromisedField):
        limits = [(("field",), promised.field)]
    elif isinstance(promised, PromisedRange):
        ends = (("from", promised.from_), ("to", promised.to))
        limits = [((end, "field"), limit.field) for end, limit in ends if isinstance(limit, LimitField)]
    for at, path in limits:
        for each in opening:
            yield Read((*place, "promised", *at), path, [each], "they promise nothing", _NUMBER)
    if isinstance(promise.measure, MeasuredField):
        for each in promise.measure.of:
            at, field = (*place, "measure", "field"), promise.measure.field
            yield Read(at, field, [each], "they measure nothing", _NUMBER)
    yield from _per(place, promise)
    yield from _attributes(place, promise, opening)


def _per(place: Place, promise: Promise | ValuePromise) -> Iterator[Read]:
    if promise.per is not None:
        for (field, *_), triggers in promise.triggers():
            is_making, otherwise = field == "made_by", "they concern every promise"
            for each in triggers:
                yield Read((*place, "per"), promise.per, [each], otherwise, may_be_meant=not is_making)


def _attributes(place: Place, rule: Stage | Promise | ValuePromise, opening: Triggers) -> Iterator[Read]:
    for name, path in rule.attributes.items():
        yield Read((*place, "attributes", name), path, opening, _EMPTY)
