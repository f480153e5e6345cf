"""The public contracts as documents: a JSON Schema (draft 2020-12) of each, and AsyncAPI 3.0 of the public
topics.

Everything is made from the models, so it is never behind them, and the same models always give the same
bytes. `schemas/exported` holds what was published; `docs/contracts.md` says what may change in it.
"""

from __future__ import annotations

import json
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
        "Every promise and stall; the greatest revision is the truth.",
    ),
    "journeys.state": ("state", "`kind:id`.", "Compacted: journeys, persons and counts as they stand."),
    "touchpoints.dead-letter": (
        "dead-letter",
        "The refused record's own.",
        "Refused records, byte for byte; the schema is of their `throughline-error-*` headers.",
    ),
}


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
    channels = {f"touchpoints.{domain}": _source_channel(domain) for domain in DOMAINS}
    operations = {f"read-{topic}": _operation("receive", topic) for topic in channels}
    for topic, (contract, key, description) in _TOPICS.items():
        message = _message(contract, f"./{contract}.schema.json", key)
        channels[topic] = {"address": topic, "description": description, "messages": {contract: message}}
        operations[f"write-{topic}"] = _operation("send", topic)
    return {
        "asyncapi": "3.0.0",
        "id": f"urn:throughline:{VERSION}",
        "info": {
            "title": "Throughline",
            "version": f"{VERSION}.0.0",
            "description": "Topics of a pipeline without a namespace; a replay's carry its name before them.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
    }


def _source_channel(domain: str) -> dict[str, Any]:
    key = "Whatever the source chooses; records of one key keep their order."
    files = {"touchpoint": "./touchpoint.schema.json"}
    files |= {name: f"./catalogue/{name}.schema.json" for name in CATALOGUE if name.startswith(f"{domain}.")}
    return {
        "address": f"touchpoints.{domain}",
        "description": "CloudEvents 1.0, structured or binary; catalogued types and any other.",
        "messages": {
            name: _message(name, file, key, "application/cloudevents+json") for name, file in files.items()
        },
    }


def _message(name: str, reference: str, key: str, content_type: str = "application/json") -> dict[str, Any]:
    return {
        "name": name,
        "contentType": content_type,
        "payload": {"schemaFormat": _SCHEMA_FORMAT, "schema": {"$ref": reference}},
        "bindings": {"kafka": {"key": {"type": "string", "description": key}}},
    }


def _operation(action: Literal["send", "receive"], topic: str) -> dict[str, Any]:
    return {"action": action, "channel": {"$ref": f"#/channels/{topic}"}}
