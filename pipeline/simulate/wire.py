"""A touchpoint as bytes: CloudEvents 1.0, structured JSON or Kafka's binary mode."""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.core.instants import moment
from pipeline.simulate.episode import Event

Headers = tuple[tuple[str, bytes], ...]

_encode = msgspec.json.Encoder().encode
_STRUCTURED: Headers = (("content-type", b"application/cloudevents+json"),)


def envelope(event: Event) -> dict[str, Any]:
    """The event's attributes, by name, with the time as a datetime."""
    attributes: dict[str, Any] = {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "time": moment(event.time),
        "identities": event.identities,
        "data": event.data,
    }
    if event.outcome is not None:
        attributes["outcome"] = event.outcome
    return attributes


def structured(event: Event) -> tuple[bytes, Headers]:
    return _encode(envelope(event)), _STRUCTURED


def binary(event: Event) -> tuple[bytes, Headers]:
    """The data alone in the value, everything else in headers; `identities` as JSON."""
    headers = [("content-type", b"application/json")]
    for name, attribute in envelope(event).items():
        if name != "data":
            text = attribute if isinstance(attribute, str) else _encode(attribute).decode().strip('"')
            headers.append((f"ce_{name}", text.encode()))
    return _encode(event.data), tuple(headers)
