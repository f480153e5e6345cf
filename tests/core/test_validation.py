"""An event is read exactly if the contract takes it, whichever way it is read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.core.dead_letters import RefusedError
from pipeline.core.validation import read_event
from schemas.catalogue import CATALOGUE, envelope
from schemas.touchpoint import Touchpoint

TYPED, UNTYPED = "sales.order.placed", "own.points.earned"
TIMES = [
    "2026-03-01T09:30:00Z",
    "2026-03-01t09:30:00.123456789z",
    "2026-03-01 09:30:00+00:00",
    "2026-03-01T09:30:00+01:00",
    "2026-03-01T09:30:00+0000",
    "2026-03-01T09:30:00+0100",
    "2026-03-01T09:30:00-00:00",
    "2026-03-01T09:30:00",
    "2026-02-30T09:30:00Z",
    "2026-03-01T24:00:00Z",
    "2026-03-01T09:30:60Z",
    "1772357400",
    1772357400,
]
DATA = [
    None,
    {},
    {"value": 3, "items": 2},
    {"value": "3"},
    {"value": -1},
    {"items": 2.5},
    {"currency": "euro"},
    {"promised_delivery": "tomorrow"},
    {"promised_delivery": "2026-03-01T09:30:00+0000"},
    {"own": [1, {"deep": [None, True, 1e300, 10**30]}]},
    "text",
    [1],
    7,
]
FIELDS: dict[str, list[Any]] = {
    "specversion": ["1.0", "1", 1.0, None],
    "id": ["e", "", "é" * 256, "é" * 257, 7, None, "0000"],
    "source": ["s", "", "x" * 1024, "x" * 1025],
    "type": [TYPED, UNTYPED, "", "x" * 256, "x" * 257, None],
    "time": TIMES,
    "identities": [
        {},
        {"order_id": "7"},
        {"order_id": None},
        {"order_id": 7},
        {"": "7"},
        {"k" * 64: "v" * 512},
        {"k" * 65: "v"},
        {"k": "v" * 513},
        {f"k{n}": "v" for n in range(64)},
        {f"k{n}": "v" for n in range(65)},
        [],
        None,
    ],
    "sequence": ["1", "", "9" * 256, "9" * 257, 1, None],
    "subject": ["s", "", "s" * 1024, "s" * 1025, 1, None],
    "outcome": ["success", "failure", "", "unknown", None],
    "datacontenttype": ["application/json", "", None, 1],
    "dataschema": ["urn:x", "", None, 1],
    "data": DATA,
    "traceparent": ["00-1", 7, True, None, {}, [1]],
    "Not_An_Attribute": [1],
}
GOOD = {
    "specversion": "1.0",
    "id": "e",
    "source": "s",
    "type": TYPED,
    "time": TIMES[0],
    "identities": {"order_id": "7"},
    "data": {"value": 3},
}


def is_taken(event: dict[str, Any]) -> bool:
    """Whether the contract takes an event."""
    model = envelope(TYPED) if event.get("type") in CATALOGUE else Touchpoint
    try:
        model.model_validate_json(json.dumps(event))
    except ValidationError:
        return False
    return True


def is_read(event: dict[str, Any]) -> bool:
    try:
        read_event(json.dumps(event).encode())
    except RefusedError:
        return False
    return True


@pytest.mark.parametrize("field", FIELDS)
def test_each_value_of_a_field_is_read_exactly_if_the_contract_takes_it(field: str) -> None:
    verdicts = {is_taken(GOOD | {field: value}) for value in FIELDS[field]}
    for value in FIELDS[field]:
        event = GOOD | {field: value}
        assert is_read(event) == is_taken(event), value
    assert False in verdicts
    without = {name: value for name, value in GOOD.items() if name != field}
    assert is_read(without) == is_taken(without)


@given(st.fixed_dictionaries({}, optional={name: st.sampled_from(FIELDS[name]) for name in FIELDS}))
def test_any_event_is_read_exactly_if_the_contract_takes_it(changes: dict[str, Any]) -> None:
    event = GOOD | changes
    assert is_read(event) == is_taken(event)


def test_what_is_read_is_what_was_written() -> None:
    plain = read_event(json.dumps(GOOD).encode())
    extended = read_event(json.dumps(GOOD | {"traceparent": "00-1"}).encode())
    for parts in (plain, extended):
        assert (parts.id, parts.source, parts.type, parts.time.isoformat(), bytes(parts.data)) == (
            "e",
            "s",
            TYPED,
            "2026-03-01T09:30:00+00:00",
            b'{"value": 3}',
        )
