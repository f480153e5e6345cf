"""Identifier kinds, as far as the stages have to know them; `schemas.identifiers.IdentifierKind` is one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, Protocol


class IdentifierKind(Protocol):
    """What an identifier kind has to say to the stages."""

    @property
    def kind(self) -> Literal["personal", "reference"]: ...
    @property
    def strength(self) -> int: ...
    @property
    def form(self) -> str:
        """What decides, in words, which values are the same identifier, and for how long."""
        ...

    @property
    def unique(self) -> bool: ...
    @property
    def lives(self) -> timedelta | None: ...
    @property
    def most_per_person(self) -> int: ...
    @property
    def most_links(self) -> int: ...


def ranks(kinds: Mapping[str, IdentifierKind]) -> dict[str, int]:
    """Kinds from weakest to strongest, numbered: references, then personal; by strength, then by name."""
    weakest_first = sorted(
        kinds, key=lambda name: (kinds[name].kind == "personal", kinds[name].strength, name)
    )
    return {name: rank for rank, name in enumerate(weakest_first)}


def most_forwards(kinds: Mapping[str, IdentifierKind]) -> int:
    """How often something may be forwarded from one reference to a stronger one: parcel → ticket → order is twice."""
    references = sum(kind.kind == "reference" for kind in kinds.values())
    return max(1, references - 1)


def can_link(kinds: Mapping[str, IdentifierKind]) -> bool:
    """Whether two personal identifiers can be one person at all."""
    personal = [kind for kind in kinds.values() if kind.kind == "personal"]
    return len(personal) > 1 or not all(kind.unique for kind in personal)
