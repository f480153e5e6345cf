"""Enriched touchpoints: the touchpoint with its journey context, on `journeys.enriched`, keyed by person.

Published once for each accepted touchpoint, with the person as known at that moment; a later merge is told by
a person override (`schemas.state.PersonOverride`), not by publishing the touchpoint again.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from schemas.base import Contract, Instant


class JourneyContext(Contract):
    """One journey that the touchpoint belongs to, as it stands after the touchpoint."""

    journey_id: str
    journey_type: str
    journey_key: str
    stages: list[str] = Field(description="The stages that the journey is in.")
    entered: list[str] = Field(default_factory=list, description="Stages entered by this touchpoint.")
    left: list[str] = Field(default_factory=list, description="Stages left by this touchpoint.")


class EnrichedTouchpoint(Contract):
    id: str
    source: str
    type: str
    time: Instant
    subject: str | None = None
    outcome: Literal["success", "failure"] | None = None
    identities: dict[str, str]
    data: Any = None
    person_id: str
    identifier: str = Field(
        description="Token of the identifier that attributed the touchpoint to its person."
    )
    domain: str
    owner: str | None = Field(description="The team that owns the type, by the map; absent when unmapped.")
    mapped: bool
    late: bool = Field(description="Behind the watermark when it was applied: as known at that moment.")
    journeys: list[JourneyContext] = Field(default_factory=list)
