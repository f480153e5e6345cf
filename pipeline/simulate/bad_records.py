"""Records that have to be refused: spoilt copies of good touchpoints, one way for each mistake of a source.

In: a good touchpoint. Out: the bytes and headers of a record that fails with exactly one code of
`schemas.dead_letter.ErrorCode`. Whatever id is left in a copy is its own, so it is no duplicate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from pipeline.simulate.episode import Data, Event
from pipeline.simulate.wire import Headers, binary, envelope, structured
from schemas.dead_letter import ErrorCode

_OVERSIZE = 300_000
"""Above the settings' `max_touchpoint_bytes`, below what a topic takes."""

Spoilt = tuple[bytes, Headers]


@dataclass(frozen=True, slots=True)
class Spoiler:
    """A way to spoil a touchpoint and the code that names it."""

    code: ErrorCode
    spoil: Callable[[Event], Spoilt]


def _copied(event: Event) -> Data:
    """Data that names the original, so that no two bad records have the same bytes."""
    return {**event.data, "copy_of": event.id}


def _changed(**changes: Any) -> Callable[[Event], Spoilt]:
    """Other attributes in place of the good ones; None takes an attribute away."""

    def spoil(event: Event) -> Spoilt:
        attributes = envelope(event) | {"id": f"{event.id}-bad", "data": _copied(event)} | changes
        kept = {name: value for name, value in attributes.items() if value is not None}
        return msgspec.json.encode(kept), structured(event)[1]

    return spoil


def _truncated(event: Event) -> Spoilt:
    value, headers = structured(event)
    return value[: len(value) // 2], headers


def _listed(event: Event) -> Spoilt:
    value, headers = structured(event)
    return b"[" + value + b"]", headers


def _oversized(event: Event) -> Spoilt:
    return _changed(data={**_copied(event), "attachment": "x" * _OVERSIZE})(event)


def _reheaded(name: str, *values: bytes) -> Callable[[Event], Spoilt]:
    """Binary mode with other values of one header, or without it; the rest would be good."""

    def spoil(event: Event) -> Spoilt:
        kept = tuple(header for header in binary(event)[1] if header[0] != name)
        return msgspec.json.encode(_copied(event)), (*kept, *((name, v) for v in values))

    return spoil


SPOILERS = (
    Spoiler(ErrorCode.MALFORMED_JSON, _truncated),
    Spoiler(ErrorCode.NOT_AN_OBJECT, _listed),
    Spoiler(ErrorCode.MISSING_FIELD, _changed(id=None)),
    Spoiler(ErrorCode.MISSING_FIELD, _changed(type=None)),
    Spoiler(ErrorCode.MISSING_FIELD, _reheaded("ce_id")),
    Spoiler(ErrorCode.WRONG_TYPE, _changed(identities="C-1")),
    Spoiler(ErrorCode.WRONG_TYPE, _changed(id=12)),
    Spoiler(ErrorCode.INVALID_VALUE, _changed(time="yesterday")),
    Spoiler(ErrorCode.INVALID_VALUE, _changed(outcome="splendid")),
    Spoiler(ErrorCode.UNKNOWN_FIELD, _changed(customerId="C-1")),
    Spoiler(ErrorCode.IMPOSSIBLE_TIME, _changed(time="1969-07-20T20:17:40Z")),
    Spoiler(ErrorCode.IMPOSSIBLE_TIME, _changed(time="2999-01-01T00:00:00Z")),
    Spoiler(ErrorCode.NO_IDENTITY, _changed(identities={})),
    Spoiler(ErrorCode.NO_IDENTITY, _changed(identities={"customer_id": None, "order_id": " "})),
    Spoiler(ErrorCode.OVERSIZED, _oversized),
    Spoiler(ErrorCode.BAD_HEADERS, _reheaded("ce_identities", b"customer_id=C-1")),
    Spoiler(ErrorCode.BAD_HEADERS, _reheaded("ce_source", b"/shop", b"/till")),
)
