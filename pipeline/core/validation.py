"""Validation at the edge: the JSON of one event in, its parts out, or a refusal that says what would be
right.

The contract is `schemas.touchpoint` with the catalogue's `data`; nothing here adds to it. The parts are
read beside it by msgspec: their text has to stay as it came, and building it again from the model would
cost more.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import msgspec
from pydantic import ValidationError

from pipeline.core.dead_letters import RefusedError
from schemas.catalogue import CATALOGUE, envelope
from schemas.dead_letter import ErrorCode
from schemas.instants import RFC3339_PATTERN
from schemas.touchpoint import EXTENSION_PATTERN, Touchpoint

INSTANT = "an RFC 3339 instant with an offset, such as 2026-03-01T09:30:00Z"
_EXPECTED = {
    "string_type": "a string",
    "float_type": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
}
_REMEDY = {
    "specversion": 'write "specversion": "1.0"',
    "id": "give every event an id that is unique within its source",
    "source": "name the system that sends the event",
    "type": "write what happened, such as sales.order.placed",
    "time": f"write when it happened, as {INSTANT}",
    "identities": 'write whose it is, such as {"order_id": "O-5001"}',
}
_SHOWN = 60


class Parts(msgspec.Struct, gc=False):
    """What ingest needs of an event, as it was written."""

    type: str
    id: str
    source: str
    time: Annotated[datetime, msgspec.Meta(tz=True)]
    identities: dict[str, str | None]
    sequence: str | None = None
    subject: str | None = None
    outcome: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")


_read = msgspec.json.Decoder(Parts).decode
_UNTYPED = Touchpoint.__pydantic_validator__.validate_json
_VALIDATORS: dict[str, Callable[[bytes], Touchpoint]] = {}


def read_event(value: bytes) -> Parts:
    """The parts of a valid event. Raises RefusedError."""
    try:
        parts = _read(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _explain(value, error) from None
    try:
        (_VALIDATORS.get(parts.type) or _validator(parts.type))(value)
    except ValidationError as error:
        raise _refused(error) from None
    return parts


def _validator(touchpoint_type: str) -> Callable[[bytes], Touchpoint]:
    """Built when a type of the catalogue is first seen; other types, any number of them, share one."""
    if touchpoint_type not in CATALOGUE:
        return _UNTYPED
    validator = envelope(touchpoint_type).__pydantic_validator__.validate_json
    _VALIDATORS[touchpoint_type] = validator
    return validator


def _explain(value: bytes, error: Exception) -> RefusedError:
    """Why an event could not be read: the contract's own words, if it refuses it as well."""
    try:
        _UNTYPED(value)
    except ValidationError as invalid:
        return _refused(invalid)
    if isinstance(error, msgspec.ValidationError):
        return RefusedError(ErrorCode.INVALID_VALUE, "", f"a value cannot be used: {error}")
    # JSON has neither NaN nor Infinity, which pydantic would take
    return RefusedError(ErrorCode.MALFORMED_JSON, "", f"the value is not JSON: {error}")


def _refused(invalid: ValidationError) -> RefusedError:
    errors = invalid.errors(include_url=False)
    code, path, message = _sentence(errors[0])
    fields = {error["loc"][:1] for error in errors}
    more = f" (and {len(fields) - 1} more)" if len(fields) > 1 else ""
    return RefusedError(code, path, message + more)


def _sentence(error: Any) -> tuple[ErrorCode, str, str]:
    kind, context, given = error["type"], error.get("ctx", {}), error["input"]
    path = _path(error["loc"])
    if kind == "json_invalid":
        return ErrorCode.MALFORMED_JSON, "", f"the value is not JSON: {context['error']}"
    if kind == "model_type" and not path:
        return (
            ErrorCode.NOT_AN_OBJECT,
            "",
            f"the value is {_show(given)}; it has to be one JSON object, an event",
        )
    if kind == "missing":
        return ErrorCode.MISSING_FIELD, path, f"{path} is missing; {_REMEDY.get(path, 'add it')}"
    if context.get("pattern") == EXTENSION_PATTERN:
        message = (
            f"{path} is no attribute of an event; put facts under data, and identifiers under identities"
        )
        return ErrorCode.UNKNOWN_FIELD, path, message
    expected = _expected(error)
    if not expected:
        return ErrorCode.INVALID_VALUE, path, f"{path} is {_show(given)}; {_pydantic_says(error['msg'])}"
    code = ErrorCode.WRONG_TYPE if kind in _EXPECTED else ErrorCode.INVALID_VALUE
    return code, path, f"{path} is {_show(given)}; it has to be {expected}"


def _expected(error: Any) -> str:
    """What belongs there; empty if pydantic's own words say it better."""
    kind, location = error["type"], error["loc"]
    if len(location) > 1 and location[0] not in Touchpoint.model_fields:
        return "a string, a number, true or false, as extension attributes are"
    is_instant = location == ("time",) or error.get("ctx", {}).get("pattern") == RFC3339_PATTERN
    if is_instant or kind.startswith(("datetime_", "timezone_")):
        return INSTANT
    return _EXPECTED.get(kind, "")


def _path(location: tuple[int | str, ...]) -> str:
    """`('data', 'items', 0)` as `data.items.0`; the branch of an extension's union is not part of it."""
    if len(location) > 1 and location[0] not in Touchpoint.model_fields:
        location = location[:1]
    return ".".join(str(part) for part in location if part != "[key]")


def _show(given: Any) -> str:
    text = json.dumps(given, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _pydantic_says(message: str) -> str:
    return message.replace("Input should", "it should").replace("String should", "it should")
