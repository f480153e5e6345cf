"""The pages for people who write maps and mappings: every key is there, and what they show is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from pipeline.imports import mapping as mappings
from pipeline.imports.mapping import load_mapping
from pipeline.imports.templates import FILTERS
from pipeline.maps import load_map
from schemas import clocks, identifiers, journey_map, learned, promises, stages, triggers
from schemas.base import DOMAINS
from schemas.calendars import Calendar, Holidays
from schemas.values import ValuePromise

DOCS = Path(__file__).parents[2] / "docs"
MAP_MODELS = [
    journey_map.JourneyMap,
    identifiers.IdentifierKind,
    journey_map.TouchpointType,
    journey_map.JourneyType,
    stages.Stage,
    promises.Promise,
    learned.LearnedLimit,
    learned.Forecast,
    clocks.Clocked,
    triggers.Trigger,
]
MAP_MODULES = (clocks, identifiers, journey_map, learned, promises, stages, triggers)
MAPPING_MODELS = [
    mappings.ImportMapping,
    mappings.Table,
    mappings.Event,
    mappings.Value,
    mappings.Lookup,
    mappings.Condition,
]


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def sections(text: str) -> list[set[str]]:
    """The keys in the first column of each section's table."""
    return [set(re.findall(r"^\| `([a-z_]+)` \|", part, re.MULTILINE)) for part in text.split("\n#")]


def keys(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


@pytest.mark.parametrize(
    ("name", "model"),
    [
        *(("journey-map.md", model) for model in MAP_MODELS),
        *(("importing.md", model) for model in MAPPING_MODELS),
    ],
)
def test_a_section_of_the_reference_has_exactly_the_keys_of_the_model(
    name: str, model: type[BaseModel]
) -> None:
    # what has a clock has a section of its own
    shared = (
        keys(clocks.Clocked) if issubclass(model, clocks.Clocked) and model is not clocks.Clocked else set()
    )
    assert keys(model) - shared in sections(page(name))


def test_the_section_on_calendars_has_exactly_the_keys_that_a_file_may_have() -> None:
    assert keys(Calendar) - {"resolved"} in sections(page("journey-map.md"))
    assert all(f"`{key}`" in page("journey-map.md") for key in keys(Holidays))
    forms = [
        f"`{{end_of: {form}, calendar: office}}`" for form in ("day", "next_business_day", "3 business days")
    ]
    assert all(form in page("journey-map.md") for form in forms)


def test_the_section_on_value_promises_has_exactly_the_keys_that_a_file_may_have() -> None:
    assert keys(ValuePromise) - {"resolved"} in sections(page("journey-map.md"))


def test_the_value_promises_that_are_shown_are_valid(tmp_path: Path) -> None:
    text = page("journey-map.md")
    [shown] = [block for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "habit:" in block]
    types = sorted(set(re.findall(r"\b[a-z]+\.[a-z]+\.[a-z]+\b", shown)))
    declared = "".join(f"  {kind}: {{owner: somebody}}\n" for kind in types)
    path = tmp_path / "shown.yaml"
    head = f"version: 1\nname: shown\ntouchpoints:\n{declared}journeys:\n  customer:\n    key: identities.customer_id\n"
    path.write_text(head + shown, encoding="utf-8")
    assert list(load_map(path).journeys["customer"].values) == ["consumption", "answer", "transfers", "bill"]


def test_every_model_of_the_two_files_is_looked_at() -> None:
    within_others: set[type[BaseModel]] = {
        promises.DueField,
        promises.DueWithin,
        clocks.EscalationStep,
        stages.ExpectedByField,
    }
    for modules, looked_at in ((MAP_MODULES, MAP_MODELS), ((mappings,), MAPPING_MODELS)):
        defined = {
            each
            for module in modules
            for each in vars(module).values()
            if isinstance(each, type) and issubclass(each, BaseModel) and each.__module__ == module.__name__
        }
        assert defined - within_others == set(looked_at)


def test_the_default_identifiers_are_told(tmp_path: Path) -> None:
    text = page("journey-map.md")
    for kind, declared in identifiers.DEFAULT_IDENTIFIERS.items():
        assert re.search(rf"`{kind}`\s+{declared.strength}\b", text)


def test_domains_filters_formats_and_units_are_told() -> None:
    about_maps, about_mappings = page("journey-map.md"), page("importing.md")
    assert re.sub(r"\s+", " ", ", ".join(DOMAINS)) in re.sub(r"\s+", " ", about_maps)
    assert all(rf"\|{name}}}" in about_mappings for name in FILTERS)
    assert all(f"`{name}`" in about_mappings for name in ("iso", "epoch_s", "epoch_ms", "epoch_us"))


def test_whole_documents_in_the_pages_are_valid(tmp_path: Path) -> None:
    whole = [
        block
        for name in ("journey-map.md", "importing.md")
        for block in re.findall(r"```yaml\n(.*?)```", page(name), re.DOTALL)
        if block.startswith("version: 1")
    ]
    assert len(whole) == 3
    for block in whole:
        path = tmp_path / "shown.yaml"
        path.write_text(block, encoding="utf-8")
        (load_mapping if "\ntables:" in block else load_map)(path)


def test_the_walk_through_leads_to_the_examples_mapping() -> None:
    example = (DOCS.parent / "examples" / "city_requests" / "mapping.yaml").read_text(encoding="utf-8")
    plain = {line.strip() for line in example.splitlines() if "#" not in line}
    blocks = re.findall(r"```yaml\n(.*?)```", page("importing.md"), re.DOTALL)
    shown = [line.strip() for block in (blocks[0], *blocks[2:]) for line in block.splitlines()]
    assert [line for line in shown if line and line not in plain and not line.startswith("zone")] == []
