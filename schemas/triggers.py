"""Triggers: which touchpoints something waits for, by type and fields."""

from __future__ import annotations

from math import isfinite
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from schemas.base import Contract, Scalar, TypeName

FieldPath = Annotated[
    str, StringConstraints(pattern=r"^(data|identities)(\.[A-Za-z0-9_\-]+)+$|^(subject|outcome)$")
]
"""A field of a touchpoint: `data.<name>` (more dots go deeper), `identities.<kind>`, `subject`, `outcome`."""


def _data_only(path: str) -> str:
    if not path.startswith("data."):
        raise ValueError(f"an instant is read from the touchpoint's data: write data.<name>, not {path!r}")
    return path


DataPath = Annotated[FieldPath, AfterValidator(_data_only)]
"""A field of a touchpoint's data that holds an instant, RFC 3339."""


def _finite(values: Any) -> Any:
    for value in values if isinstance(values, list) else [values]:
        if isinstance(value, float) and not isfinite(value):
            raise ValueError(f"{value} is no number that a touchpoint can have; write a finite one")
    return values


class Trigger(Contract):
    """A touchpoint type, and optionally what its fields must equal: one value, or any of a list."""

    type: TypeName
    where: dict[FieldPath, Annotated[Scalar | list[Scalar], AfterValidator(_finite)]] = Field(
        default_factory=dict
    )

    def is_covered_by(self, others: list[Trigger]) -> bool:
        """Whether every touchpoint that it takes is taken by one of the others as well."""
        return any(self._is_within(other) for other in others)

    def _is_within(self, other: Trigger) -> bool:
        return self.type == other.type and all(
            path in self.where and set(_alternatives(self.where[path])) <= set(_alternatives(values))
            for path, values in other.where.items()
        )


def _alternatives(values: Scalar | list[Scalar]) -> list[tuple[bool, Scalar]]:
    """Each with whether it is a boolean: True == 1 in Python."""
    return [(isinstance(value, bool), value) for value in (values if isinstance(values, list) else [values])]


def _as_triggers(value: Any) -> Any:
    if isinstance(value, str | dict):
        value = [value]
    if isinstance(value, list):
        return [{"type": item} if isinstance(item, str) else item for item in value]
    return value


Triggers = Annotated[list[Trigger], BeforeValidator(_as_triggers)]
"""One trigger or a list of them; a plain string is a type without conditions."""
