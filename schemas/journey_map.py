"""The journey map: the YAML file in which a team says what customers are promised and where they may wait.

`throughline validate MAP` checks a file against these models and names the line, the field and the remedy of
whatever is wrong. Everything that refers to another part of the map is checked here too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from difflib import get_close_matches
from typing import Annotated, Any, Literal, get_args

from pydantic import Discriminator, Field, StringConstraints, Tag, model_validator

from schemas.base import DOMAINS, Contract, InconsistentError, Name, Place, Problem, TypeName
from schemas.calendars import Calendar, CalendarByField, DueEndOf, names_of
from schemas.identifiers import DEFAULT_IDENTIFIERS, IdentifierKind
from schemas.promises import DueWithin, Promise
from schemas.stages import STAGE_TRIGGERS, ExpectedByField, Stage
from schemas.triggers import FieldPath, Trigger, Triggers
from schemas.values import ValueKind, ValuePromise


class TouchpointType(Contract):
    """A touchpoint type that the company uses, its owner team and its class."""

    owner: Annotated[str, StringConstraints(min_length=1)]
    touch: Literal["front_line", "supporting", "indirect"] = "front_line"
    title: str | None = None


def _promise_form(value: Any) -> str | None:
    if not isinstance(value, dict):
        return ValuePromise.__name__ if isinstance(value, ValuePromise) else Promise.__name__
    kind = value.get("kind", "deadline")
    if kind == "deadline":
        return Promise.__name__
    return ValuePromise.__name__ if kind in get_args(ValueKind) else None


AnyPromise = Annotated[
    Annotated[Promise, Tag("Promise")] | Annotated[ValuePromise, Tag("ValuePromise")],
    Discriminator(
        _promise_form,
        custom_error_type="promise_kind",
        custom_error_message=(
            "the `kind` of a promise is deadline, at_most, at_least, equals or range; write one of them"
        ),
    ),
]


class JourneyType(Contract):
    """A kind of journey. A person has one such journey for each value of the correlation `key`."""

    key: FieldPath = Field(description="For example identities.order_id or data.case.")
    end: Triggers = Field(default_factory=list, description="Touchpoints that complete the journey.")
    stages: dict[Name, Stage] = Field(default_factory=dict)
    promises: dict[Name, AnyPromise] = Field(default_factory=dict)
    title: str | None = None

    @property
    def deadlines(self) -> dict[str, Promise]:
        """The promises of an instant."""
        return {name: each for name, each in self.promises.items() if isinstance(each, Promise)}

    @property
    def values(self) -> dict[str, ValuePromise]:
        """The promises of a figure."""
        return {name: each for name, each in self.promises.items() if isinstance(each, ValuePromise)}


class JourneyMap(Contract):
    """The whole file."""

    version: Literal[1] = 1
    name: Name
    title: str | None = None
    identifiers: dict[Name, IdentifierKind] = Field(default_factory=lambda: dict(DEFAULT_IDENTIFIERS))
    touchpoints: dict[TypeName, TouchpointType]
    calendars: dict[Name, Calendar] = Field(default_factory=dict)
    journeys: dict[Name, JourneyType]

    @model_validator(mode="after")
    def _consistent(self) -> JourneyMap:
        problems = [
            *self._unknown_domains(),
            *self._undeclared_types(),
            *self._undeclared_kinds(),
            *self._unreachable(),
            *self._contradictions(),
            *self._repeated_names(),
            *self._unusable_calendars(),
            *self._misused_calendars(),
        ]
        if problems:
            raise InconsistentError(problems)
        return self

    def _places(self) -> Iterator[tuple[Place, list[Trigger]]]:
        for journey_name, journey in self.journeys.items():
            at: Place = ("journeys", journey_name)
            yield (*at, "end"), journey.end
            for name, stage in journey.stages.items():
                for field in STAGE_TRIGGERS:
                    yield (*at, "stages", name, field), getattr(stage, field)
            for name, promise in journey.promises.items():
                for place, triggers in promise.triggers():
                    yield (*at, "promises", name, *place), triggers

    def _triggers(self) -> Iterator[tuple[Place, Trigger]]:
        for place, triggers in self._places():
            for position, trigger in enumerate(triggers):
                yield (*place, position), trigger

    def _unknown_domains(self) -> Iterator[Problem]:
        for name in self.touchpoints:
            domain = name.partition(".")[0]
            if domain not in DOMAINS:
                remedy = f"{_meant(domain, DOMAINS)}begin it with one of {', '.join(DOMAINS)}"
                yield (
                    ("touchpoints", name),
                    f"a type begins with its domain, and {domain!r} is none; {remedy}",
                )

    def _undeclared_types(self) -> Iterator[Problem]:
        for place, trigger in self._triggers():
            if trigger.type not in self.touchpoints:
                remedy = f"{_meant(trigger.type, self.touchpoints)}add it under touchpoints, with its owner"
                yield (*place, "type"), f"the type {trigger.type!r} is not declared; {remedy}"

    def _undeclared_kinds(self) -> Iterator[Problem]:
        paths: list[tuple[Place, str]] = [(("journeys", n, "key"), j.key) for n, j in self.journeys.items()]
        paths += self._read_fields()
        paths += [
            ((*place, "where", path), path) for place, trigger in self._triggers() for path in trigger.where
        ]
        for place, path in paths:
            root, _, kind = path.partition(".")
            if root == "identities" and kind not in self.identifiers:
                meant = _meant(kind, self.identifiers)
                remedy = f"{meant}add it under identifiers, or use one of {', '.join(self.identifiers)}"
                yield place, f"the identifier kind {kind!r} is not declared; {remedy}"

    def _read_fields(self) -> Iterator[tuple[Place, str]]:
        """The fields that rules read beside the conditions of triggers."""
        for journey_name, journey in self.journeys.items():
            at: Place = ("journeys", journey_name)
            rules: dict[str, Mapping[str, Stage | Promise | ValuePromise]] = {
                "stages": journey.stages,
                "promises": journey.promises,
            }
            for kind, named in rules.items():
                for name, rule in named.items():
                    for attribute, path in rule.attributes.items():
                        yield (*at, kind, name, "attributes", attribute), path
                    chosen = None if isinstance(rule, ValuePromise) else rule.calendar
                    if isinstance(chosen, CalendarByField):
                        before = () if kind == "stages" else ("due",)
                        yield (*at, kind, name, *before, "calendar", "field"), chosen.field
                    if isinstance(rule, Stage) and isinstance(rule.expected, ExpectedByField):
                        yield (*at, kind, name, "expected", "field"), rule.expected.field
                    learned = getattr(rule, "learned" if kind == "stages" else "forecast", None)
                    if learned is not None and learned.segment is not None:
                        field = "learned" if kind == "stages" else "at_risk"
                        yield (*at, kind, name, field, "segment"), learned.segment
                    for field in ("per", "parts", "part"):
                        if (path_or_none := getattr(rule, field, None)) is not None:
                            yield (*at, kind, name, field), path_or_none

    def _unreachable(self) -> Iterator[Problem]:
        for place, triggers in self._places():
            consequence = _WITHOUT.get(str(place[-1]))
            if not triggers and consequence:
                yield place, f"{consequence}; name at least one touchpoint type"

    def _contradictions(self) -> Iterator[Problem]:
        for journey_name, journey in self.journeys.items():
            at: Place = ("journeys", journey_name)
            for name, stage in journey.stages.items():
                for place, message in stage.problems():
                    yield (*at, "stages", name, *place), message
            for name, promise in journey.deadlines.items():
                for place, message in promise.problems():
                    yield (*at, "promises", name, *place), message
            for name, value in journey.values.items():
                for place, message in value.problems(has_end=bool(journey.end)):
                    yield (*at, "promises", name, *place), message

    def _repeated_names(self) -> Iterator[Problem]:
        seen: dict[tuple[str, str], str] = {}
        for journey_name, journey in self.journeys.items():
            parts: dict[str, Iterable[str]] = {"stages": journey.stages, "promises": journey.promises}
            for kind, names in parts.items():
                for name in names:
                    other = seen.setdefault((kind, name), journey_name)
                    if other != journey_name:
                        wrong = f"the name is already used in journeys.{other}.{kind}"
                        remedy = f"names of {kind} are unique in a map, choose another"
                        yield ("journeys", journey_name, kind, name), f"{wrong}; {remedy}"

    def _unusable_calendars(self) -> Iterator[Problem]:
        for name, calendar in self.calendars.items():
            for place, message in calendar.problems():
                yield ("calendars", name, *place), message

    def _misused_calendars(self) -> Iterator[Problem]:
        for place, counted, within, name, duration in self._uses_of_calendars():
            calendar = self.calendars.get(name)
            if calendar is None:
                remedy = f"{_meant(name, self.calendars)}add it under calendars, with its zone and hours"
                yield (*place, "calendar", *within), f"the calendar {name!r} is not declared; {remedy}"
            elif duration is None and counted == ("expected",):
                wrong = "without `expected` the stage has no limit that a calendar could count"
                yield (*place, "calendar"), f"{wrong}; add it, or take the calendar out"
            elif duration is not None and duration > _LONGEST_WEEKS * timedelta(
                minutes=calendar.weekly_minutes()
            ):
                wrong = f"the calendar {name!r} is open {calendar.weekly_minutes() / 60:g} h a week"
                remedy = "write a shorter duration or other hours"
                yield (*place, *counted), f"{wrong}, so that this takes more than ten years; {remedy}"

    def _uses_of_calendars(self) -> Iterator[tuple[Place, Place, Place, str, timedelta | None]]:
        """Where a calendar is used: (place, what it counts, its place in a choice, its name, the duration if there is
        one).
        """
        for journey_name, journey in self.journeys.items():
            at: Place = ("journeys", journey_name)
            for name, stage in journey.stages.items():
                durations: list[tuple[Place, timedelta | None]] = [*stage.durations()]
                for within, calendar in names_of(stage.calendar):
                    for place, duration in durations or [(("expected",), None)]:
                        yield (*at, "stages", name), place, within, calendar, duration
            for name, promise in journey.deadlines.items():
                due = promise.due
                counts = "end_of" if isinstance(due, DueEndOf) else "within"
                runs = due.within if isinstance(due, DueWithin) else None
                for within, calendar in names_of(promise.calendar):
                    yield (*at, "promises", name, "due"), (counts,), within, calendar, runs


_LONGEST_WEEKS = 10 * 52
_WITHOUT = {
    "enter": "a stage without `enter` is never entered",
    "leave": "a stage without `leave` is never left, so that everyone in it ends up stuck",
    "made_by": "a promise without `made_by` is never made",
    "met_by": "a promise without `met_by` can only break",
    **dict.fromkeys(("of", "count", "from", "to"), "a measure without touchpoints finds nothing"),
}


def _meant(wrong: str, right: Iterable[str]) -> str:
    near = get_close_matches(wrong, list(right), n=1)
    return f"did you mean {near[0]!r}? Otherwise " if near else ""
