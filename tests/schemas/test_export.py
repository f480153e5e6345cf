"""The exported documents: complete, sound, deterministic, and what was published."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from schemas.base import DOMAINS
from schemas.catalogue import CATALOGUE
from schemas.export import documents, export

PUBLISHED = Path(__file__).parents[2] / "schemas" / "exported"


def references(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        if isinstance(document.get("$ref"), str):
            yield document["$ref"]
        for value in document.values():
            yield from references(value)
    elif isinstance(document, list):
        for value in document:
            yield from references(value)


def test_the_contracts_are_those_that_were_published(tmp_path: Path) -> None:
    made = {path.relative_to(tmp_path): path.read_text() for path in export(tmp_path)}
    published = {path.relative_to(PUBLISHED): path.read_text() for path in PUBLISHED.rglob("*.json")}
    changed = sorted(
        str(path) for path in made.keys() | published.keys() if made.get(path) != published.get(path)
    )
    assert changed == [], (
        "a public contract has changed: read docs/contracts.md for what may, then publish it with "
        "`throughline schemas export --to schemas/exported`"
    )


def test_exporting_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first = [path.read_bytes() for path in export(tmp_path / "new" / "folder")]
    assert [path.read_bytes() for path in export(tmp_path / "new" / "folder")] == first


def test_every_contract_is_a_json_schema_with_an_id_of_its_own() -> None:
    schemas = {name: document for name, document in documents().items() if name.endswith(".schema.json")}
    assert len(schemas) == len(CATALOGUE) + 6
    for document in schemas.values():
        Draft202012Validator.check_schema(document)
        assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert len({document["$id"] for document in schemas.values()}) == len(schemas)


def test_asyncapi_has_every_public_topic_and_every_reference_leads_somewhere() -> None:
    found = documents()
    asyncapi = found["asyncapi.json"]
    written = {"journeys.enriched", "journeys.findings", "journeys.state", "touchpoints.dead-letter"}
    assert set(asyncapi["channels"]) == {f"touchpoints.{domain}" for domain in DOMAINS} | written
    assert {channel["address"] for channel in asyncapi["channels"].values()} == set(asyncapi["channels"])
    for reference in references(asyncapi):
        if reference.startswith("#/channels/"):
            assert reference.removeprefix("#/channels/") in asyncapi["channels"]
        else:
            assert reference.removeprefix("./") in found


def test_each_type_of_the_catalogue_is_a_message_of_its_domains_topic() -> None:
    channels = documents()["asyncapi.json"]["channels"]
    named = {name for domain in DOMAINS for name in channels[f"touchpoints.{domain}"]["messages"]}
    assert named == {*CATALOGUE, "touchpoint"}


def test_the_documents_are_json_that_others_can_read() -> None:
    for name, document in documents().items():
        assert json.loads(json.dumps(document)) == document, name
