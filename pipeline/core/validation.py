"""Validation at the edge: the JSON of one event in, its parts out, or a refusal that says what would be
right.

The contract is `schemas.touchpoint` with the catalogue's `data`; nothing here adds to it. The parts are
read by msgspec: their text has to stay as it came. Of an event without extension attributes msgspec checks
the envelope as well, for a fifth of the time, and pydantic only the declared `data`; any other, and any that
does not pass, is for the contract itself to judge.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from pydantic import TypeAdapter, ValidationError

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


_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
_Reference = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
_KindName = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
_IdentityValue = Annotated[str, msgspec.Meta(max_length=512)]


class Parts(msgspec.Struct, gc=False):
    """What ingest needs of an event, as it was written."""

    type: _Text
    id: _Text
    source: _Reference
    time: Annotated[datetime, msgspec.Meta(tz=True)]
    identities: Annotated[dict[_KindName, _IdentityValue | None], msgspec.Meta(max_length=64)]
    sequence: _Text | None = None
    subject: _Reference | None = None
    outcome: Literal["success", "failure"] | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Plain(Parts, kw_only=True, forbid_unknown_fields=True, gc=False):
    """An event without extension attributes. Whatever can be read as one, the contract takes, `data` and the
    form of an offset aside; a test holds the two against each other.
    """

    specversion: Literal["1.0"]
    datacontenttype: _Reference | None = None
    dataschema: _Reference | None = None


_read = msgspec.json.Decoder(Parts).decode
_read_plain = msgspec.json.Decoder(_Plain).decode
_UNTYPED = Touchpoint.__pydantic_validator__.validate_json
_VALIDATORS: dict[str, Callable[[bytes], Touchpoint]] = {}
_ANY_DATA = TypeAdapter[Any](Any).validator.validate_json
_DATA_VALIDATORS: dict[str, Callable[[bytes], Any]] = {}


def read_event(value: bytes) -> Parts:
    """The parts of a valid event. Raises RefusedError."""
    try:
        parts = _read_plain(value)
        # msgspec also takes +0000 for an offset, which the contract does not
        if parts.time.tzinfo is UTC and b'0000"' not in value:
            data = bytes(parts.data)
            if data != b"null":
                (_DATA_VALIDATORS.get(parts.type) or _data_validator(parts.type))(data)
            return parts
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValidationError):
        pass  # it has extension attributes, or something is wrong with it
    return _read_by_contract(value)


def _read_by_contract(value: bytes) -> Parts:
    """The same for any event: the contract itself decides, and explains a refusal."""
    try:
        parts = _read(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _explain(value, error) from None
    try:
        (_VALIDATORS.get(parts.type) or _validator(parts.type))(value)
    except ValidationError as error:
        raise _refused(error) from None
    return parts


def _data_validator(touchpoint_type: str) -> Callable[[bytes], Any]:
    if touchpoint_type not in CATALOGUE:
        return _ANY_DATA
    validator = CATALOGUE[touchpoint_type].__pydantic_validator__.validate_json
    _DATA_VALIDATORS[touchpoint_type] = validator
    return validator


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
