"""Questions about who is one person with whom, and why.

In: tokens of identifiers or the id of a person. Out: plain rows; instants are aware and UTC. What always holds: of a link
and of an identifier the last that was told counts.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pipeline.warehouse.client import Warehouse

_TOGETHER = 1000
"""Tokens in a question: it stays far below the longest query that ClickHouse takes."""


@dataclass(frozen=True, slots=True)
class LinkRow:
    """What was said of two identifiers and what came of it: `schemas.state.LinkState` has the words.

    `linked_at` is None where nobody linked them, `said_at` where nobody spoke of them by name. `persons` are those of
    the moment when it was told.
    """

    one: str
    other: str
    status: str
    rule: str
    linked_at: datetime | None
    linked_source: str
    linked_id: str
    said_at: datetime | None
    said_source: str
    said_id: str
    persons: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class IdentifierRow:
    """Whose an identifier is; `named_by` is the one that names the person."""

    identifier: str
    person_id: UUID
    named_by: str
    shared: bool


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """A touchpoint that carries a reference, with everything that it was known by."""

    time: datetime
    source: str
    id: str
    identities: dict[str, str]


_IDENTIFIERS = "SELECT identifier, person_id, named_by, shared FROM identifiers FINAL"
_LINKS = """
SELECT one, other, status, rule, linked_at, linked_source, linked_id, said_at, said_source, said_id, persons
FROM identity_links FINAL
WHERE one IN %(tokens)s OR other IN %(tokens)s
ORDER BY one, other, version DESC
LIMIT 1 BY one, other"""
_VALUES = """
SELECT DISTINCT each.1, each.2, if(has(%(dated)s, each.1), intDiv(toUnixTimestamp64Micro(time), 60000000), 0)
FROM touchpoints
ARRAY JOIN arrayZip(mapKeys(identities), mapValues(identities)) AS each
WHERE person_id = %(person)s OR moved_to = %(person)s
    OR person_id IN (SELECT born_person_id FROM person_overrides FINAL WHERE person_id = %(person)s)
LIMIT 10000"""
_CLAIMS = """
SELECT time, source, id, identities
FROM touchpoints FINAL
WHERE has(mapValues(identities), %(value)s) AND identities[%(kind)s] = %(value)s
ORDER BY time, source, id
LIMIT 10000"""
_KNOWN_BY = "SELECT identifiers FROM persons FINAL WHERE person_id = %(person)s"
_PENDING = """
SELECT countIf(person_id = %(person)s), countIf(person_id != %(person)s)
FROM person_overrides FINAL
WHERE born_person_id != person_id AND (born_person_id = %(person)s OR person_id = %(person)s)"""


def identifiers(warehouse: Warehouse, tokens: Sequence[str]) -> dict[str, IdentifierRow]:
    """By token; one that was never linked to another is left out."""
    rows = _in_parts(warehouse, f"{_IDENTIFIERS} WHERE identifier IN %(tokens)s", tokens)
    return {row[0]: IdentifierRow(*row) for row in rows}


def members(warehouse: Warehouse, person: UUID) -> dict[str, IdentifierRow]:
    """The personal identifiers that were ever linked to another and are this person today, by token."""
    rows = warehouse.query(f"{_IDENTIFIERS} WHERE person_id = %(person)s", {"person": str(person)})
    return {row[0]: IdentifierRow(*row) for row in rows}


def links_of(warehouse: Warehouse, tokens: Collection[str]) -> list[LinkRow]:
    """Every link that one of these identifiers has, with whatever became of it."""
    rows = {row[:2]: row for row in _in_parts(warehouse, _LINKS, list(tokens))}
    return [LinkRow(*row) for row in rows.values()]


def known_by(warehouse: Warehouse, person: UUID) -> list[str]:
    """Tokens of all identifiers by which touchpoints came to this person, references among them."""
    rows = warehouse.query(_KNOWN_BY, {"person": str(person)})
    return list(rows[0][0]) if rows else []


def values_near(warehouse: Warehouse, person: UUID, dated: Sequence[str]) -> list[tuple[str, str, int]]:
    """Kinds and values on the touchpoints of a person (and of whoever else these were published under); of the `dated`
    kinds with each minute (since 1970) in which they came, of the others with 0.
    """
    rows = warehouse.query(_VALUES, {"person": str(person), "dated": list(dated)})
    return [(kind, value, minute) for kind, value, minute in rows]


def touchpoints_with(warehouse: Warehouse, kind: str, value: str) -> list[ClaimRow]:
    """The touchpoints that carry an identifier, in the order in which their claims count."""
    return [ClaimRow(*row) for row in warehouse.query(_CLAIMS, {"kind": kind, "value": value})]


def pending_overrides(warehouse: Warehouse, person: UUID) -> tuple[int, int]:
    """How many overrides move touchpoints to this person, and how many move away what was published under it."""
    ((came, went),) = warehouse.query(_PENDING, {"person": str(person)})
    return came, went


def _in_parts(warehouse: Warehouse, sql: str, tokens: Sequence[str]) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for start in range(0, len(tokens), _TOGETHER):
        rows += warehouse.query(sql, {"tokens": tuple(tokens[start : start + _TOGETHER])})
    return rows
