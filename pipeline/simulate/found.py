"""What a pipeline has found, as plain tuples: whoever reads it, from topics or tables, says it in these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from pipeline.simulate.ledger import (
    NO_ALARMS,
    QUIET_CLOCK,
    Alarms,
    ClockRun,
    DatesTold,
    Forecast,
    LimitLearned,
    PartsBrought,
)


class FoundTouchpoint(NamedTuple):
    """An accepted touchpoint, once; `person_id` with all merges applied."""

    source: str
    id: str
    person_id: str
    mapped: bool


class FoundPromise(NamedTuple):
    """The last revision of a promise finding that was not withdrawn; `status` as in `schemas.finding`."""

    rule: str
    journey_key: str
    status: str
    made_at: datetime
    due_at: datetime
    met_at: datetime | None
    person_id: str
    gap_hours: float | None = None
    per: str | None = None
    clock: ClockRun = QUIET_CLOCK
    dates: DatesTold | None = None
    alarms: Alarms = NO_ALARMS
    parts: PartsBrought | None = None
    forecast: Forecast | None = None


class FoundValue(NamedTuple):
    """The last revision of a value promise's finding that was not withdrawn."""

    rule: str
    journey_key: str
    status: str
    made_at: datetime
    promised_from: float
    promised_to: float
    observed: float | None
    gap: float | None
    person_id: str
    per: str | None = None


class FoundStall(NamedTuple):
    """The last revision of a stall finding that was not withdrawn."""

    stage: str
    journey_key: str
    status: str
    entered_at: datetime
    since: datetime
    left_at: datetime | None
    person_id: str
    clock: ClockRun = QUIET_CLOCK
    alarms: Alarms = NO_ALARMS
    learned: LimitLearned | None = None


class FoundDeadLetter(NamedTuple):
    """A dead letter; `fingerprint` is `truth.fingerprint` of its value."""

    code: str
    fingerprint: str


@dataclass(frozen=True)
class Found:
    """All that was found.

    `duplicates` counts the records that were refused as repeated, `refused_links` by rule those that joined nobody.
    """

    touchpoints: Iterable[FoundTouchpoint] = ()
    promises: Iterable[FoundPromise] = ()
    values: Iterable[FoundValue] = ()
    stalls: Iterable[FoundStall] = ()
    dead_letters: Iterable[FoundDeadLetter] = ()
    duplicates: int = 0
    refused_links: Mapping[str, int] = field(default_factory=dict)
