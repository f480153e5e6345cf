"""Two identifiers as a touchpoint of the service domain: somebody's word on them, or a link from a table.

Whoever has the journey map can tell beforehand whether the pipeline will take it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from typing import NamedTuple

from pipeline.complaints import near
from pipeline.core.kinds import IdentifierKind
from pipeline.core.messages import Micros, Token
from pipeline.core.tokens import BLOCKED, Identified
from pipeline.errors import ThroughlineError
from pipeline.operations.sources import SourceWriter

_SOURCE = "/throughline/identity"
Identify = Callable[[str, str, int], Identified]
"""Kind, value and instant to the identifier: `pipeline.core.tokens.Tokens.identify`."""


class WordError(ThroughlineError):
    """Something that names no identifier, or two of which nothing can be said."""


class UnknownKindError(ThroughlineError):
    """An identifier of a kind that the journey map does not name."""


class NoIdentifierError(ThroughlineError):
    """A value that the journey map says is no identifier of its kind."""


class Identifier(NamedTuple):
    kind: str
    value: str

    def __str__(self) -> str:
        return f"{self.kind}={self.value}"


def parse_identifier(text: str) -> Identifier:
    """`KIND=VALUE`. Raises WordError."""
    kind, separator, value = text.partition("=")
    if not (kind.strip() and separator and value.strip()):
        raise WordError(f"{text!r} is no identifier; write KIND=VALUE, such as email=ann@example.com")
    return Identifier(kind.strip(), value.strip())


def identified(
    identifier: Identifier, kinds: Mapping[str, IdentifierKind], identify: Identify, at: Micros
) -> tuple[Identifier, Token]:
    """The identifier in the form that counts, and its token. Raises UnknownKindError, NoIdentifierError."""
    kind, value = identifier
    if kind not in kinds:
        known = sorted(kinds)
        raise UnknownKindError(
            f"the journey map has no identifier kind {kind!r}{near(kind, known)}; it has {', '.join(known)}"
        )
    token, counts, wrong = identify(kind, value, at)
    if wrong == BLOCKED:
        raise NoIdentifierError(f"{identifier} is blocked in the journey map: whoever writes it is nobody")
    if wrong:
        raise NoIdentifierError(f"{identifier} is {wrong}")
    return Identifier(kind, counts), token


def check_word(
    one: Identifier,
    other: Identifier,
    kinds: Mapping[str, IdentifierKind],
    identify: Identify,
    at: Micros,
) -> None:
    """Refuse what would become a dead letter. Raises WordError, UnknownKindError, NoIdentifierError."""
    tokens = {identified(each, kinds, identify, at)[1] for each in (one, other)}
    for each in (one, other):
        if kinds[each.kind].kind == "reference":
            personal = ", ".join(sorted(name for name, kind in kinds.items() if kind.kind == "personal"))
            raise WordError(
                f"{each} is a reference, which belongs to one person anyway; name two of {personal}"
            )
    if len(tokens) == 1:
        raise WordError(f"{one} and {other} are the same identifier; name two")


def say_whether_one(
    writer: SourceWriter,
    one: Identifier,
    other: Identifier,
    reason: str,
    *,
    are_one: bool,
    at: datetime | None = None,
) -> str:
    """Send the touchpoint; returns its id. What `check_word` refuses would become a dead letter. `at` is when the
    identifiers are what is meant, of kinds with a life time; now if absent.
    """
    data: dict[str, object] = {"reason": reason}
    if at is not None:
        data["at"] = at.isoformat()
    touchpoint = str(uuid.uuid4())
    verb = "linked" if are_one else "unlinked"
    time = datetime.now(UTC)
    writer.send("service", touchpoint.encode(), _event(touchpoint, verb, time, one, other, data))
    return touchpoint


def import_link(
    writer: SourceWriter, one: Identifier, other: Identifier, time: datetime | None, *, secret: str
) -> None:
    """Send the link of a table; without a time it is of now. Its id is a keyed hash of what the table says, so that the
    same line again is the same touchpoint, and nobody without the key can try addresses on it.
    """
    line = "\0".join([*sorted((str(one), str(other))), "" if time is None else time.isoformat()])
    key = blake2b(secret.encode(), digest_size=32).digest()
    touchpoint = blake2b(line.encode(), digest_size=16, key=key).hexdigest()
    event = _event(touchpoint, "imported", time or datetime.now(UTC), one, other, {})
    writer.send("service", touchpoint.encode(), event)


def _event(
    touchpoint: str, verb: str, time: datetime, one: Identifier, other: Identifier, data: dict[str, object]
) -> bytes:
    identities = {one.kind: one.value}
    if one.kind == other.kind:
        data = {**data, "other": {"kind": other.kind, "value": other.value}}
    else:
        identities[other.kind] = other.value
    event = {
        "specversion": "1.0",
        "id": touchpoint,
        "source": _SOURCE,
        "type": f"service.identity.{verb}",
        "time": time.isoformat(),
        "identities": identities,
        "data": data,
    }
    return json.dumps(event).encode()
