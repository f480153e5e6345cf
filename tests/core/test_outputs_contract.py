"""What is published is encoded by msgspec structs and promised by pydantic models: they are the same."""

from __future__ import annotations

import types
import typing
from datetime import datetime
from typing import Any

import msgspec
import pytest
from pydantic import AwareDatetime, BaseModel

from pipeline.core import outputs
from schemas import enriched, finding, state

PAIRS = [
    (outputs.JourneyContext, enriched.JourneyContext),
    (outputs.PromiseDetail, finding.PromiseDetail),
    (outputs.ValueDetail, finding.ValueDetail),
    (outputs.StallDetail, finding.StallDetail),
    (outputs.PromiseFinding, finding.PromiseFinding),
    (outputs.ValueFinding, finding.ValueFinding),
    (outputs.StallFinding, finding.StallFinding),
    (outputs.StageVisit, state.StageVisit),
    (outputs.JourneyState, state.JourneyState),
    (outputs.PersonState, state.PersonState),
    (outputs.PersonOverride, state.PersonOverride),
    (outputs.LinkState, state.LinkState),
    (outputs.IdentifierState, state.IdentifierState),
    (outputs.StageCounts, state.StageCounts),
]


PLAIN = {msgspec.Raw: Any, AwareDatetime: datetime, tuple: list, types.UnionType: typing.Union}


def shape(annotation: Any) -> Any:
    """A type, with what only one of the two libraries tells apart taken away."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return shape(arguments[0])
    if origin is typing.Literal:
        return frozenset(arguments)
    if origin is not None:
        # the order of a union says nothing, and a tuple of any length is a list in JSON
        parts = frozenset(shape(argument) for argument in arguments if argument is not ...)
        return (PLAIN.get(origin, origin), parts)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel | msgspec.Struct):
        return annotation.__name__
    return PLAIN.get(annotation, annotation)


def fields_of_struct(struct: type[msgspec.Struct]) -> dict[str, Any]:
    fields = {name: shape(hint) for name, hint in typing.get_type_hints(struct, include_extras=True).items()}
    info = msgspec.structs.fields(struct)
    config = struct.__struct_config__
    tag = {config.tag_field: frozenset([config.tag])} if config.tag_field else {}
    return tag | {field.encode_name: fields[field.name] for field in info}


@pytest.mark.parametrize(("struct", "model"), PAIRS, ids=lambda either: either.__name__)
def test_a_struct_has_the_fields_and_types_of_its_contract(
    struct: type[msgspec.Struct], model: type[BaseModel]
) -> None:
    promised = {name: shape(hint) for name, hint in typing.get_type_hints(model, include_extras=True).items()}
    promised.pop("model_config", None)
    assert fields_of_struct(struct) == promised


def test_the_two_parts_of_an_enriched_touchpoint_have_the_fields_and_types_of_its_contract() -> None:
    promised = {
        name: shape(hint)
        for name, hint in typing.get_type_hints(enriched.EnrichedTouchpoint, include_extras=True).items()
        if name != "model_config"
    }
    event, attribution = fields_of_struct(outputs.Event), fields_of_struct(outputs.Attribution)
    assert event | attribution == promised
    assert not event.keys() & attribution.keys()


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_772_355_600_000_000, "2026-03-01T09:00:00Z"),
        (1_772_355_600_000_001, "2026-03-01T09:00:00.000001Z"),
    ],
)
def test_instants_are_utc_with_microseconds_only_where_there_are_any(micros: int, text: str) -> None:
    assert outputs.encode(outputs.moment(micros)) == f'"{text}"'.encode()
    assert datetime.fromisoformat(text) == outputs.moment(micros)
