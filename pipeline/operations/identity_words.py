"""Two identifiers as a touchpoint of the service domain: somebody's word on them, or a link from a table."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from hashlib import blake2b
from typing import NamedTuple

from pipeline.errors import ThroughlineError
from pipeline.operations.sources import SourceWriter

_SOURCE = "/throughline/identity"


class WordError(ThroughlineError):
    """Something that names no identifier."""


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


def say_whether_one(
    writer: SourceWriter,
    one: Identifier,
    other: Identifier,
    reason: str,
    *,
    are_one: bool,
    at: datetime | None = None,
) -> str:
    """Send the touchpoint; returns its id. Its kinds are checked where it is read: see the dead letters. `at` is when the
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
