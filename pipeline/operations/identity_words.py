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


def import_link(writer: SourceWriter, one: Identifier, other: Identifier, time: datetime) -> None:
    """Send the link of a table. Its id is made of the two, so that the same table again says nothing new."""
    ends = sorted((str(one), str(other)))
    touchpoint = blake2b("\0".join(ends).encode(), digest_size=16).hexdigest()
    writer.send("service", touchpoint.encode(), _event(touchpoint, "imported", time, one, other, {}))


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
