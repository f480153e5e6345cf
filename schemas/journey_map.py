"""The journey map: the YAML file in which a team says what customers are promised and where they may wait.

`throughline validate MAP` checks a file against these models and names the line, the field and the remedy of
whatever is wrong. Everything that refers to another part of the map is checked here too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from difflib import get_close_matches
from functools import partial
from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    PlainSerializer,
    StringConstraints,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from schemas.base import DOMAINS, Contract, InconsistentError, Name, Place, Scalar, TypeName
from schemas.calendars import Calendar, DueEndOf

Problem = tuple[Place, str]

_UNITS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_LONGEST = 36500 * 86400.0
_DURATION = re.compile(r"^\s*(?:\d+(?:\.\d+)?\s*(?:ms|s|m|h|d|w)\s*)+$")
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)")


def parse_duration(text: object) -> timedelta:
    """`90m`, `24h`, `14d`, `1d 12h`: number and unit (ms, s, m, h, d, w), as often as needed.

    Raises ValueError for anything else; a bare number is refused because its unit is a guess.
    """
    if isinstance(text, timedelta):
        return text
    if not isinstance(text, str) or not _DURATION.match(text):
        raise ValueError(f"write a duration as number and unit, such as 30m, 24h or 14d, not {text!r}")
    seconds = sum(float(n) * _UNITS[unit] for n, unit in _PART.findall(text))
    if not 0 < seconds <= _LONGEST:
        raise ValueError(f"a duration is longer than zero and at most 36500d, not {text!r}")
    return timedelta(seconds=seconds)


def _duration_text(value: timedelta) -> str:
    """A duration as the file writes it, exact to the microsecond."""
    return f"{value.total_seconds():.6f}".rstrip("0").rstrip(".") + "s"


def _clear_on_a_calendar(duration: Any, calendar: str | None, remedy: str) -> Any:
    """Refuse days and weeks of a calendar: some mean business days by them, others 24 open hours each."""
    is_text = isinstance(duration, str) and _DURATION.match(duration)
    if calendar is not None and is_text and re.search("[dw]", duration):
        wrong = f"{duration!r} on a calendar may mean business days, or 24 open hours for each day"
        raise ValueError(f"{wrong}; {remedy}")
    return duration


Duration = Annotated[
    timedelta, BeforeValidator(parse_duration), PlainSerializer(_duration_text, return_type=str)
]
FieldPath = Annotated[
    str, StringConstraints(pattern=r"^(data|identities)(\.[A-Za-z0-9_\-]+)+$|^(subject|outcome)$")
]
"""A field of a touchpoint: `data.<name>` (more dots go deeper), `identities.<kind>`, `subject`, `outcome`."""


def _data_only(path: str) -> str:
    if not path.startswith("data."):
        raise ValueError(f"a due time is read from the touchpoint's data: write data.<name>, not {path!r}")
    return path


def _finite(values: Any) -> Any:
    for value in values if isinstance(values, list) else [values]:
        if isinstance(value, float) and not isfinite(value):
            raise ValueError(f"{value} is no number that a touchpoint can have; write a finite one")
    return values


class Trigger(Contract):
    """A touchpoint type, and optionally what its fields must equal: one value, or any of a list."""

    type: TypeName
    where: dict[FieldPath, Annotated[Scalar | list[Scalar], AfterValidator(_finite)]] = Field(
        default_factory=dict
    )


def _as_triggers(value: Any) -> Any:
    if isinstance(value, str | dict):
        value = [value]
    if isinstance(value, list):
        return [{"type": item} if isinstance(item, str) else item for item in value]
    return value


Triggers = Annotated[list[Trigger], BeforeValidator(_as_triggers)]
"""One trigger or a list of them; a plain string is a type without conditions."""


_MINUTE = timedelta(minutes=1)
BLOCKED = ("null", "none", "undefined", "unknown", "anonymous", "n/a", "test", "test@test.com")
"""Values that say that somebody has no identifier; whoever writes them is nobody in particular."""


def _known_region(region: str) -> str:
    # only who writes a region waits for the numbering plans
    from schemas.normalisation import regions  # noqa: PLC0415

    if region not in (known := regions()):
        meant = f"did you mean {region.upper()!r}? Otherwise " if region.upper() in known else ""
        raise ValueError(
            f"{region!r} is no region with phone numbers of its own; {meant}write an ISO 3166 code such as DE, AT or GB"
        )
    return region


class IdentifierKind(Contract):
    """How one kind of identifier is treated.

    A `reference` (order, parcel, ticket) is owned by one person and never joins two; a `personal` kind names
    the person. An event is attributed by its strongest identifier: personal before reference, then by
    `strength`.

    Two personal identifiers on one event make one person, unless that would break a rule: two values of a `unique` kind
    are two persons, a person has at most `most_per_person` values of a kind, and what was linked to more than
    `most_links` others is shared by strangers and joins nobody. A `blocked` value is no identifier at all, and neither is
    one that `normalise` can't bring into its form. After each period of `lives` a value names somebody else; the last two
    limits are then those of one period.
    """

    kind: Literal["personal", "reference"]
    strength: int = Field(ge=1, le=1000)
    normalise: Literal["text", "email", "phone"] = "text"
    region: Annotated[str, AfterValidator(_known_region)] | None = Field(
        default=None, description="Of phone numbers in national form, by ISO 3166; without it they are none."
    )
    case_sensitive: bool = True
    lives: Duration | None = Field(default=None, description="Without it a value names the same for ever.")
    unique: bool = False
    most_per_person: int = Field(default=50, ge=1, le=1000)
    most_links: int = Field(default=50, ge=1, le=1000)
    blocked: list[Annotated[str, StringConstraints(min_length=1)]] = Field(
        default_factory=lambda: list(BLOCKED)
    )

    @model_validator(mode="after")
    def _consistent(self) -> IdentifierKind:
        problems = list(self._contradictions())
        if problems:
            raise InconsistentError(problems)
        return self

    def _contradictions(self) -> Iterator[Problem]:
        if self.region is not None and self.normalise != "phone":
            wrong = f"a region is for phone numbers, and this kind is normalised as {self.normalise}"
            yield ("region",), f"{wrong}; take the region out, or write `normalise: phone`"
        if self.normalise == "phone" and not self.case_sensitive:
            yield ("case_sensitive",), "a phone number has no upper and lower case; take case_sensitive out"
        if self.lives is not None and self.lives % _MINUTE:
            yield ("lives",), "a life time is a number of whole minutes; write it as 30m, 24h or 30d"
        if self.lives is not None and self.unique:
            wrong = "a unique kind has one value for a person's whole life, and this one has a new one in each period"
            yield ("lives",), f"{wrong}; take out `lives` or `unique`"

    @property
    def form(self) -> str:
        """What decides which values are the same identifier, and for how long."""
        lives = _duration_text(self.lives) if self.lives else "for ever"
        return f"{self.normalise} {self.region or ''} {'' if self.case_sensitive else 'any case'} {lives}"

    def normaliser(self) -> Callable[[str], str]:
        """What brings a value of this kind into its one form: `schemas.normalisation.Normaliser`."""
        # whoever only checks a map needs no numbering plans
        from schemas import normalisation  # noqa: PLC0415

        match self.normalise:
            case "phone":
                return partial(normalisation.phone, region=self.region)
            case "email":
                return partial(normalisation.email, case_sensitive=self.case_sensitive)
        return normalisation.text if self.case_sensitive else normalisation.lower_text


class TouchpointType(Contract):
    """A touchpoint type that the company uses, its owner team and its class."""

    owner: Annotated[str, StringConstraints(min_length=1)]
    touch: Literal["front_line", "supporting", "indirect"] = "front_line"
    title: str | None = None


class DueField(Contract):
    """The due time is a field of the making touchpoint's data: an RFC 3339 instant."""

    field: Annotated[FieldPath, AfterValidator(_data_only)]


class DueWithin(Contract):
    """The due time is the making touchpoint's time plus a duration, which runs while the calendar, if any, is open."""

    calendar: str | None = None
    within: Duration

    @field_validator("within", mode="before")
    @classmethod
    def _clear(cls, within: Any, info: ValidationInfo) -> Any:
        remedy = "write `end_of: 2 business days` in its place, or open hours, such as 16h"
        return _clear_on_a_calendar(within, info.data.get("calendar"), remedy)


_DUE_FORMS: dict[str, type[Contract]] = {"field": DueField, "within": DueWithin, "end_of": DueEndOf}


def _due_form(value: Any) -> str | None:
    if isinstance(value, dict):
        forms = [form for field, form in _DUE_FORMS.items() if field in value]
        return forms[0].__name__ if len(forms) == 1 else None
    return type(value).__name__ if isinstance(value, DueField | DueWithin | DueEndOf) else None


Due = Annotated[
    # a tag is no name of a field: it would be taken for part of the place of a mistake
    Annotated[DueField, Tag("DueField")]
    | Annotated[DueWithin, Tag("DueWithin")]
    | Annotated[DueEndOf, Tag("DueEndOf")],
    Discriminator(
        _due_form,
        custom_error_type="due_form",
        custom_error_message=(
            "a due time is `field: data.<name>`, `within: <duration>` or `end_of: next_business_day`; write one of them"
        ),
    ),
]


class Promise(Contract):
    """A deadline promise: each touchpoint of `made_by` makes one, in the journey that it belongs to.

    The first touchpoint of `met_by` in that journey meets it, whether before or after the making; at or
    before `due` it is kept, later it is broken. A touchpoint of `cancelled_by` that comes first, and not
    after `due`, cancels it. `at_risk` is the share of the way from made to due at which it is at risk.
    """

    kind: Literal["deadline"] = "deadline"
    made_by: Triggers
    due: Due
    met_by: Triggers
    cancelled_by: Triggers = Field(default_factory=list)
    owed_by: Annotated[str, StringConstraints(min_length=1)]
    at_risk: float = Field(default=0.75, gt=0, lt=1)
    severity: Literal["info", "warning", "critical"] = "warning"
    title: str | None = None


class Stage(Contract):
    """A stage of a journey: which touchpoints enter and leave it, who owns it, how long it may last.

    `once`: from the first entry to the first exit anywhere in the journey; an exit before the entry voids it.
    `many`: entries and exits pair in order. Only the stage's own exits leave it. With a `calendar`, the expected time
    runs while that is open.
    """

    enter: Triggers
    leave: Triggers
    owner: Annotated[str, StringConstraints(min_length=1)]
    visits: Literal["once", "many"] = "once"
    calendar: str | None = None
    expected: Duration | None = Field(default=None, description="Longer than this and the customer is stuck.")
    severity: Literal["info", "warning", "critical"] = "warning"
    title: str | None = None

    @field_validator("expected", mode="before")
    @classmethod
    def _clear(cls, expected: Any, info: ValidationInfo) -> Any:
        return _clear_on_a_calendar(expected, info.data.get("calendar"), "write open hours, such as 16h")


class JourneyType(Contract):
    """A kind of journey. A person has one such journey for each value of the correlation `key`."""

    key: FieldPath = Field(description="For example identities.order_id or data.case.")
    end: Triggers = Field(default_factory=list, description="Touchpoints that complete the journey.")
    stages: dict[Name, Stage] = Field(default_factory=dict)
    promises: dict[Name, Promise] = Field(default_factory=dict)
    title: str | None = None


DEFAULT_IDENTIFIERS: dict[str, IdentifierKind] = {
    "customer_id": IdentifierKind(kind="personal", strength=900, unique=True),
    "email": IdentifierKind(kind="personal", strength=700, normalise="email", case_sensitive=False),
    "phone": IdentifierKind(kind="personal", strength=600, normalise="phone"),
    "device": IdentifierKind(kind="personal", strength=300),
    "cookie": IdentifierKind(kind="personal", strength=200),
    "order_id": IdentifierKind(kind="reference", strength=500),
    "ticket_id": IdentifierKind(kind="reference", strength=400),
    "parcel_id": IdentifierKind(kind="reference", strength=300),
    "session_id": IdentifierKind(kind="reference", strength=100),
}


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
            *self._self_defeating(),
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
                yield (*at, "stages", name, "enter"), stage.enter
                yield (*at, "stages", name, "leave"), stage.leave
            for name, promise in journey.promises.items():
                yield (*at, "promises", name, "made_by"), promise.made_by
                yield (*at, "promises", name, "met_by"), promise.met_by
                yield (*at, "promises", name, "cancelled_by"), promise.cancelled_by

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
        paths += [
            ((*place, "where", path), path) for place, trigger in self._triggers() for path in trigger.where
        ]
        for place, path in paths:
            root, _, kind = path.partition(".")
            if root == "identities" and kind not in self.identifiers:
                meant = _meant(kind, self.identifiers)
                remedy = f"{meant}add it under identifiers, or use one of {', '.join(self.identifiers)}"
                yield place, f"the identifier kind {kind!r} is not declared; {remedy}"

    def _unreachable(self) -> Iterator[Problem]:
        for place, triggers in self._places():
            consequence = _WITHOUT.get(str(place[-1]))
            if not triggers and consequence:
                yield place, f"{consequence}; name at least one touchpoint type"

    def _self_defeating(self) -> Iterator[Problem]:
        remedy = "take it out of one of them, or tell the two apart with `where`"
        for journey_name, journey in self.journeys.items():
            at: Place = ("journeys", journey_name)
            for name, stage in journey.stages.items():
                for both in _shared(stage.enter, stage.leave):
                    wrong = f"{both!r} both enters and leaves the stage, so that nobody is ever in it"
                    yield (*at, "stages", name, "leave"), f"{wrong}; {remedy}"
            for name, promise in journey.promises.items():
                for field, triggers in (("met_by", promise.met_by), ("cancelled_by", promise.cancelled_by)):
                    for both in _shared(promise.made_by, triggers):
                        wrong = f"{both!r} both makes the promise and is in {field}, which settles it at once"
                        yield (*at, "promises", name, field), f"{wrong}; {remedy}"

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
        for place, field, name, duration in self._uses_of_calendars():
            calendar = self.calendars.get(name)
            if calendar is None:
                remedy = f"{_meant(name, self.calendars)}add it under calendars, with its zone and hours"
                yield (*place, "calendar"), f"the calendar {name!r} is not declared; {remedy}"
            elif duration is None and field == "expected":
                wrong = "without `expected` the stage has no limit that a calendar could count"
                yield (*place, "calendar"), f"{wrong}; add it, or take the calendar out"
            elif duration is not None and duration > _LONGEST_WEEKS * timedelta(
                minutes=calendar.weekly_minutes()
            ):
                wrong = f"the calendar {name!r} is open {calendar.weekly_minutes() / 60:g} h a week"
                remedy = "write a shorter duration or other hours"
                yield (*place, field), f"{wrong}, so that this takes more than ten years; {remedy}"

    def _uses_of_calendars(self) -> Iterator[tuple[Place, str, str, timedelta | None]]:
        """Where a calendar is used: (place, the field that it counts, its name, the duration if there is one)."""
        for journey_name, journey in self.journeys.items():
            at: Place = ("journeys", journey_name)
            for name, stage in journey.stages.items():
                if stage.calendar is not None:
                    yield (*at, "stages", name), "expected", stage.calendar, stage.expected
            for name, promise in journey.promises.items():
                due = promise.due
                if isinstance(due, DueEndOf):
                    yield (*at, "promises", name, "due"), "end_of", due.calendar, None
                elif isinstance(due, DueWithin) and due.calendar is not None:
                    yield (*at, "promises", name, "due"), "within", due.calendar, due.within


_LONGEST_WEEKS = 10 * 52
_WITHOUT = {
    "enter": "a stage without `enter` is never entered",
    "leave": "a stage without `leave` is never left, so that everyone in it ends up stuck",
    "made_by": "a promise without `made_by` is never made",
    "met_by": "a promise without `met_by` can only break",
}


def _shared(first: list[Trigger], second: list[Trigger]) -> Iterator[str]:
    """Types that have the very same trigger on both sides."""
    return (trigger.type for trigger in first if trigger in second)


def _meant(wrong: str, right: Iterable[str]) -> str:
    near = get_close_matches(wrong, list(right), n=1)
    return f"did you mean {near[0]!r}? Otherwise " if near else ""
