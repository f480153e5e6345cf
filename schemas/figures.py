"""Figures of a journey map: what may be promised and what measures it, with their units.

A figure is a field of touchpoints, a duration between two of them, or how many there are. `pipeline.units` says how one unit
becomes another when a map is loaded; what it found is a `Conversion`, kept with the map, so that the core needs no table.
"""

from __future__ import annotations

import re
from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Discriminator, Field, StringConstraints, Tag

from schemas.base import Contract
from schemas.durations import parse_duration
from schemas.triggers import FieldPath, Triggers

Take = Literal["first", "last", "highest", "lowest", "mean", "sum"]
Limit = tuple[float | str, str | None]
"""A number, or the field of the making touchpoint that has it, and its unit."""
LONGEST_HABIT = 100
SECONDS = "s"

_TERM = r"(?:\d{1,6} ?)?[^\W\d_]{1,24}(?:(?:\^|\*\*)?-?[1-9])?"
_SIGNED = r"[%°€$£][^\W\d_]{0,24}"
_ANY = f"(?:{_TERM}|{_SIGNED})"
_UNIT = re.compile(rf"{_ANY}(?: ?[/*·] ?{_ANY}| {_ANY}){{0,5}}")
_AMOUNT = re.compile(r"\s*(?P<number>[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d{1,3})?)\s*(?P<unit>\D.*?)\s*")


def _unit(text: str) -> str:
    if not _UNIT.fullmatch(text):
        raise ValueError(f"{text!r} is no unit; write one such as s, km/h, l/100km, °C or EUR")
    return text


Unit = Annotated[str, StringConstraints(strip_whitespace=True, max_length=64), AfterValidator(_unit)]


def _data_only(path: str) -> str:
    if not path.startswith("data."):
        raise ValueError(f"a figure is read from a touchpoint's data: write data.<name>, not {path!r}")
    return path


DataField = Annotated[FieldPath, AfterValidator(_data_only)]


class LimitField(Contract):
    """A limit that the making touchpoint names."""

    field: DataField


def _number(value: Any) -> Any:
    """A finite number, or a text that has one in front of its unit, such as `10 s`."""
    if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
        return float(value)
    if isinstance(value, str) and _is_amount(value):
        return value
    raise ValueError(f"write a number, or one with its unit such as `10 s`, not {value!r}")


def _is_amount(text: str) -> bool:
    try:
        parse_duration(text)
    except ValueError:
        found = _AMOUNT.fullmatch(text)
        return found is not None and _UNIT.fullmatch(found["unit"]) is not None
    return True


def amount(text: str) -> tuple[float, str]:
    """The number and the unit of `10 s`."""
    found = _AMOUNT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no number with a unit")
    return float(found["number"]), found["unit"]


def _limit(value: Any) -> Any:
    return value if isinstance(value, dict | LimitField) else _number(value)


Number = Annotated[float | str, BeforeValidator(_number)]
NumberOrField = Annotated[float | str | LimitField, BeforeValidator(_limit)]


class _Aliased(Contract):
    # `from` is a word of Python's; the file and every copy of the map say it all the same
    model_config = ConfigDict(serialize_by_alias=True)


class PromisedField(Contract):
    """The making touchpoint names the figure in a field."""

    field: DataField
    unit: Unit | None = None


class PromisedValue(Contract):
    """The map names the figure."""

    value: Number
    unit: Unit | None = None


class PromisedRange(_Aliased):
    """Between two figures, each of them good."""

    from_: NumberOrField = Field(alias="from")
    to: NumberOrField
    unit: Unit | None = None


class Habit(Contract):
    """The median of what was observed of the `last` promises of this rule in the journey; nothing is promised while there
    are fewer than `least` of them.
    """

    last: Annotated[int, Field(ge=1, le=LONGEST_HABIT)]
    least: Annotated[int, Field(ge=1, le=LONGEST_HABIT)] = 1


class PromisedHabit(Contract):
    """The customer's own history names the figure."""

    habit: Habit


class MeasuredField(Contract):
    """A field of touchpoints. `take`: which of several counts, or what is made of them."""

    field: DataField
    of: Triggers
    unit: Unit | None = None
    take: Take = "first"


class MeasuredDuration(_Aliased):
    """From the first touchpoint of `from` to the next of `to`, as the clock on the wall has it."""

    from_: Triggers = Field(alias="from")
    to: Triggers


class MeasuredCount(Contract):
    """How many touchpoints there are."""

    count: Triggers


def _forms(named: dict[str, type[Contract]]) -> Any:
    """A function that tells by its field which of the forms a value has."""

    def form(value: Any) -> str | None:
        if isinstance(value, dict):
            found = [each.__name__ for field, each in named.items() if field in value]
            return found[0] if len(found) == 1 else None
        return type(value).__name__ if isinstance(value, tuple(named.values())) else None

    return form


Promised = Annotated[
    Annotated[PromisedField, Tag("PromisedField")]
    | Annotated[PromisedValue, Tag("PromisedValue")]
    | Annotated[PromisedRange, Tag("PromisedRange")]
    | Annotated[PromisedHabit, Tag("PromisedHabit")],
    Discriminator(
        _forms(
            {"field": PromisedField, "value": PromisedValue, "from": PromisedRange, "habit": PromisedHabit}
        ),
        custom_error_type="promised_form",
        custom_error_message=(
            "what is promised is `field: data.<name>`, `value: <number>`, `from:` and `to:`, or `habit:`; write one of them"
        ),
    ),
]
Measure = Annotated[
    Annotated[MeasuredField, Tag("MeasuredField")]
    | Annotated[MeasuredDuration, Tag("MeasuredDuration")]
    | Annotated[MeasuredCount, Tag("MeasuredCount")],
    Discriminator(
        _forms({"field": MeasuredField, "from": MeasuredDuration, "count": MeasuredCount}),
        custom_error_type="measure_form",
        custom_error_message=(
            "a measure is `field: data.<name>` with `of:`, `from:` and `to:`, or `count:`; write one of them"
        ),
    ),
]


class Conversion(Contract):
    """What was found of the units: `factor` · x + `offset` is a measured figure in the promise's unit; of a duration
    `factor` is how many seconds the promise's unit has.
    """

    factor: float
    offset: float = 0.0
