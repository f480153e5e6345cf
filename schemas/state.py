"""State as it stands, on the compacted topic `journeys.state`, keyed by `kind:id`; the greatest `version` wins."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import Contract, Instant


class StageVisit(Contract):
    stage: str
    entered_at: Instant


class JourneyState(Contract):
    """A journey as it stands. `withdrawn`: no touchpoint of it is left (it was moved or never was)."""

    kind: Literal["journey"] = "journey"
    journey_id: str
    journey_type: str
    journey_key: str
    person_id: str
    version: int
    status: Literal["open", "completed", "withdrawn"]
    opened_at: Instant
    ended_at: Instant | None = None
    last_at: Instant
    touchpoints: int
    stages: list[StageVisit]


class PersonState(Contract):
    """A person as it stands. A person without touchpoints was merged away: everything of it has moved."""

    kind: Literal["person"] = "person"
    person_id: str
    version: int
    touchpoints: int
    first_at: Instant | None
    last_at: Instant | None
    identifiers: list[str] = Field(description="Tokens of the identifiers that attribute touchpoints to it.")


class PersonOverride(Contract):
    """Touchpoints published under (`born_person_id`, `identifier`) now belong to `person_id`."""

    kind: Literal["override"] = "override"
    born_person_id: str
    identifier: str
    person_id: str
    version: int


class StageCounts(Contract):
    """What one partition of a stage has counted since the pipeline began; keyed by `counts:stage/partition`."""

    kind: Literal["counts"] = "counts"
    stage: str
    partition: int
    version: int
    counts: dict[str, int] = Field(
        description="By name, such as `duplicates`; a name that is absent counts 0."
    )


StateRecord = Annotated[
    JourneyState | PersonState | PersonOverride | StageCounts, Field(discriminator="kind")
]
