"""A source's record in, a touchpoint and whose it may be out; or a refusal.

The touchpoint's `fields` are what the journey map mentions of it, instants in microseconds; absent and null
fields are left out, and so are objects and lists, which no rule compares. Its `digest` is that of the
canonical content (type, time, sequence, identities, subject, outcome, data), so that spaces and the order of
keys do not make two contents of one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final, Protocol

import msgspec
from mypy_extensions import mypyc_attr

from pipeline.core.binary import structured
from pipeline.core.dead_letters import RefusedError
from pipeline.core.identities import IMPORTED, WORDS, Finder, Found, meant_at
from pipeline.core.instants import DAY, EPOCH, LAST, micros, moment, parse_instant
from pipeline.core.kinds import IdentifierKind
from pipeline.core.messages import Entry, Micros, Touchpoint
from pipeline.core.outputs import Event, encode
from pipeline.core.tokens import Tokens
from pipeline.core.validation import INSTANT, Parts, read_event
from pipeline.ports import Record
from schemas.dead_letter import ErrorCode

_SCALARS: Final = frozenset((str, int, float, bool))
_SEQUENCE_DIGITS: Final = 20
_LAST_RECORDED: Final = LAST - 101 * 366 * DAY
"""A duration of a journey map, a century at most, leads from a time before it to one before the year 10000."""
_FIELD_CHARACTERS: Final = 1024
"""Of a text that the journey map uses: it is kept with the trail and published with every state."""
_PROJECTED_TYPES: Final = 4096
_canonical: Final = msgspec.json.Encoder(order="sorted").encode
_decode: Final = msgspec.json.Decoder().decode


class Plan(Protocol):
    """What a journey map has to say here; `pipeline.core.plan.Plan` does."""

    @property
    def kinds(self) -> Mapping[str, IdentifierKind]: ...

    def projection(self, touchpoint_type: str) -> tuple[tuple[str, bool], ...]:
        """The fields that are needed behind ingest: path, and whether it is an instant."""
        ...


@mypyc_attr(acyclic=True)
class Read:
    """A touchpoint, its strongest identifier, and the weaker references and personal identifiers on it.

    `are_one`: whether it says, by name, that the personal ones and the strongest are one person or are not; None if it
    says nothing of the kind.
    """

    __slots__ = ("are_one", "personal", "references", "to", "touchpoint")

    def __init__(self, touchpoint: Touchpoint, found: Found, are_one: bool | None) -> None:
        self.touchpoint = touchpoint
        self.to = found.to
        self.references = found.references
        self.personal = found.personal
        self.are_one = are_one


Projector = tuple[tuple[str, str, tuple[str, ...], bool], ...]
"""For each field: its path, the path's first part, the others, and whether it is an instant."""


class Reader:
    """Reads the records of a source for one journey map. `counts` are those of `pipeline.core.identities.Finder`."""

    def __init__(self, plan: Plan, tokens: Tokens, max_bytes: int, counts: Counter[str]) -> None:
        self._finder = Finder(plan.kinds, tokens, counts)
        self._max_bytes = max_bytes
        # any number of types may come by; most of them project the same few fields
        self._projector: Callable[[str], Projector] = lru_cache(_PROJECTED_TYPES)(
            lambda touchpoint_type: _compile(plan.projection(touchpoint_type))
        )

    def read(self, record: Record) -> Read:
        """Raises RefusedError."""
        headers, value = record.headers, record.value or b""
        if len(value) > self._max_bytes:
            raise _oversized(len(value), self._max_bytes)
        if headers:
            value = structured(headers, value)
        if not value:
            raise RefusedError(ErrorCode.MALFORMED_JSON, "", "the record is empty; write one event as JSON")
        parts = read_event(value)
        time = micros(parts.time)
        recorded = record.timestamp * 1000
        if not 0 <= time <= recorded + DAY or recorded > _LAST_RECORDED:
            raise _impossible(parts.time, recorded)
        return self._attribute(parts, time)

    def _attribute(self, parts: Parts, time: Micros) -> Read:
        data = _data_of(parts)
        are_one = WORDS.get(parts.type)
        at = time if are_one is None else meant_at(data, time)
        found = self._finder.find(parts.identities, at)
        if are_one is not None or parts.type == IMPORTED:
            self._finder.add_other(found, data, at)
        return Read(self._touchpoint(parts, time, found, data), found, are_one)

    def _touchpoint(self, parts: Parts, time: Micros, found: Found, data: Any) -> Touchpoint:
        sequence = _sortable(parts.sequence) if parts.sequence else ""
        content = _canonical((parts.type, time, sequence, found.shown, parts.subject, parts.outcome, data))
        entry = Entry(
            time,
            sequence,
            parts.source,
            parts.id,
            parts.type,
            blake2b(content, digest_size=8).digest(),
            _project(self._projector(parts.type), parts, found.known, data),
        )
        return Touchpoint(entry, _event(parts, time, found.shown))


def _data_of(parts: Parts) -> Any:
    try:
        return _decode(parts.data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _unusable_data(error) from None


def _event(parts: Parts, time: Micros, identities: dict[str, str]) -> bytes:
    at = parts.time if parts.time.tzinfo is UTC else moment(time)
    outcome: Any = parts.outcome  # the contract lets no other outcome through
    return encode(
        Event(parts.id, parts.source, parts.type, at, parts.subject, outcome, identities, parts.data)
    )


def _compile(projection: tuple[tuple[str, bool], ...]) -> Projector:
    split = [(path, path.split("."), is_instant) for path, is_instant in projection]
    return tuple((path, keys[0], tuple(keys[1:]), is_instant) for path, keys, is_instant in split)


def _project(projector: Projector, parts: Parts, identities: dict[str, str], data: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for path, root, keys, is_instant in projector:
        value: Any
        if root == "data":
            value = data
            for key in keys:
                value = value.get(key) if type(value) is dict else None
        elif root == "identities":
            value = identities.get(keys[0])
        else:
            value = parts.subject if root == "subject" else parts.outcome
        if value is None:
            continue
        if is_instant:
            fields[path] = _instant(path, value)
        elif type(value) in _SCALARS:
            if type(value) is str and len(value) > _FIELD_CHARACTERS:
                raise _too_long(path, len(value))
            fields[path] = value
    return fields


def _instant(path: str, value: Any) -> Micros:
    try:
        return parse_instant(value)
    except (TypeError, ValueError):
        shown = msgspec.json.encode(value).decode()[:60]
        raise RefusedError(
            ErrorCode.INVALID_VALUE,
            path,
            f"{path} is {shown}; a promise is due then, so it has to be {INSTANT}, in the years 1 to 9999",
        ) from None


def _sortable(sequence: str) -> str:
    """Numbers in the order of numbers; the plain order of strings would put 10 before 9."""
    if not (sequence.isascii() and sequence.isdigit()):
        return sequence
    padded = sequence.zfill(_SEQUENCE_DIGITS)
    if len(padded) > _SEQUENCE_DIGITS:
        raise RefusedError(
            ErrorCode.INVALID_VALUE,
            "sequence",
            f"sequence has {len(sequence)} digits; a number may have {_SEQUENCE_DIGITS}",
        )
    return padded


def _too_long(path: str, length: int) -> RefusedError:
    return RefusedError(
        ErrorCode.INVALID_VALUE,
        path,
        f"{path} has {length} characters; a field that the journey map uses may have {_FIELD_CHARACTERS}",
    )


def _unusable_data(error: Exception) -> RefusedError:
    return RefusedError(
        ErrorCode.INVALID_VALUE,
        "data",
        f"data cannot be used ({error}); write numbers that fit 64 bits, and nest less deeply",
    )


def _oversized(size: int, limit: int) -> RefusedError:
    return RefusedError(
        ErrorCode.OVERSIZED,
        "",
        f"the record has {size} bytes and may have {limit}; send a link to what is large, or raise "
        "max_touchpoint_bytes",
    )


def _impossible(time: datetime, recorded: Micros) -> RefusedError:
    if not 0 <= recorded <= _LAST_RECORDED:
        message = (
            f"the record's own timestamp is {recorded // 1000}; "
            "it has to be that of its writing, in milliseconds since 1970"
        )
        return RefusedError(ErrorCode.IMPOSSIBLE_TIME, "", message)
    if time < EPOCH:
        why = "before 1970; a clock or a unit is wrong"
    else:
        why = (
            f"more than a day after the record was written, {moment(recorded).isoformat()}; a clock is wrong"
        )
    return RefusedError(ErrorCode.IMPOSSIBLE_TIME, "time", f"time is {time.isoformat()}, {why}")
