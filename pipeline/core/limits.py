"""Learned limits in a partition of the journey stage: what the learner has told in, who has to be judged by it again out.

A stay is judged by the limits of the period in which it began. They may come later than the stay, and be told again: so the
store knows, by period, the persons of whose stays the learner was told, for as long as their limits may change.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pipeline.core.journey import TOLD
from pipeline.core.learner import REVISED, channel
from pipeline.core.learning import BEHIND, period_of
from pipeline.core.messages import Entry, Fact, JourneyMark, Limit, Limits, Micros, Published
from pipeline.core.persons import head_key, person_id
from pipeline.core.rules import LearnedRule
from pipeline.core.stored import reader
from pipeline.ports import Store

_PERIODS: Final = 400
"""Periods whose limits are held unpacked."""
EXPIRED = 4_000
"""Entries of the index that one batch lets go of at most."""
_LIMITS, _STAYS, _AFFECTED, _MARKED = b"l", b"v", b"a", b"k"
Of = tuple[str, str | None]
"""The label of a rule and a segment; None: all."""

_pack: Final = msgspec.msgpack.Encoder().encode
_unpack_limits: Final = reader(list[tuple[str, str | None, Limit]])
_unpack_facts: Final = reader(list[Fact])


class LearnedLimits:
    """The limits that one partition knows, and the persons that wait to be judged by new ones."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._limits: dict[int, dict[Of, Limit]] = {}
        self._affected = [int.from_bytes(key[1:], "big") for key, _ in store.scan(_AFFECTED)]
        self._after = b""
        marked = store.get(_MARKED)
        self._marked = -1 if marked is None else int.from_bytes(marked, "big")
        self._final = 0
        """Before this period limits do not change any more; whose stays began then is to be forgotten."""

    def find(self, rule: LearnedRule, opening: Entry) -> tuple[Limit, str | None] | None:
        """The limit for what this touchpoint opened, and the segment that it is of, None: of all."""
        limits = self._of(period_of(opening.time))
        if not limits:
            return None
        segment = rule.segment_of(opening)
        if segment is not None and (limit := limits.get((rule.label, segment))) is not None:
            return limit, segment
        limit = limits.get((rule.label, None))
        return None if limit is None else (limit, None)

    def hear(self, message: Limits) -> None:
        """Take in what the learner tells, in place of what it told before."""
        period = message.period
        limits = dict(self._of(period))
        for rule, segment, limit in message.limits:
            if limit is None:
                limits.pop((rule, segment), None)
            else:
                limits[rule, segment] = limit
        self._limits[period] = limits
        packed = [(rule, segment, limit) for (rule, segment), limit in limits.items()]
        self._store.put(_key(_LIMITS, period), _pack(packed))
        if period not in self._affected:
            self._affected.append(period)
            self._store.put(_key(_AFFECTED, period), b"")
        elif self._affected[0] == period:
            self._after = b""
        self._final = max(self._final, period - REVISED - BEHIND)

    @property
    def has_affected(self) -> bool:
        """Whether persons wait to be judged by limits that have come or changed."""
        return bool(self._affected)

    def take_affected(self, count: int) -> list[tuple[str, int]]:
        """Up to `count` of them, each with the period of its stays; nobody is remembered any more whose limits are final."""
        if self._final:
            self._expire()
        taken: list[tuple[str, int]] = []
        while self._affected and len(taken) < count:
            period = self._affected[0]
            for key, _ in self._store.scan(_key(_STAYS, period), self._after):
                taken.append((person_id(b"p" + key[5:]), period))
                self._after = key
                if len(taken) == count:
                    return taken
            self._affected.pop(0)
            self._store.delete(_key(_AFFECTED, period))
            self._after = b""
        return taken

    def remember(self, person: str, entered: Micros) -> None:
        """The learner is told of a stay of this person."""
        self._store.put(_key(_STAYS, period_of(entered)) + head_key(person)[1:], b"")

    def remember_told(self, person: str, published: tuple[Published, ...]) -> None:
        """A touchpoint has come to this person of whose stays the learner was told when it was another's."""
        for known in published:
            if known.finding_id.startswith(TOLD):
                for _, entered, _ in facts_of(person, known.digest):
                    self.remember(person, entered)

    def mark(self, partition: int, watermark: Micros) -> JourneyMark | None:
        """What to tell the learner of time, if another period has begun."""
        period = period_of(watermark)
        if period <= self._marked:
            return None
        self._marked = period
        self._store.put(_MARKED, period.to_bytes(4, "big"))
        return JourneyMark(channel(partition), watermark)

    def _of(self, period: int) -> dict[Of, Limit]:
        limits = self._limits.get(period)
        if limits is None:
            if len(self._limits) >= _PERIODS:
                del self._limits[next(iter(self._limits))]
            key = _key(_LIMITS, period)
            kept = self._store.get(key)
            found = [] if kept is None else _unpack_limits(key, kept)
            limits = self._limits[period] = {(rule, segment): limit for rule, segment, limit in found}
        return limits

    def _expire(self) -> None:
        """Forget whose stays began so long ago that their limits are final, some in each batch."""
        gone: list[bytes] = []
        for key, _ in self._store.scan(_STAYS):
            if int.from_bytes(key[1:5], "big") >= self._final or len(gone) >= EXPIRED:
                break
            gone.append(key)
        for key in gone:
            self._store.delete(key)
        if len(gone) < EXPIRED:
            self._final = 0  # until the limits of another day come


def facts_of(person: str, digest: bytes) -> list[Fact]:
    """What the learner was told of the stays that a touchpoint opened by one rule: one fact, more if it was two persons'.

    Raises UnreadableStateError, which names the head of the person whose touchpoint it is.
    """
    return _unpack_facts(head_key(person), digest) if digest else []


def merge_told(person: str, mine: bytes, theirs: bytes) -> bytes:
    """What it was told of two copies of a touchpoint that have come to this person."""
    return _pack([*facts_of(person, mine), *facts_of(person, theirs)])


def _key(prefix: bytes, period: int) -> bytes:
    return prefix + period.to_bytes(4, "big")
