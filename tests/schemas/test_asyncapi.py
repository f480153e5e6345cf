"""The AsyncAPI document: built as AsyncAPI 3.0 has it, and true of what travels on the topics."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from jsonschema import Draft7Validator, ValidationError

from pipeline.core.binary import structured
from pipeline.core.dead_letters import decode_headers, encode_headers
from pipeline.core.ingest import TICK_HEADER, tick_headers
from pipeline.core.validation import read_event
from pipeline.ports import Headers
from schemas.base import DOMAINS
from schemas.catalogue import CATALOGUE
from schemas.dead_letter import DeadLetter, ErrorCode
from schemas.export import documents

DOCUMENTS = documents()
ASYNCAPI = DOCUMENTS["asyncapi.json"]
SOURCES = {f"touchpoints.{domain}" for domain in DOMAINS}
WRITTEN = {"journeys.enriched", "journeys.findings", "journeys.state", "touchpoints.dead-letter"}

# https://www.asyncapi.com/docs/reference/specification/v3.0.0: required fields (of messages, ours), and those that may be
# beside them; an object takes no others
FIELDS = {
    "document": ("asyncapi info", "id servers defaultContentType channels operations components"),
    "info": ("title version", "description termsOfService contact license tags externalDocs"),
    "channel": (
        "",
        "address messages title summary description servers parameters tags externalDocs bindings",
    ),
    "operation": (
        "action channel",
        "title summary description security tags externalDocs bindings traits messages reply",
    ),
    "message": (
        "name payload",
        "correlationId contentType headers title summary description tags externalDocs bindings traits examples",
    ),
    "components": ("", "schemas servers channels operations messages securitySchemes parameters"),
}


def assert_fields(kind: str, found: dict[str, Any]) -> None:
    required, others = (set(names.split()) for names in FIELDS[kind])
    assert required <= found.keys() <= required | others, kind


def references(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        if isinstance(document.get("$ref"), str):
            yield document["$ref"]
        for value in document.values():
            yield from references(value)
    elif isinstance(document, list):
        for value in document:
            yield from references(value)


def resolved(reference: str) -> Any:
    """What a reference leads to: in this document, or in one that is exported with it. Raises KeyError."""
    file, _, pointer = reference.partition("#")
    found: Any = DOCUMENTS[file.removeprefix("./")] if file else ASYNCAPI
    for part in pointer.split("/")[1:]:
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return found


def message(topic: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = ASYNCAPI["channels"][topic]["messages"][name]
    return resolved(found["$ref"]) if "$ref" in found else found


MESSAGES = [
    message(topic, name) for topic, channel in ASYNCAPI["channels"].items() for name in channel["messages"]
]


def check(headers: Headers, schema: dict[str, Any]) -> None:
    Draft7Validator(schema).validate({name: (value or b"").decode() for name, value in headers})


def test_the_document_says_what_it_is() -> None:
    assert_fields("document", ASYNCAPI)
    assert_fields("info", ASYNCAPI["info"])
    assert_fields("components", ASYNCAPI["components"])
    assert ASYNCAPI["asyncapi"] == "3.0.0"
    assert re.fullmatch(r"urn:[a-z]+:\d+", ASYNCAPI["id"])


def test_every_public_topic_is_a_channel_at_its_own_address() -> None:
    assert set(ASYNCAPI["channels"]) == SOURCES | WRITTEN
    for topic, channel in ASYNCAPI["channels"].items():
        assert_fields("channel", channel)
        assert channel["address"] == topic
        assert channel["messages"]


def test_every_reference_leads_somewhere() -> None:
    found = set(references(ASYNCAPI))
    assert len(found) > len(CATALOGUE)
    for reference in found:
        resolved(reference)


def test_sources_are_read_and_all_other_channels_are_written() -> None:
    operations = ASYNCAPI["operations"].values()
    for operation in operations:
        assert_fields("operation", operation)
    directions = {
        (each["action"], each["channel"]["$ref"].removeprefix("#/channels/")) for each in operations
    }
    assert directions == {("receive", topic) for topic in SOURCES} | {("send", topic) for topic in WRITTEN}


def test_a_message_has_a_name_a_media_type_a_payload_and_a_key() -> None:
    for told in MESSAGES:
        assert_fields("message", told)
        assert re.fullmatch(r"[a-z]+/[a-z+-]+", told["contentType"]), told["name"]
        assert told["bindings"]["kafka"]["key"]["description"], told["name"]
        payload = told["payload"]
        if "schemaFormat" in payload:
            assert payload.keys() == {"schemaFormat", "schema"}, told["name"]
        else:
            Draft7Validator.check_schema(payload)


def test_headers_are_an_object_of_texts() -> None:
    schemas = {told["name"]: told["headers"] for told in MESSAGES if "headers" in told}
    assert schemas.keys() == {"touchpoint-binary", "tick", "dead-letter"}
    for schema in schemas.values():
        Draft7Validator.check_schema(schema)
        assert schema["type"] == "object"
        assert {header["type"] for header in schema["properties"].values()} == {"string"}
        assert set(schema["required"]) <= schema["properties"].keys()


def test_a_message_is_named_as_its_channel_names_it() -> None:
    for topic, channel in ASYNCAPI["channels"].items():
        assert {name: message(topic, name)["name"] for name in channel["messages"]} == {
            name: name for name in channel["messages"]
        }


def test_each_type_of_the_catalogue_is_a_message_of_its_domains_topic_beside_what_every_source_may_send() -> (
    None
):
    for domain in DOMAINS:
        of_the_domain = {name for name in CATALOGUE if name.startswith(f"{domain}.")}
        assert ASYNCAPI["channels"][f"touchpoints.{domain}"]["messages"].keys() == {
            *of_the_domain,
            "touchpoint",
            "touchpoint-binary",
            "tick",
        }


def test_a_dead_letter_is_told_by_the_headers_that_it_has() -> None:
    letter = DeadLetter(
        code=ErrorCode.MISSING_FIELD,
        path="",
        message="id is missing",
        stage="ingest",
        topic="touchpoints.sales",
        partition=1,
        offset=70,
        time=datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
    )
    told = message("touchpoints.dead-letter", "dead-letter")
    headers = encode_headers([], letter)
    names = [name for name, _ in headers]
    assert told["headers"]["required"] == names
    assert told["headers"]["properties"].keys() == set(names)
    check(encode_headers([("ce_id", b"1")], letter), told["headers"])
    with pytest.raises(ValidationError):
        check(headers[1:], told["headers"])
    forms = {name: header.get("format") for name, header in told["headers"]["properties"].items()}
    assert [name for name, form in forms.items() if form] == ["throughline-error-timestamp"]
    assert decode_headers(headers) == letter


def test_the_value_and_the_key_of_a_dead_letter_are_those_of_any_record() -> None:
    told = message("touchpoints.dead-letter", "dead-letter")
    assert told["contentType"] == "application/octet-stream"
    assert told["payload"].keys() == {"description"}
    assert told["bindings"]["kafka"]["key"].keys() == {"description"}


BINARY: list[tuple[str, bytes]] = [
    ("ce_specversion", b"1.0"),
    ("ce_id", b"e1"),
    ("ce_source", b"/shop"),
    ("ce_type", b"sales.order.placed"),
    ("ce_time", b"2026-03-01T11:59:00Z"),
    ("ce_identities", b'{"order_id": "O-1"}'),
]
OPTIONAL: list[tuple[str, bytes]] = [
    ("ce_outcome", b"success"),
    ("ce_sequence", b"7"),
    ("ce_subject", b"O-1"),
    ("ce_dataschema", b"/schemas/1"),
    ("ce_tracestate", b"an extension"),
    ("content-type", b"application/json"),
]


def test_a_touchpoint_in_binary_mode_is_told_by_the_headers_that_are_read() -> None:
    schema = message("touchpoints.sales", "touchpoint-binary")["headers"]
    assert schema["required"] == [name for name, _ in BINARY]
    assert schema["properties"].keys() == {name for name, _ in BINARY + OPTIONAL} - {"ce_tracestate"}
    for headers in (BINARY, BINARY + OPTIONAL):
        check(headers, schema)
        assert read_event(structured(headers, b'{"value": 1}')).id == "e1"
    for left_out in range(len(BINARY)):
        with pytest.raises(ValidationError):
            check(BINARY[:left_out] + BINARY[left_out + 1 :], schema)


def test_a_tick_is_told_by_the_header_that_is_read() -> None:
    told = message("touchpoints.sales", "tick")
    check(tick_headers(1_525_168_800_000_000), told["headers"])
    assert told["headers"]["required"] == [TICK_HEADER]
    assert told["payload"]["type"] == "null"


def test_sources_choose_their_keys_and_what_is_published_has_a_key_of_text() -> None:
    for topic, channel in ASYNCAPI["channels"].items():
        keys = [message(topic, name)["bindings"]["kafka"]["key"] for name in channel["messages"]]
        assert {key.get("type") for key in keys} == {"string" if topic.startswith("journeys.") else None}


def test_what_a_channel_carries_in_json_is_a_contract_of_its_name() -> None:
    for topic in WRITTEN - {"touchpoints.dead-letter"}:
        ((name, told),) = ASYNCAPI["channels"][topic]["messages"].items()
        assert told["payload"]["schema"] == {"$ref": f"./{name}.schema.json"}
        assert told["contentType"] == "application/json"
    assert json.loads(json.dumps(ASYNCAPI)) == ASYNCAPI
