"""The examples hold for the models and for the exported JSON Schemas alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from schemas.base import DOMAINS
from schemas.catalogue import CATALOGUE, envelope
from schemas.export import documents
from schemas.touchpoint import Touchpoint

EXAMPLES = Path(__file__).parents[2] / "examples" / "touchpoints"
GOOD = sorted((EXAMPLES / "good").glob("*.json"))
EXPECTED: dict[str, dict[str, str]] = json.loads((EXAMPLES / "bad" / "expected.json").read_text())
OF_THE_CONTRACT = {"not_an_object", "missing_field", "wrong_type", "invalid_value", "unknown_field"}
BAD = sorted(
    name
    for name, expected in EXPECTED.items()
    # no pattern can tell that there is no 30th of February
    if expected["code"] in OF_THE_CONTRACT and name != "invalid-value-time-no-such-day.json"
)
DOCUMENTS = documents()


def model(touchpoint_type: str) -> type[Touchpoint]:
    return envelope(touchpoint_type) if touchpoint_type in CATALOGUE else Touchpoint


def schema(touchpoint_type: str) -> dict[str, Any]:
    name = f"catalogue/{touchpoint_type}" if touchpoint_type in CATALOGUE else "touchpoint"
    return DOCUMENTS[f"{name}.schema.json"]


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_example_holds_for_its_model_and_for_both_schemas(path: Path) -> None:
    event = json.loads(path.read_bytes())
    model(event["type"]).model_validate_json(path.read_bytes())
    Draft202012Validator(schema(event["type"])).validate(event)
    Draft202012Validator(DOCUMENTS["touchpoint.schema.json"]).validate(event)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_example_is_refused_by_its_model_and_by_its_schema(name: str) -> None:
    content = (EXAMPLES / "bad" / name).read_bytes()
    event = json.loads(content)
    with pytest.raises(ValidationError):
        envelope("sales.order.placed").model_validate_json(content)
    assert not Draft202012Validator(schema("sales.order.placed")).is_valid(event)


def test_every_type_of_the_catalogue_has_a_good_example_that_shows_every_field() -> None:
    shown = {
        event["type"]: event
        for event in map(json.loads, (p.read_text() for p in GOOD if p.stem in CATALOGUE))
    }
    assert set(shown) == set(CATALOGUE)
    for name, data in CATALOGUE.items():
        assert set(shown[name]["data"]) == set(data.model_fields), name


def test_every_domain_has_types_and_every_type_is_of_a_domain() -> None:
    assert {name.split(".")[0] for name in CATALOGUE} == set(DOMAINS)
    assert all(len(name.split(".")) == 3 for name in CATALOGUE)


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_data_of_the_catalogue_may_be_absent_null_empty_or_of_fields_of_ones_own(name: str) -> None:
    event = json.loads((EXAMPLES / "good" / f"{name}.json").read_bytes())
    validator = Draft202012Validator(schema(name))
    for data in (None, {}, {"our_own": {"x": [1]}}, dict.fromkeys(CATALOGUE[name].model_fields)):
        event["data"] = data
        envelope(name).model_validate_json(json.dumps(event))
        validator.validate(event)
    event["data"] = "text"
    with pytest.raises(ValidationError):
        envelope(name).model_validate_json(json.dumps(event))


def test_an_instant_keeps_its_offset_in_the_model_and_is_written_in_utc() -> None:
    content = json.loads((EXAMPLES / "good" / "undeclared-type.json").read_bytes())
    touchpoint = Touchpoint.model_validate_json(json.dumps(content))
    assert touchpoint.time.isoformat() == "2026-03-01T10:00:00+01:00"
    assert json.loads(touchpoint.model_dump_json())["time"] == "2026-03-01T09:00:00Z"


def test_extension_attributes_are_carried() -> None:
    touchpoint = Touchpoint.model_validate_json((EXAMPLES / "good" / "undeclared-type.json").read_bytes())
    assert set(touchpoint.model_extra or {}) == {"traceparent"}
