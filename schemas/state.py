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


LinkStatus = Literal["joined", "refused", "unlinked"]
LinkRule = Literal["unique", "full", "unlinked", "shared"]


class LinkState(Contract):
    """What was said of two personal identifiers, and what came of it.

    `joined`: they are one person. `refused`: a link that joins nobody, because of a `rule`: the persons have different
    values of a `unique` kind, one would be `full` (`most_per_person`), two of their identifiers were `unlinked` by
    somebody, or one of the two is `shared` by strangers (`most_links`). `unlinked`: somebody has said by name that they
    are not one person.
    """

    kind: Literal["link"] = "link"
    one: str = Field(description="Token; the lesser of the two.")
    other: str = Field(description="Token.")
    status: LinkStatus
    rule: LinkRule | None = None
    linked_at: Instant | None = Field(
        default=None, description="Time of the first touchpoint that links them."
    )
    linked_source: str | None = None
    linked_id: str | None = None
    said_at: Instant | None = Field(default=None, description="When somebody last spoke of the two by name.")
    said_source: str | None = None
    said_id: str | None = None
    said_one: bool | None = Field(
        default=None, description="What was said then: whether they are one person."
    )
    persons: list[str] = Field(description="Whose `one` and `other` were at that moment.")
    version: int


class IdentifierState(Contract):
    """Whose a personal identifier is that was ever linked. `shared`: by strangers; it joins nobody and stands alone."""

    kind: Literal["identifier"] = "identifier"
    identifier: str = Field(description="Token.")
    person_id: str
    named_by: str = Field(description="Token of the identifier that names the person.")
    shared: bool
    version: int


class LearnedState(Contract):
    """What was learned for the stays that begin on a day: of a stage, or of a promise from its making to what meets it.

    Keyed by `learned:of/rule/segment/day`. `ended`: how many stays it rests on, beside those that went on; 0 if it turned
    out to rest on too few. `limit_seconds` is the learned limit of a stage, `low_seconds` and `high_seconds` its error with
    95 % confidence. `percentiles`: within how many seconds 1 %, 2 %, … of all stays end, as far as is known.
    """

    kind: Literal["learned"] = "learned"
    of: Literal["stage", "promise"]
    rule: str = Field(description="The stage name or promise id of the journey map.")
    segment: str | None = Field(default=None, description="Absent: all stays.")
    day: Instant = Field(description="Its beginning, in UTC.")
    ended: int = Field(ge=0)
    limit_seconds: float | None = None
    low_seconds: float | None = None
    high_seconds: float | None = None
    percentiles: list[float] = Field(default_factory=list)
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
    JourneyState | PersonState | PersonOverride | LinkState | IdentifierState | LearnedState | StageCounts,
    Field(discriminator="kind"),
]
