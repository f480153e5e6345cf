"""The trusted hops: what travels on `identity.touchpoints` and `journeys.touchpoints`.

Both topics are internal. A Kafka record on them is a *frame*: a msgpack array of messages for one partition, so
that batches and not events pay for a record. Times are integers: microseconds since 1970-01-01T00:00:00Z.

An *identifier token* is `kind:` and 32 hex digits, a keyed hash of the normalised value; raw identifier values
travel only inside the touchpoint. A *step* is (token, version of that identifier's ownership when it was passed).
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

Token = str
Step = tuple[Token, int]
Steps = tuple[Step, ...]
Micros = int


class Published(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What was last published of a finding: enough to number the next revision and to see a difference."""

    finding_id: str
    revision: int
    digest: bytes


class Entry(msgspec.Struct, array_like=True, gc=False):
    """One touchpoint as a trail keeps it: what a fold needs of it.

    `sequence` is normalised so that plain string order is trail order; `digest` is 8 bytes of the content's hash;
    `fields` holds what the journey map mentions, a due time in microseconds. `path` indexes the table of origins
    beside it. `findings`: what was published of the findings that this touchpoint opened; they go wherever it goes.
    """

    time: Micros
    sequence: str
    source: str
    id: str
    type: str
    digest: bytes
    fields: dict[str, Any]
    path: int = 0
    findings: tuple[Published, ...] = ()


class Touchpoint(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A validated touchpoint, as the trail will keep it. `event` is its own part of the enriched touchpoint, a JSON
    object (`pipeline.core.outputs.Event`), so that nobody builds it again.
    """

    entry: Entry
    event: bytes


class Route(msgspec.Struct, array_like=True, tag="t", frozen=True, gc=False):
    """identity: a touchpoint to be resolved by the identifier `to`; `path` are the references passed so far."""

    to: Token
    path: Steps
    touchpoint: Touchpoint


class Claim(msgspec.Struct, array_like=True, tag="c", frozen=True, gc=False):
    """identity: the touchpoint (time, source, id) says that the reference `to` belongs to `owner`."""

    to: Token
    owner: Token
    time: Micros
    source: str
    id: str


class Origin(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """How a group of entries came to its person.

    `steps`: every identifier passed, the event's own first and the one that named the person last, with versions.
    `born`: the person under which the enriched touchpoints were published; `moves`: how often they have moved since.
    """

    steps: Steps
    born: str
    moves: int


class Parcel(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Self-contained part of a trail on the move (at most 64 entries).

    `clock` is not below any version of a state that its sender has published; `forgotten` are digests of cut
    touchpoints, each with the index of its origin.
    """

    origins: list[Origin]
    entries: list[Entry]
    clock: int
    forgotten: list[tuple[bytes, int]]


class Carry(msgspec.Struct, array_like=True, tag="p", frozen=True, gc=False):
    """identity: a parcel to be resolved by the identifier `to`, just as its touchpoints would be."""

    to: Token
    parcel: Parcel


class Depart(msgspec.Struct, array_like=True, tag="d", frozen=True, gc=False):
    """identity: `identifier` (at `version`) now belongs to `via`; to be told to the person that `to` resolves to."""

    to: Token
    identifier: Token
    version: int
    via: Token


Said = tuple[Micros, str, str]
"""The place of a touchpoint among those that say something of a pair of identifiers: time, source, id."""


class Pair(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What was said of two personal identifiers: the first link, and the last word of somebody who named the pair
    (its place, and whether they are one person).
    """

    link: Said | None = None
    word: tuple[Said, bool] | None = None


class Heard(msgspec.Struct, array_like=True, tag="l", frozen=True, gc=False):
    """identity, then links: what a touchpoint says of the personal identifiers `to` and `peer`, the greater token."""

    to: Token
    peer: Token
    pair: Pair


class Assign(msgspec.Struct, array_like=True, tag="a", frozen=True, gc=False):
    """identity: the personal identifier `to` belongs to the person that `owner` names, since `version`."""

    to: Token
    owner: Token
    version: int


class IdentityMark(msgspec.Struct, array_like=True, tag="m", frozen=True, gc=False):
    """identity: `channel` has sent everything before `levels[n]` that was forwarded at most n times."""

    channel: str
    levels: list[Micros]


IdentityMessage = Route | Claim | Heard | Assign | Carry | Depart | IdentityMark


class Arrive(msgspec.Struct, array_like=True, tag="t", frozen=True, gc=False):
    """journeys: a touchpoint of `person`, by way of `path`."""

    person: str
    path: Steps
    touchpoint: Touchpoint


class Receive(msgspec.Struct, array_like=True, tag="p", frozen=True, gc=False):
    """journeys: a parcel for `person`."""

    person: str
    parcel: Parcel


class Release(msgspec.Struct, array_like=True, tag="r", frozen=True, gc=False):
    """journeys: `person` gives up what came by `identifier` at a version below `version`, since when it is `via`'s, and
    sends it back by the identifier.
    """

    person: str
    identifier: Token
    version: int
    via: Token


class JourneyMark(msgspec.Struct, array_like=True, tag="m", frozen=True, gc=False):
    """journeys: `channel` has sent everything before `time`."""

    channel: str
    time: Micros


class Limit(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What was learned of one segment, or of all: how many stays have `ended`; the limit of a stage and the bounds of its
    error (`high` None: unknown); `passed`, the durations within which 1 %, 2 %, … of all ended, as far as is known, which
    the journey stage is told of promises alone.
    """

    ended: int
    duration: Micros = 0
    low: Micros = 0
    high: Micros | None = None
    passed: tuple[Micros, ...] = ()


class Limits(msgspec.Struct, array_like=True, tag="l", frozen=True, gc=False):
    """journeys: what holds for stays that begin in `period`: (label of the rule, segment, the limit or that there is
    none).
    """

    period: int
    limits: list[tuple[str, str | None, Limit | None]]


JourneyMessage = Arrive | Receive | Release | JourneyMark | Limits


Fact = tuple[str | None, Micros, Micros]
"""A stay, as the learner was told of it: segment, when it began, when it ended or `GOING_ON`."""
GOING_ON: Final = -1


class Stayed(msgspec.Struct, array_like=True, tag="s", frozen=True, gc=False):
    """stays: of the rule with this label these facts no longer hold, and this one does now, if any."""

    rule: str
    before: list[Fact]
    now: Fact | None


StayMessage = Stayed | JourneyMark
"""A mark on `journeys.stays` says that all stays that `channel` knows of before `time` have been told."""


# Identity passes the touchpoint of a route and the entries of a parcel on unread: decoding and encoding them would cost
# more than everything else that it does. So these are the same messages with their inside left as it is.
class PassingRoute(msgspec.Struct, array_like=True, tag="t", frozen=True, gc=False):
    to: Token
    path: Steps
    touchpoint: msgspec.Raw


class PassingArrive(msgspec.Struct, array_like=True, tag="t", frozen=True, gc=False):
    person: str
    path: Steps
    touchpoint: msgspec.Raw


class PassingParcel(msgspec.Struct, array_like=True, frozen=True, gc=False):
    origins: list[Origin]
    entries: msgspec.Raw
    clock: int
    forgotten: msgspec.Raw


class PassingCarry(msgspec.Struct, array_like=True, tag="p", frozen=True, gc=False):
    to: Token
    parcel: PassingParcel


class PassingReceive(msgspec.Struct, array_like=True, tag="p", frozen=True, gc=False):
    person: str
    parcel: PassingParcel


PassingMessage = PassingRoute | Claim | Heard | Assign | PassingCarry | Depart | IdentityMark
