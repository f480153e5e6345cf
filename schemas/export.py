"""The public contracts as documents: a JSON Schema (draft 2020-12) of each, and AsyncAPI 3.0 of the public
topics.

Everything is made from the models, so it is never behind them, and the same models always give the same
bytes. `schemas/exported` holds what was published; `docs/contracts.md` says what may change in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from schemas.base import DOMAINS
from schemas.catalogue import CATALOGUE, envelope
from schemas.dead_letter import DeadLetter
from schemas.enriched import EnrichedTouchpoint
from schemas.finding import Finding
from schemas.journey_map import JourneyMap
from schemas.state import StateRecord
from schemas.touchpoint import Touchpoint

VERSION = 1
"""Of the contracts as a whole; a change that a reader or a source could not bear makes it another."""
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SCHEMA_FORMAT = "application/schema+json;version=draft-2020-12"
# those that others write are shown as they may be written, those that we write as they are written
_READ: dict[str, Any] = {"touchpoint": Touchpoint, "journey-map": JourneyMap}
_WRITTEN: dict[str, Any] = {
    "enriched-touchpoint": EnrichedTouchpoint,
    "finding": Finding,
    "state": StateRecord,
    "dead-letter": DeadLetter,
}
_TOPICS = {
    "journeys.enriched": (
        "enriched-touchpoint",
        "The person's id.",
        "Each touchpoint with its journey context.",
    ),
    "journeys.findings": (
        "finding",
        "`finding_id`.",
        "Every promise, of an instant or of a figure, and every stall; the greatest revision is the truth.",
    ),
    "journeys.state": (
        "state",
        "`kind:id`.",
        "Compacted: journeys, persons, overrides, links, identifiers, what was learned, and counts, as they stand.",
    ),
}
_DEAD_LETTERS = "touchpoints.dead-letter"
_ATTRIBUTE, _TICK, _ERROR = "ce_", "throughline-tick", "throughline-error-"
"""What the names of headers begin with: of attributes in binary mode, of ticks, and of what is wrong with a record."""
_ERROR_NAMES = {"time": "timestamp"}
"""Fields of `DeadLetter` whose header has another name."""
_SHARED = ("touchpoint", "touchpoint-binary", "tick")
"""Messages that every source topic may carry, beside those of its domain's types."""
_ANY_KEY = {"description": "Whatever the source chooses, or none; records of one key keep their order."}
_TEXTUAL: dict[str, dict[str, Any]] = {
    "string": {},
    "integer": {"pattern": "^[0-9]+$"},
    "object": {"contentMediaType": "application/json"},
}
"""How a value of a type is written in a header."""
_OF_TEXT = frozenset({"const", "enum", "format", "maxLength", "minLength", "pattern"})
"""What a schema may ask of a text."""


def documents() -> dict[str, dict[str, Any]]:
    """All documents by file name."""
    found = {f"{name}.schema.json": _schema(name, model, "validation") for name, model in _READ.items()}
    found |= {
        f"{name}.schema.json": _schema(name, model, "serialization") for name, model in _WRITTEN.items()
    }
    for name in CATALOGUE:
        found[f"catalogue/{name}.schema.json"] = _typed_schema(name)
    found["asyncapi.json"] = _asyncapi()
    return found


def export(folder: Path) -> list[Path]:
    """Write all documents into `folder`, which is made if it is not there; the files, in order."""
    paths = []
    for name, document in sorted(documents().items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n", "utf-8")
        paths.append(path)
    return paths


def _schema(name: str, model: Any, mode: Literal["validation", "serialization"]) -> dict[str, Any]:
    schema = TypeAdapter(model).json_schema(mode=mode)
    return {"$schema": _DIALECT, "$id": f"urn:throughline:{VERSION}:{name}", **schema}


def _typed_schema(name: str) -> dict[str, Any]:
    schema = _schema(f"catalogue:{name}", envelope(name), "validation")
    schema["title"] = name
    schema["description"] = CATALOGUE[name].__doc__
    schema["properties"]["type"] = {"const": name}
    return schema


def _asyncapi() -> dict[str, Any]:
    read, written = (
        {f"touchpoints.{domain}": _source_channel(domain) for domain in DOMAINS},
        _written_channels(),
    )
    operations = {f"read-{topic}": _operation("receive", topic) for topic in read}
    operations |= {f"write-{topic}": _operation("send", topic) for topic in written}
    return {
        "asyncapi": "3.0.0",
        "id": f"urn:throughline:{VERSION}",
        "info": {
            "title": "Throughline",
            "version": f"{VERSION}.0.0",
            "description": "Topics of a pipeline without a namespace; a replay's carry its name before them.",
        },
        "defaultContentType": "application/json",
        "channels": read | written,
        "operations": operations,
        "components": {
            "messages": {
                "touchpoint": _touchpoint(),
                "touchpoint-binary": _binary_touchpoint(),
                "tick": _tick(),
            }
        },
    }


def _source_channel(domain: str) -> dict[str, Any]:
    messages: dict[str, Any] = {
        name: _structured(name, f"./catalogue/{name}.schema.json")
        for name in CATALOGUE
        if name.startswith(f"{domain}.")
    }
    messages |= {name: {"$ref": f"#/components/messages/{name}"} for name in _SHARED}
    description = "CloudEvents 1.0, structured or binary, of catalogued types and any other; and ticks."
    return {"address": f"touchpoints.{domain}", "description": description, "messages": messages}


def _written_channels() -> dict[str, Any]:
    channels = {}
    for topic, (contract, key, description) in _TOPICS.items():
        message = _message(
            contract, _json(f"./{contract}.schema.json"), {"type": "string", "description": key}
        )
        channels[topic] = {"address": topic, "description": description, "messages": {contract: message}}
    channels[_DEAD_LETTERS] = {
        "address": _DEAD_LETTERS,
        "description": "Refused records, byte for byte; what was wrong with them is told in headers.",
        "messages": {"dead-letter": _dead_letter()},
    }
    return channels


def _structured(name: str, reference: str) -> dict[str, Any]:
    return _message(name, _json(reference), _ANY_KEY, "application/cloudevents+json")


def _touchpoint() -> dict[str, Any]:
    summary = "A touchpoint of any type, in structured mode: the value is the event."
    return {**_structured("touchpoint", "./touchpoint.schema.json"), "summary": summary}


def _binary_touchpoint() -> dict[str, Any]:
    attributes, required = _headers(
        Touchpoint, "validation", lambda name: _ATTRIBUTE + name, without=("data", "datacontenttype")
    )
    media_type = "Media type of the value: `application/json` or one that ends in `+json`; may be absent."
    data = "The event's `data` in JSON, of a catalogued type as the message of its name has it; or no value."
    return {
        **_message("touchpoint-binary", {"description": data}, _ANY_KEY),
        "summary": "A touchpoint of any type, in binary mode: attributes are headers, the value is `data`.",
        "headers": {
            "type": "object",
            "properties": {**attributes, "content-type": {"type": "string", "description": media_type}},
            "patternProperties": {f"^{_ATTRIBUTE}[a-z0-9]+$": {"type": "string"}},
            "required": required,
        },
    }


def _tick() -> dict[str, Any]:
    instant = "An RFC 3339 instant, or microseconds since 1970."
    return {
        **_message("tick", {"type": "null", "description": "No value, or an empty one."}, _ANY_KEY),
        "summary": "The source's word that it has sent everything of this partition before an instant.",
        "headers": {
            "type": "object",
            "properties": {_TICK: {"type": "string", "description": instant}},
            "required": [_TICK],
        },
    }


def _dead_letter() -> dict[str, Any]:
    reasons, required = _headers(
        DeadLetter, "serialization", lambda name: _ERROR + _ERROR_NAMES.get(name, name)
    )
    payload = {"description": "The value of the refused record as it was, of any content, or none."}
    key = {"description": "The refused record's own, or none."}
    return {
        **_message("dead-letter", payload, key, "application/octet-stream"),
        "headers": {
            "type": "object",
            "description": "Beside the refused record's own headers. `dead-letter.schema.json` is their decoded form.",
            "properties": reasons,
            "required": required,
        },
    }


def _headers(
    model: Any,
    mode: Literal["validation", "serialization"],
    named: Callable[[str], str],
    without: tuple[str, ...] = (),
) -> tuple[dict[str, Any], list[str]]:
    """Schemas of the headers that tell the fields of a model, and the names of those that have to be there."""
    schema = TypeAdapter(model).json_schema(mode=mode)
    fields = {name: field for name, field in schema["properties"].items() if name not in without}
    headers = {named(name): _header(field, schema.get("$defs", {})) for name, field in fields.items()}
    return headers, [named(name) for name in schema["required"] if name not in without]


def _header(field: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """A field as a header: text, whatever it is in the model; what may be null is left out instead."""
    if "$ref" in field:
        field = definitions[field["$ref"].removeprefix("#/$defs/")]
    form = next(each for each in field.get("anyOf", [field]) if each["type"] != "null")
    kept = {name: value for name, value in form.items() if name in _OF_TEXT}
    described = {"description": field["description"]} if "description" in field else {}
    return {**kept, **_TEXTUAL[form["type"]], **described, "type": "string"}


def _message(
    name: str, payload: dict[str, Any], key: dict[str, str], content_type: str = "application/json"
) -> dict[str, Any]:
    return {
        "name": name,
        "contentType": content_type,
        "payload": payload,
        "bindings": {"kafka": {"key": key}},
    }


def _json(reference: str) -> dict[str, Any]:
    return {"schemaFormat": _SCHEMA_FORMAT, "schema": {"$ref": reference}}


def _operation(action: Literal["send", "receive"], topic: str) -> dict[str, Any]:
    return {"action": action, "channel": {"$ref": f"#/channels/{topic}"}}
