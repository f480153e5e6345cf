"""What a shadow run has to say: the contract of `throughline shadow --json FILE`.

A *conclusion* is a promise, a stall or a journey, by its `type`. Statuses and facts are those of the published records
(`schemas.finding`, `schemas.state`), whatever there are, so a new kind of finding needs nothing here. Instants are RFC 3339.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

Where = Literal["both", "live", "new"]


class Side(msgspec.Struct, kw_only=True):
    """What one of the two maps made of the touchpoints. `refused` counts by error code what became a dead letter."""

    map: str
    touchpoints: int
    unmapped: int
    persons: int
    refused: dict[str, int]


class StatusCount(msgspec.Struct):
    """How many conclusions of one rule have this status under each map."""

    status: str
    live: int
    new: int


class RuleCounts(msgspec.Struct):
    """A promise, a stage with a limit, or a journey type; `only_in` tells of a rule that one of the maps does not have."""

    type: str
    rule: str
    only_in: Where
    statuses: list[StatusCount]


class Example(msgspec.Struct):
    """One conclusion that differs: of whom, and what either map says of it.

    Of the facts those that differ are told; all of them if the other map does not come to the conclusion at all.
    """

    journey_type: str
    journey_key: str
    person_id: str
    opened_at: str
    live: dict[str, Any]
    new: dict[str, Any]


class Change(msgspec.Struct):
    """All conclusions of a rule that go from one status to the same other one, or keep theirs with other facts.

    `live` and `new` are statuses, None where a map does not come to the conclusion at all. `facts` says of each fact that
    differs how often it does.
    """

    type: str
    rule: str
    live: str | None
    new: str | None
    facts: dict[str, int]
    count: int
    customers: int
    examples: list[Example]


class PersonChange(msgspec.Struct):
    """Persons of the live map (`live`) and of the new one (`new`) who share touchpoints without being the same."""

    live: list[str]
    new: list[str]


class Persons(msgspec.Struct, kw_only=True):
    """`joined`: new persons who were several. `split`: live persons who become several. `renamed`: the same touchpoints
    under another id.
    """

    joined: int
    split: int
    renamed: int
    joined_examples: list[PersonChange]
    split_examples: list[PersonChange]


class Customer(msgspec.Struct):
    """Somebody who would change: in how many conclusions the status differs, and in how many no more than facts do."""

    person_id: str
    verdicts: int
    facts: int


class ShadowReport(msgspec.Struct, kw_only=True):
    """`touchpoints` were read from `since` on, and `earlier` ones before it, of journeys that go on from there.

    `unreadable` records were left out: they are no events, or of an impossible time, and every map refuses them.
    `left_out` conclusions, of both maps, are of journeys without a touchpoint from `since` on. `customers` are all that
    would change, those with the most other verdicts first; who is only joined or split has none.
    """

    source: str
    since: datetime | None
    as_of: datetime
    touchpoints: int
    earlier: int
    unreadable: int
    left_out: int
    live: Side
    new: Side
    rules: list[RuleCounts]
    changes: list[Change]
    persons: Persons
    customers: list[Customer]
    notes: list[str]

    def to_json(self) -> bytes:
        """Indented JSON, fields in the order above."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2)
