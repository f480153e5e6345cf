"""The kinds of identifier of a journey map: what names a person, and what only belongs to one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from schemas.base import Contract, InconsistentError, Problem
from schemas.durations import Duration, duration_text

_MINUTE = timedelta(minutes=1)
BLOCKED = ("null", "none", "undefined", "unknown", "anonymous", "n/a", "test", "test@test.com")
"""Values that say that somebody has no identifier; whoever writes them is nobody in particular."""


def _known_region(region: str) -> str:
    # only who writes a region waits for the numbering plans
    from schemas.normalisation import regions  # noqa: PLC0415

    if region not in (known := regions()):
        meant = f"did you mean {region.upper()!r}? Otherwise " if region.upper() in known else ""
        raise ValueError(
            f"{region!r} is no region with phone numbers of its own; {meant}write an ISO 3166 code such as DE, AT or GB"
        )
    return region


class IdentifierKind(Contract):
    """How one kind of identifier is treated.

    A `reference` (order, parcel, ticket) is owned by one person and never joins two; a `personal` kind names
    the person. An event is attributed by its strongest identifier: personal before reference, then by
    `strength`.

    Two personal identifiers on one event make one person, unless that would break a rule: two values of a `unique` kind
    are two persons, a person has at most `most_per_person` values of a kind, and what was linked to more than
    `most_links` others is shared by strangers and joins nobody. A `blocked` value is no identifier at all, and neither is
    one that `normalise` can't bring into its form. After each period of `lives` a value names somebody else; the last two
    limits are then those of one period.
    """

    kind: Literal["personal", "reference"]
    strength: int = Field(ge=1, le=1000)
    normalise: Literal["text", "email", "phone"] = "text"
    region: Annotated[str, AfterValidator(_known_region)] | None = Field(
        default=None, description="Of phone numbers in national form, by ISO 3166; without it they are none."
    )
    case_sensitive: bool = True
    lives: Duration | None = Field(default=None, description="Without it a value names the same for ever.")
    unique: bool = False
    most_per_person: int = Field(default=50, ge=1, le=1000)
    most_links: int = Field(default=50, ge=1, le=1000)
    blocked: list[Annotated[str, StringConstraints(min_length=1)]] = Field(
        default_factory=lambda: list(BLOCKED)
    )

    @model_validator(mode="after")
    def _consistent(self) -> IdentifierKind:
        problems = list(self._contradictions())
        if problems:
            raise InconsistentError(problems)
        return self

    def _contradictions(self) -> Iterator[Problem]:
        if self.region is not None and self.normalise != "phone":
            wrong = f"a region is for phone numbers, and this kind is normalised as {self.normalise}"
            yield ("region",), f"{wrong}; take the region out, or write `normalise: phone`"
        if self.normalise == "phone" and not self.case_sensitive:
            yield ("case_sensitive",), "a phone number has no upper and lower case; take case_sensitive out"
        if self.lives is not None and self.lives % _MINUTE:
            yield ("lives",), "a life time is a number of whole minutes; write it as 30m, 24h or 30d"
        if self.lives is not None and self.unique:
            wrong = "a unique kind has one value for a person's whole life, and this one has a new one in each period"
            yield ("lives",), f"{wrong}; take out `lives` or `unique`"

    @property
    def form(self) -> str:
        """What decides which values are the same identifier, and for how long."""
        lives = duration_text(self.lives) if self.lives else "for ever"
        return f"{self.normalise} {self.region or ''} {'' if self.case_sensitive else 'any case'} {lives}"

    def normaliser(self) -> Callable[[str], str]:
        """What brings a value of this kind into its one form: `schemas.normalisation.Normaliser`."""
        # whoever only checks a map needs no numbering plans
        from schemas import normalisation  # noqa: PLC0415

        match self.normalise:
            case "phone":
                return partial(normalisation.phone, region=self.region)
            case "email":
                return partial(normalisation.email, case_sensitive=self.case_sensitive)
        return normalisation.text if self.case_sensitive else normalisation.lower_text


DEFAULT_IDENTIFIERS: dict[str, IdentifierKind] = {
    "customer_id": IdentifierKind(kind="personal", strength=900, unique=True),
    "email": IdentifierKind(kind="personal", strength=700, normalise="email", case_sensitive=False),
    "phone": IdentifierKind(kind="personal", strength=600, normalise="phone"),
    "device": IdentifierKind(kind="personal", strength=300),
    "cookie": IdentifierKind(kind="personal", strength=200),
    "order_id": IdentifierKind(kind="reference", strength=500),
    "ticket_id": IdentifierKind(kind="reference", strength=400),
    "parcel_id": IdentifierKind(kind="reference", strength=300),
    "session_id": IdentifierKind(kind="reference", strength=100),
}
