"""What the `data` of all catalogued touchpoints share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from schemas.instants import WireInstant

__all__ = ["Count", "Currency", "Data", "Money", "Seconds", "Share", "WireInstant"]


class Data(BaseModel):
    """Declared fields are checked, and may be absent or null; a company adds fields of its own freely."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)


Money = Annotated[float, Field(ge=0, allow_inf_nan=False, description="In the units of `currency`.")]
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False, description="In seconds.")]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, description="From 0 to 1.")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
"""ISO 4217."""
