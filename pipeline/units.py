"""What value promises need of the world: how one unit becomes another, looked up in `pint` when a map is loaded.

In: a validated map. Out: the same map with what was found in each promise (`resolved`). A conversion is a factor and an
offset, found by converting 0 and 1 in fractions and proved by a third figure; so the core needs no table of units, and what
a library of units changes is a change of the map.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

from pydantic import ValidationError

from schemas.base import Place, Problem
from schemas.figures import SECONDS, Conversion, MeasuredField
from schemas.journey_map import JourneyMap
from schemas.values import ValueKind, ValuePromise

if TYPE_CHECKING:
    from pint import Quantity, UnitRegistry

_SCALED = re.compile(r"/ ?(\d+ ?[^\W\d_]+)")
_ONE: Conversion = Conversion(factor=1)


class UnitError(ValueError):
    """A unit, or a pair of them, that gives no conversion: what is wrong, and what would be right."""


def resolve(journey_map: JourneyMap) -> JourneyMap:
    """The map with its conversions. Raises UnitError for what `unknown` complains of."""
    if not any(journey.values for journey in journey_map.journeys.values()):
        return journey_map
    journeys = {}
    for name, journey in journey_map.journeys.items():
        values = {
            rule: promise.model_copy(update={"resolved": _resolved(promise)})
            for rule, promise in journey.values.items()
        }
        journeys[name] = journey.model_copy(update={"promises": {**journey.promises, **values}})
    return journey_map.model_copy(update={"journeys": journeys})


def unknown(content: Any) -> Iterator[Problem]:
    """What of a map's plain content names a unit that does not exist, or two that do not fit, and what would be right."""
    for place, promise in _promises(content):
        if promise.get("resolved") is not None:
            yield (*place, "resolved"), "this is looked up whenever the map is loaded; take it out"
            continue
        try:
            found = ValuePromise.model_validate(promise)
        except ValidationError:
            continue  # complained of already
        if any(found.problems(has_end=True)):
            continue  # so is this
        try:
            conversion = _resolved(found)
        except UnitError as error:
            yield (*place, "promised"), str(error)
            continue
        if conversion.offset and isinstance(found.measure, MeasuredField) and found.measure.take == "sum":
            wrong = f"{found.measured_unit} and {found.unit} begin at different points, so that their sums have no meaning"
            yield (*place, "measure", "take"), f"{wrong}; take the mean, or the same unit in both"


def conversion(measured: str, promised: str) -> Conversion:
    """How a figure in one unit becomes one in another. Raises UnitError."""
    if measured == promised:
        return _ONE  # units that are in no table, such as EUR, need none
    one, other = _quantity(measured), _quantity(promised)
    if one.dimensionality != other.dimensionality:
        raise UnitError(_mismatch(measured, promised, one, other))
    try:
        zero, step, third = (_convert(x, one, other) for x in (0, 1, 3))
    except (ArithmeticError, TypeError, ValueError):
        # a logarithm of a fraction or of nothing; where it can be taken, the third figure tells
        raise UnitError(_no_line(measured, promised)) from None
    if third - zero != 3 * (step - zero):
        raise UnitError(_no_line(measured, promised))
    return Conversion(factor=float(step - zero), offset=float(zero))


def _promises(content: Any) -> Iterator[tuple[Place, dict[str, Any]]]:
    journeys = content.get("journeys") if isinstance(content, dict) else None
    for name, journey in journeys.items() if isinstance(journeys, dict) else ():
        promises = journey.get("promises") if isinstance(journey, dict) else None
        for rule, promise in promises.items() if isinstance(promises, dict) else ():
            if isinstance(promise, dict) and promise.get("kind") in get_args(ValueKind):
                yield ("journeys", name, "promises", rule), promise


def _resolved(promise: ValuePromise) -> Conversion:
    measured, promised = promise.measured_unit, promise.unit
    if measured is None or promised is None:
        return _ONE
    # of a duration, time is told in the promise's unit, and not converted into it
    return conversion(promised, SECONDS) if promise.is_duration else conversion(measured, promised)


def _mismatch(measured: str, promised: str, one: Quantity[Any], other: Quantity[Any]) -> str:
    if one.dimensionality == (1 / other.units).dimensionality:
        return (
            f"one of {measured} and {promised} grows as the other falls, so that no line leads from one to the other; \
write both in one of them"
        )
    hint = "; `m` is the metre here, write min for minutes" if "m" in (measured, promised) else ""
    return f"{measured} and {promised} do not measure the same; write units of which one can be turned into the other{hint}"


def _no_line(measured: str, promised: str) -> str:
    return f"no line leads from {measured} to {promised}; write both in one of them"


def _convert(figure: int, one: Quantity[Any], other: Quantity[Any]) -> Any:
    registry = _registry()
    return registry.Quantity(figure * one.magnitude, one.units).to(other.units).magnitude / other.magnitude


def _quantity(text: str) -> Quantity[Any]:
    """One of a unit, which may have a number of its own: of l/100km it is a hundredth of l/km."""
    registry = _registry()
    try:
        # pint reads l/100km as l/100 · km
        found = registry.parse_expression(_SCALED.sub(r"/(\1)", text).replace("·", "*"), case_sensitive=True)
        if not isinstance(found, registry.Quantity):
            found = registry.Quantity(found, "")
    except Exception:  # its parser trips over words in a dozen ways
        wrong = f"there is no unit {text!r} in the table"
        raise UnitError(
            f"{wrong}; write one that is, such as s, km or °C, or the same one in both places"
        ) from None
    return registry.Quantity(Fraction(found.magnitude), found.units)


@cache
def _registry() -> UnitRegistry[Any]:
    from pint import UnitRegistry  # noqa: PLC0415 - most maps have no units, and it takes a third of a second

    registry: UnitRegistry[Any] = UnitRegistry(non_int_type=Fraction)
    registry.define("mile_per_gallon = mile / gallon = mpg")
    return registry
