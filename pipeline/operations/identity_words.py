"""A word on two identifiers, as a touchpoint of the service domain: they are one person, or they are not."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
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
    writer: SourceWriter, one: Identifier, other: Identifier, reason: str, *, are_one: bool
) -> str:
    """Send the touchpoint; returns its id. Its kinds are checked where it is read: see the dead letters."""
    data: dict[str, object] = {"reason": reason}
    identities = {one.kind: one.value}
    if one.kind == other.kind:
        data["other"] = {"kind": other.kind, "value": other.value}
    else:
        identities[other.kind] = other.value
    touchpoint = str(uuid.uuid4())
    event = {
        "specversion": "1.0",
        "id": touchpoint,
        "source": _SOURCE,
        "type": f"service.identity.{'linked' if are_one else 'unlinked'}",
        "time": datetime.now(UTC).isoformat(),
        "identities": identities,
        "data": data,
    }
    writer.send("service", touchpoint.encode(), json.dumps(event).encode())
    return touchpoint
