"""CloudEvents on Kafka: a record in structured or binary mode in, the JSON of the event out.

Structured mode: the value is the event. Binary mode, told by any header that begins with `ce_`: each
attribute is a header of that prefix in UTF-8, `content-type` is the media type of the value, and the value
is `data`. The one attribute that is not a string is written as JSON: `ce_identities: {"order_id":
"O-5001"}`.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from pipeline.core.dead_letters import RefusedError
from pipeline.ports import Headers
from schemas.dead_letter import ErrorCode

ATTRIBUTE_PREFIX: Final = "ce_"
CONTENT_TYPE: Final = "content-type"
CLOUDEVENTS: Final = "application/cloudevents"
"""How the content type of structured mode begins."""
_check_json = msgspec.json.Decoder(msgspec.Raw).decode
_encode = msgspec.json.Encoder().encode


def structured(headers: Headers, value: bytes) -> bytes:
    """The event as one JSON document. Raises RefusedError if the headers and the value do not make one."""
    content_type = _content_type(headers)
    if content_type.startswith(CLOUDEVENTS):
        if content_type != f"{CLOUDEVENTS}+json":
            raise _bad(CONTENT_TYPE, f"is {content_type}; this pipeline reads {CLOUDEVENTS}+json")
        return value
    if not any(name.startswith(ATTRIBUTE_PREFIX) for name, _ in headers):
        return value
    if content_type and content_type != "application/json" and not content_type.endswith("+json"):
        raise _bad(CONTENT_TYPE, f"is {content_type}; data has to be JSON, such as application/json")
    event = _attributes(headers)
    if content_type:
        event["datacontenttype"] = content_type
    if value:
        event["data"] = _json(value)
    return _encode(event)


def _content_type(headers: Headers) -> str:
    for name, value in headers:
        if name.lower() == CONTENT_TYPE:
            return _text(name, value).split(";")[0].strip().lower()
    return ""


def _attributes(headers: Headers) -> dict[str, Any]:
    event: dict[str, Any] = {}
    for name, value in headers:
        if not name.startswith(ATTRIBUTE_PREFIX):
            continue
        attribute = name.removeprefix(ATTRIBUTE_PREFIX)
        if attribute in event:
            raise _bad(name, "is there twice; write it once")
        event[attribute] = _identities(name, value) if attribute == "identities" else _text(name, value)
    return event


def _identities(name: str, value: bytes | None) -> Any:
    try:
        identities = msgspec.json.decode(value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _bad(name, f'is not JSON ({error}); write an object such as {{"order_id": "O-5001"}}') from None
    if not isinstance(identities, dict):
        raise _bad(name, 'is not a JSON object; write one such as {"order_id": "O-5001"}')
    return identities


def _json(value: bytes) -> msgspec.Raw:
    try:
        return _check_json(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError(
            ErrorCode.MALFORMED_JSON,
            "data",
            f"the value is not JSON ({error}); in binary mode it is the event's data",
        ) from None


def _text(name: str, value: bytes | None) -> str:
    try:
        return (value or b"").decode()
    except UnicodeDecodeError:
        raise _bad(name, "is not UTF-8 text") from None


def _bad(header: str, what: str) -> RefusedError:
    return RefusedError(ErrorCode.BAD_HEADERS, f"headers.{header}", f"the header {header} {what}")
