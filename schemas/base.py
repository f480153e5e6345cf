"""What all contracts share: strictness, UTC instants and the scalar type of a data field."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, StringConstraints

DOMAINS = ("marketing", "sales", "fulfilment", "service", "survey", "billing", "product", "partner", "social")
"""The functions of a company that touch its customers. A type's first segment; each has a source topic."""

Scalar = str | int | float | bool
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
TypeName = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*){2,}$", max_length=128)
]
"""A touchpoint type: `domain.object.verb`, lower case, for example `fulfilment.parcel.delivered`."""


def _to_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("an instant lies, in UTC, in the years 1 to 9999") from None


Instant = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""An aware instant; read with any offset, kept in UTC."""


Place = tuple[str | int, ...]
"""Where in a document: its keys and list positions, from the outside in."""
Problem = tuple[Place, str]
"""What is wrong in a place, and what would be right."""


class InconsistentError(ValueError):
    """Parts of a document do not fit together: every (place, what is wrong and what would be right)."""

    def __init__(self, problems: Sequence[tuple[Place, str]]) -> None:
        super().__init__("; ".join(f"{'.'.join(map(str, place))}: {message}" for place, message in problems))
        self.problems = tuple(problems)


class Contract(BaseModel):
    """A closed, immutable model: an unknown field is an error that names it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
