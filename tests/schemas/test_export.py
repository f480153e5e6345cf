"""The exported documents: complete, sound, deterministic, and what was published."""

from __future__ import annotations

import json
from pathlib import Path

from jsonschema import Draft202012Validator

from schemas.catalogue import CATALOGUE
from schemas.export import documents, export

PUBLISHED = Path(__file__).parents[2] / "schemas" / "exported"


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


def test_the_documents_are_json_that_others_can_read() -> None:
    for name, document in documents().items():
        assert json.loads(json.dumps(document)) == document, name
