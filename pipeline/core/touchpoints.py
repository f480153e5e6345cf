"""A source's record in, a touchpoint and whose it may be out; or a refusal.

The touchpoint's `fields` are what the journey map mentions of it, instants in microseconds; absent and null
fields are left out, and so are objects and lists, which no rule compares. Its `digest` is that of the
canonical content (type, time, sequence, identities, subject, outcome, data), so that spaces and the order of
keys do not make two contents of one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final, Protocol

import msgspec

from pipeline.core.binary import structured
from pipeline.core.dead_letters import RefusedError
from pipeline.core.instants import DAY, EPOCH, LAST, micros, moment, parse_instant
from pipeline.core.kinds import IdentifierKind, ranks
from pipeline.core.messages import Entry, Micros, Token, Touchpoint
from pipeline.core.outputs import Event, encode
from pipeline.core.tokens import Tokens, kind_of
from pipeline.core.validation import INSTANT, Parts, read_event
from pipeline.ports import Record
from schemas.dead_letter import ErrorCode

_SCALARS: Final = frozenset((str, int, float, bool))
_SEQUENCE_DIGITS: Final = 20
_LAST_RECORDED: Final = LAST - 101 * 366 * DAY
"""A duration of a journey map, a century at most, leads from a time before it to one before the year 10000."""
_FIELD_CHARACTERS: Final = 1024
"""Of a text that the journey map uses: it is kept with the trail and published with every state."""
_WORDS: Final = {"service.identity.linked": True, "service.identity.unlinked": False}
"""Types by which somebody says of two identifiers whether they are one person."""
_IMPORTED: Final = "service.identity.imported"
"""Links as any touchpoint of two identifiers does, and no more: who has unlinked them by name stays right."""
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


class Read:
    """A touchpoint, its strongest identifier, and the weaker references and personal identifiers on it.

    `are_one`: whether it says, by name, that the personal ones and the strongest are one person or are not; None if it
    says nothing of the kind.
    """

    __slots__ = ("are_one", "personal", "references", "to", "touchpoint")

    def __init__(
        self,
        touchpoint: Touchpoint,
        to: Token,
        references: list[Token],
        personal: list[Token],
        are_one: bool | None,
    ) -> None:
        self.touchpoint = touchpoint
        self.to = to
        self.references = references
        self.personal = personal
        self.are_one = are_one


Projector = tuple[tuple[str, str, tuple[str, ...], bool], ...]
"""For each field: its path, the path's first part, the others, and whether it is an instant."""


class Reader:
    """Reads the records of a source for one journey map."""

    def __init__(self, plan: Plan, tokens: Tokens, max_bytes: int) -> None:
        self._ranks = ranks(plan.kinds)
        self._references = frozenset(name for name, kind in plan.kinds.items() if kind.kind == "reference")
        self._identify = tokens.identify
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
        identities: dict[str, str] = {}
        references: list[Token] = []
        personal: list[Token] = []
        strongest, to = -1, ""
        for kind, given in parts.identities.items():
            if given is None:
                continue
            token, value = self._identify(kind, given)
            if not value:
                continue
            identities[kind] = value
            rank = self._ranks.get(kind, -1)
            if rank > strongest:
                strongest, to = rank, token
            if kind in self._references:
                references.append(token)
            elif rank >= 0:
                personal.append(token)
        if not to:
            raise _no_identity(parts.identities, self._ranks)
        (references if to in references else personal).remove(to)
        are_one = _WORDS.get(parts.type)
        if are_one is not None or parts.type == _IMPORTED:
            self._named(parts, to, personal)
        return Read(self._touchpoint(parts, time, identities), to, references, personal, are_one)

    def _named(self, parts: Parts, to: Token, personal: list[Token]) -> None:
        """Add the identifier that `data.other` names, and see that there are two to speak of."""
        data = _decode(parts.data)
        other = data.get("other") if type(data) is dict else None
        if other is not None:
            kind = other["kind"]
            token, value = self._identify(kind, other["value"])
            if self._ranks.get(kind, -1) < 0 or kind in self._references or not value:
                raise _no_other(f"data.other is no personal identifier of the map ({kind})")
            if token != to and token not in personal:
                personal.append(token)
        if not personal or kind_of(to) in self._references:
            raise _no_other("it names fewer than two personal identifiers")

    def _touchpoint(self, parts: Parts, time: Micros, identities: dict[str, str]) -> Touchpoint:
        try:
            data = _decode(parts.data)
        except (msgspec.DecodeError, RecursionError) as error:
            raise _unusable_data(error) from None
        sequence = _sortable(parts.sequence) if parts.sequence else ""
        content = _canonical((parts.type, time, sequence, identities, parts.subject, parts.outcome, data))
        entry = Entry(
            time,
            sequence,
            parts.source,
            parts.id,
            parts.type,
            blake2b(content, digest_size=8).digest(),
            _project(self._projector(parts.type), parts, identities, data),
        )
        return Touchpoint(entry, _event(parts, time, identities))


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


def _no_other(what: str) -> RefusedError:
    message = f"{what}; name two: both under identities, or the second as data.other with its kind and value"
    return RefusedError(ErrorCode.INVALID_VALUE, "data.other", message)


def _no_identity(given: Mapping[str, str | None], known: Mapping[str, int]) -> RefusedError:
    wrong = [f"{kind} is {'blank' if kind in known else 'no identifier of the map'}" for kind in given]
    strongest_first = ", ".join(reversed(list(known)))
    message = f"{', '.join(wrong) or 'identities is empty'}; give one of {strongest_first}"
    return RefusedError(ErrorCode.NO_IDENTITY, "identities", message)
