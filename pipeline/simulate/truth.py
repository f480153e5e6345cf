"""What the simulator put in: the lines of `truth.jsonl`, one JSON object each, told apart by `kind`.

All lines hold as of the simulation's end, which the first line (`Run`) names. They come from the generator's
own bookkeeping (`plans`, `standings`, `figures`, `visits`), never from Throughline's core, so that the two can be held
against each other; but for one estimate (`experience`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Literal

import msgspec

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

PromiseFate = Literal["made", "revised", "at_risk", "kept", "met_late", "broken", "cancelled"]
"""What became of a promise; `met_late` was met after its due time, `broken` has not been met yet."""

ValueFate = Literal["made", "kept", "exceeded", "broken", "lapsed", "cancelled"]
"""What became of a promised figure; `lapsed`: nothing was observed that could be judged."""

StallFate = Literal["opened", "escalated", "resolved", "abandoned"]

Arrival = Literal["prompt", "disordered", "late"]
"""How a touchpoint came: in order, behind others but within the lateness bound, or beyond it."""


class Run(msgspec.Struct, frozen=True, tag="run", tag_field="kind"):
    """The first line: what was simulated."""

    seed: int
    customers: int
    start: datetime
    end: datetime


Tangle = Literal["late link", "shared by few", "shared by many", "family e-mail", "wrong link"]
"""What makes it hard to say who is who (see `tangles`)."""

LinkRule = Literal["unique", "shared", "unlinked"]
"""The rule that a link would have broken; `unlinked`: somebody has said that the two are not one person."""


class TouchpointTruth(msgspec.Struct, frozen=True, tag="touchpoint", tag_field="kind"):
    """A valid touchpoint; `person` is the identifier that names its person, `copies` are its duplicates."""

    source: str
    id: str
    type: str
    person: str
    mapped: bool
    arrival: Arrival
    copies: int


class PromiseTruth(msgspec.Struct, frozen=True, tag="promise", tag_field="kind", omit_defaults=True):
    """A promise that was made to `person`; `met_at` is absent from a cancelled one.

    `gap_hours`: how late it was met. `per`: what tells it from others of its rule in its journey.
    """

    rule: str
    journey_type: str
    journey_key: str
    status: PromiseFate
    made_at: datetime
    due_at: datetime
    met_at: datetime | None
    person: str
    gap_hours: float | None = None
    per: str | None = None
    clock: ClockRun = QUIET_CLOCK
    dates: DatesTold | None = None
    alarms: Alarms = NO_ALARMS
    parts: PartsBrought | None = None
    forecast: Forecast | None = None


class StallTruth(msgspec.Struct, frozen=True, tag="stall", tag_field="kind", omit_defaults=True):
    """A visit of `person` to a stage that outlasted its limit, at `since`: the declared one, unless it was `learned`."""

    stage: str
    journey_type: str
    journey_key: str
    status: StallFate
    entered_at: datetime
    since: datetime
    left_at: datetime | None
    person: str
    clock: ClockRun = QUIET_CLOCK
    alarms: Alarms = NO_ALARMS
    learned: LimitLearned | None = None


class ValueTruth(msgspec.Struct, frozen=True, tag="value_promise", tag_field="kind", omit_defaults=True):
    """A figure that was promised to `person`, in the promise's unit; between two figures, or both are one.

    `gap`: by how much worse it was, as a share of what was promised, once it was judged. `per` as for a promise.
    """

    rule: str
    journey_type: str
    journey_key: str
    status: ValueFate
    made_at: datetime
    promised_from: float
    promised_to: float
    observed: float | None
    gap: float | None
    person: str
    per: str | None = None


class DeadLetterTruth(msgspec.Struct, frozen=True, tag="dead_letter", tag_field="kind"):
    """A bad record: the code that it must be refused with, and which one it is (see `fingerprint`)."""

    code: str
    domain: str
    fingerprint: str


class IdentifierTruth(msgspec.Struct, frozen=True, tag="identifier", tag_field="kind"):
    """A personal identifier and whose it is, both as `kind:value`; once for each episode that tells it.

    `tangle`: what that episode makes hard.
    """

    identifier: str
    person: str
    tangle: Tangle | None


class RefusedLinkTruth(msgspec.Struct, frozen=True, tag="refused_link", tag_field="kind"):
    """Two identifiers that came on one touchpoint and are not one person, and the rule that says so."""

    rule: LinkRule
    one: str
    other: str


Truth = (
    Run
    | TouchpointTruth
    | PromiseTruth
    | ValueTruth
    | StallTruth
    | DeadLetterTruth
    | IdentifierTruth
    | RefusedLinkTruth
)


def fingerprint(value: bytes | None) -> str:
    """Names a bad record by its bytes, for it may have no id."""
    return blake2b(value or b"", digest_size=16).hexdigest()


def write_truth(path: Path, truth: Iterable[Truth]) -> None:
    """Write `truth.jsonl`; raises OSError."""
    encode = msgspec.json.Encoder().encode
    with path.open("wb") as file:
        file.writelines(encode(line) + b"\n" for line in truth)


def read_truth(path: Path) -> Iterator[Truth]:
    """Read what `write_truth` wrote; raises OSError, and msgspec.DecodeError for any other line."""
    decode = msgspec.json.Decoder(Truth).decode
    with path.open("rb") as file:
        yield from map(decode, file)
