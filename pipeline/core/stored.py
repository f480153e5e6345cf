"""What the stages keep in their stores, as it is encoded: msgspec arrays.

Only shapes; each is explained where it is used. Like those of `messages` and `outputs` they stand apart from the logic
because msgspec makes these classes while Python runs, which a compiled module cannot wait for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from pipeline.core.messages import Entry, Micros, Origin, Pair, Token
from pipeline.ports import DamagedStateError
from schemas.state import LinkRule

Order = tuple[Micros, str, str, str]
"""A place in trail order: time, sequence, source, id."""
T = TypeVar("T")


class UnreadableStateError(DamagedStateError):
    """The value under `key` is not what this version keeps there. Nothing can be guessed in its place."""

    def __init__(self, key: bytes, reason: str) -> None:
        super().__init__(f"the value under the key {key[:64]!r} cannot be read ({reason})")
        self.key = key


def reader(kind: type[T]) -> Callable[[bytes, bytes], T]:
    """A function of a key and the value that was stored there. It raises UnreadableStateError."""
    decode = msgspec.msgpack.Decoder(kind).decode

    def read(key: bytes, value: bytes) -> T:
        try:
            return decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UnreadableStateError(key, str(error)) from error

    return read


class IngestState(msgspec.Struct, array_like=True):
    """`mark`: the time reached. `sent`: what was last said of it, at `sent_at` in record time
    (milliseconds).
    """

    newest: Micros = 0
    mark: Micros | None = None
    sent: Micros | None = None
    sent_at: int | None = None
    seen: int = 0
    refused: list[tuple[int, str]] = []


class Reference(msgspec.Struct, array_like=True, gc=False):
    """What is known of a reference.

    `claims` are (time, source, id, owner), the least first, one for each owner. `passed`: something was
    sent on through it, so that a change of owner has something to call back. `departed` are the identifiers
    that left by way of it: identifier → (version, via).
    """

    version: int = 0
    passed: bool = False
    claims: list[tuple[Micros, str, str, Token]] = []
    departed: dict[Token, tuple[int, Token]] = {}

    @property
    def owner(self) -> Token | None:
        return self.claims[0][3] if self.claims else None


class LinkerState(msgspec.Struct, array_like=True):
    """`version`: of the assignments that were told last; `rules`: what is decisive of those that the persons follow.
    `behind`: the persons of the keys up to this one follow them, all others still the rules before; None: all do.
    """

    version: int = 0
    rules: list[tuple[str, str, bool, int, int]] = []
    behind: bytes | None = None


class LearnerState(msgspec.Struct, array_like=True):
    """`published`: the last period whose limits were told; `version` counts how often any were. `rules`: how the limits told
    last were learned. `dirty`: the rules and segments whose limits may have turned out otherwise, each since a period.
    """

    published: int | None = None
    marks: dict[str, Micros] = {}
    watermark: Micros | None = None
    counts: dict[str, int] = {}
    rules: list[tuple[str, int, float, float]] = []
    dirty: list[tuple[str, str | None, int]] = []
    version: int = 0


class Happened(msgspec.Struct, array_like=True, gc=False):
    """What happened in a period to the stays of one segment: how many were `entered` and `left`, each by the slot of time
    in which they were entered, and of those that ended how many by the period in which they were entered and the bin of
    their duration.
    """

    entered: dict[int, int] = {}
    left: dict[int, int] = {}
    ended: dict[int, dict[int, int]] = {}


class Node(msgspec.Struct, array_like=True, gc=False):
    """What the linker knows of an identifier: `pairs` by the other identifier, `refused` the rule that forbade a link
    (kept with the lesser of the two; that one of them is shared forbids it anyway), the `root` that names its person, and
    if that is this one, all `members`.

    One that is `shared` has no pairs any more: it joins nobody, whatever is said.
    """

    root: Token
    pairs: dict[Token, Pair] = {}
    refused: dict[Token, LinkRule] = {}
    members: list[Token] = []
    shared: bool = False


class Run(msgspec.Struct, array_like=True, gc=False):
    """A segment as it is stored."""

    origins: list[Origin]
    entries: list[Entry]


class ClockState(msgspec.Struct, array_like=True, gc=False):
    """See `pipeline.core.clock`: `left` of the target, running since `runs_from` unless `paused_at`; `paused` so long in
    all, begun anew `resets` times.
    """

    started_at: Micros
    runs_from: Micros
    left: Micros
    paused_at: Micros | None = None
    paused: Micros = 0
    resets: int = 0


class Terms(msgspec.Struct, array_like=True, gc=False):
    """What a promise has beyond a due time that stands fast, so far as its rule speaks of it.

    `told`: the due times first, latest (in time) and earliest named; `revisions` how often another one was named; `words`
    are the last touchpoints that revised, paused, resumed or reset it. `warnings` are the instants of its warnings. Of
    a fulfilment in parts `brought` have come. `changes` grows with each of these.
    """

    per: str | None
    told: tuple[Micros, Micros, Micros]
    revisions: int = 0
    clock: ClockState | None = None
    warnings: list[Micros] = []
    needed: float = 1
    brought: float = 0
    words: list[tuple[str, str]] = []
    changes: int = 0


class StoredMaking(msgspec.Struct, array_like=True, gc=False):
    """A promise that is not settled; its due times are kept only where the touchpoint that made it does not say all."""

    entry: Entry
    met: Entry | None = None
    cancelled: Entry | None = None
    due: Micros = 0
    at_risk_at: Micros = 0
    terms: Terms | None = None


class Scope(msgspec.Struct, array_like=True, gc=False):
    """What has happened to the promises of a rule that a value of `per` tells from others, and to those still to be made:
    what met and cancelled them first, how many parts were brought, what brought the last, and since when they are paused.
    """

    met: Entry | None = None
    cancelled: Entry | None = None
    brought: float = 0
    last: Entry | None = None
    paused_at: Micros | None = None


class Ledger(msgspec.Struct, array_like=True, gc=False):
    """The promises of a rule; `common` is the scope of what names no value of `per`."""

    makings: list[StoredMaking]
    common: Scope
    scopes: dict[str, Scope] = {}


Mark = tuple[Micros, str, str]
"""A touchpoint that is only named: its time, source and id."""


class Observed(msgspec.Struct, array_like=True, gc=False):
    """What has been measured for a value promise: so many figures, and what is made of them (of a mean their sum).

    `seen` brought the figure that counts, `started` began the duration, `ended` what ended it all, `how` says in which way
    (see `pipeline.core.values`).
    """

    count: int = 0
    figure: float = 0
    seen: Mark | None = None
    started: Mark | None = None
    ended: Mark | None = None
    how: int = 0


class StoredValue(msgspec.Struct, array_like=True, gc=False):
    """A value promise that is still measured; `promised` are its lower and upper limit, None if it promises nothing."""

    entry: Entry
    promised: tuple[float, float] | None
    observed: Observed


class ValueLedger(msgspec.Struct, array_like=True, gc=False):
    """The value promises of a rule, the last figures of those before, and how all of it was measured."""

    makings: list[StoredValue]
    habit: list[float]
    measured: str


class Stay(msgspec.Struct, array_like=True, gc=False):
    """A stage: the entry inside, whether it is over, and the clocks."""

    inside: Entry | None
    is_over: bool
    clock: ClockState | None = None
    paused_at: Micros | None = None
    warnings: list[Micros] = []


class Base(msgspec.Struct, array_like=True, gc=False):
    """What is left of a journey's cut entries. Rules are by name, so that a changed map finds them again."""

    journey_type: str
    key: str
    touchpoints: int
    opened_at: Micros
    last_at: Micros
    ended_at: Micros | None
    promises: dict[str, Ledger]
    stages: dict[str, Stay]
    values: dict[str, ValueLedger] = {}


class Head(msgspec.Struct, array_like=True, gc=False):
    generation: int
    segments: list[int]
    next_number: int
    marks: dict[Token, tuple[int, Token]]
    cut: Order | None
    removed: int
    cut_first_at: Micros | None
    bases: list[str]
    has_forgotten: bool


class Digests(msgspec.Struct, array_like=True, gc=False):
    origins: list[Origin]
    digests: list[tuple[bytes, int]]
    """Each with the index of its origin."""


class Meta(msgspec.Struct, array_like=True):
    clock: int
    batch: int
    watermark: Micros | None
    marks: dict[str, Micros]
    counts: dict[str, int]
    counts_owed: int | None
    """The batch since which the counts are others than those published."""
