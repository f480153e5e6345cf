"""What a journey map may let be learned: from how long earlier stays and promises took, those that still go on included."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schemas.base import Contract
from schemas.clocks import Share
from schemas.triggers import FieldPath

Least = Annotated[int, Field(ge=10, le=1_000_000)]


class LearnedLimit(Contract):
    """The duration that a share of stays (`quantile`) does not outlast, `times` as long.

    It is learned for each value of `segment`, a field of the touchpoint that enters the stage, and for all together; where
    fewer than `least` stays of a value have ended, that of all holds, and where those are too few as well, none.
    """

    quantile: Share = 0.95
    times: float = Field(default=1.0, gt=0, le=100)
    least: Least = 100
    segment: FieldPath | None = None


class Forecast(Contract):
    """At risk as soon as the promise breaks with this `probability`, going by how long earlier ones of its kind took.

    `segment` and `least` as for a learned limit; while nothing is known, `otherwise`, a share of the way, decides.
    """

    probability: Share
    least: Least = 100
    segment: FieldPath | None = None
    otherwise: Share = 0.75
