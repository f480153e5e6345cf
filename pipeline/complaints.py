"""What pydantic says about a document, in the words of the person who wrote it.

In: a ValidationError, the model, and which places the document has. Out: one `Complaint` for each thing to
mend: its place, what is wrong and what would be right. Always holds: alternatives that were tried for one
value make one complaint.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pipeline.errors import shortened
from schemas.base import InconsistentError, Name, Place, TypeName
from schemas.triggers import FieldPath

_SHOWN = 120
_KINDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "dict_type": "`key: value` lines",
    "model_type": "`key: value` lines",
    "model_attributes_type": "`key: value` lines",
}
_PATTERNS = {
    get_args(Name)[
        1
    ].pattern: "a name has lower-case letters, digits and _, and begins with a letter: order_2",
    get_args(TypeName)[1].pattern: (
        "a touchpoint type is domain.object.verb in lower case, such as fulfilment.parcel.delivered"
    ),
    get_args(FieldPath)[1].pattern: (
        "a field is data.<name>, identities.<kind>, subject or outcome, such as identities.order_id"
    ),
}


@dataclass(frozen=True)
class Complaint:
    """One thing to mend.

    `name`: the key itself is wrong. `across`: parts that are right by themselves do not fit together.
    """

    place: Place
    message: str
    name: bool = False
    across: bool = False


def complaints(
    error: ValidationError, model: type[BaseModel], has: Callable[[Place], bool]
) -> list[Complaint]:
    """Everything to mend, each place once; `has` tells which places the document has."""
    found: list[Complaint] = []
    alternatives: dict[Place, list[ErrorDetails]] = {}
    for each in error.errors(include_url=False):
        inner = each.get("ctx", {}).get("error")
        place = _place(each, has)
        if isinstance(inner, InconsistentError):
            found += [Complaint((*place, *at), what, across=True) for at, what in inner.problems]
        elif each["type"] in _KINDS:
            alternatives.setdefault(place, []).append(each)
        else:
            found.append(_complaint(each, place, model))
    return [*found, *_alternatives(alternatives, {each.place for each in found})]


def shown(value: object) -> str:
    """The value as Python writes it, if that is not too long to be read."""
    return shortened(repr(value), _SHOWN)


def near(wrong: object, right: Sequence[str]) -> str:
    """` (did you mean 'x'?)` when there is something near, else nothing."""
    matches = get_close_matches(str(wrong), right, n=1)
    return f" (did you mean {matches[0]!r}?)" if matches else ""


def _place(error: ErrorDetails, has: Callable[[Place], bool]) -> Place:
    """The error's place in the document: pydantic's location without models, validators and branches."""
    place: Place = ()
    for part in error["loc"]:
        if has((*place, part)):
            place = (*place, part)
    return (*place, error["loc"][-1]) if error["type"] == "missing" else place


def _alternatives(tried: Mapping[Place, list[ErrorDetails]], others: set[Place]) -> Iterator[Complaint]:
    """One complaint for all kinds of value that were tried at a place; none where the fault lies deeper."""
    for place, errors in tried.items():
        if not any(other != place and other[: len(place)] == place for other in (*tried, *others)):
            kinds = list(dict.fromkeys(_KINDS[each["type"]] for each in errors))
            given = _described(errors[0]["input"])
            yield Complaint(place, f"this has to be {' or '.join(kinds)}, but it is {given}")


def _described(value: object) -> str:
    if value is None:
        return "empty"
    if isinstance(value, dict):
        return "`key: value` lines"
    return "a list" if isinstance(value, list) else shown(value)


def _complaint(error: ErrorDetails, place: Place, model: type[BaseModel]) -> Complaint:
    if error["type"] == "extra_forbidden":
        return Complaint(place, _unknown(place[-1], fields_at(model, error["loc"][:-1])), name=True)
    return Complaint(place, _message(error), name="[key]" in error["loc"])


def _message(error: ErrorDetails) -> str:
    match error["type"]:
        case "missing":
            return "this field is missing; add it"
        case "string_pattern_mismatch":
            pattern = error["ctx"]["pattern"]
            return f"{shown(error['input'])} is not allowed here; {_PATTERNS.get(pattern, f'write it as {pattern}')}"
        case "literal_error":
            return _not_one_of(error["input"], error["ctx"]["expected"])
        case "string_too_short" | "too_short":
            return "this is empty; fill it in"
        case "value_error":
            return str(error["ctx"]["error"])
    return error["msg"].replace("Input should be", "this has to be")


def _unknown(name: object, known: Sequence[str]) -> str:
    return f"there is no field {shown(name)} here{near(name, known)}; the fields are {', '.join(known)}"


def _not_one_of(value: object, expected: str) -> str:
    allowed = [part.strip("' ") for part in expected.replace(" or ", ", ").split(",")]
    return f"{shown(value)} is not allowed here{near(value, allowed)}; it has to be {expected}"


def fields_at(model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    """The names of the fields that may stand at pydantic's location within the model. A part of it may be the name of one
    of several models, which its value chose.
    """
    at: list[Any] = [model]
    for part in location:
        chosen = [each for each in at if getattr(each, "__name__", None) == part]
        at = [inner for annotation in at for inner in _inside(annotation, part)] or chosen or at
    models = [each for each in at if isinstance(each, type) and issubclass(each, BaseModel)]
    return list(
        dict.fromkeys(field.alias or name for each in models for name, field in each.model_fields.items())
    )


def _inside(annotation: Any, part: str | int) -> list[Any]:
    """The annotations of what `part` names inside a value of this annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = {field.alias or name: field for name, field in annotation.model_fields.items()}
        return _parts(fields[part].annotation) if part in fields else []
    if get_origin(annotation) is dict:
        return _parts(get_args(annotation)[1])
    if get_origin(annotation) is list and isinstance(part, int):
        return _parts(get_args(annotation)[0])
    return []


def _parts(annotation: Any) -> list[Any]:
    """The members of a union, without Annotated and None."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _parts(get_args(annotation)[0])
    if origin in {Union, types.UnionType}:
        return [part for member in get_args(annotation) for part in _parts(member)]
    return [] if annotation is type(None) or origin is Literal else [annotation]
