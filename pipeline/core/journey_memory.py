"""What a partition of the journey stage keeps beside its persons: time, its clock, deadlines and plans.

It is rebuilt from the store when a partition opens, without a look at every person: the earliest deadlines come from the
store's order. The plan is kept with the state: under another one, every person is *outdated* and waits to be folded anew,
in the order of their ids, while the old plan is kept to tell what was concluded under it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Final

import msgspec

from pipeline.core.budget import Budget
from pipeline.core.deadlines import Deadlines
from pipeline.core.limits import LearnedLimits
from pipeline.core.messages import Micros
from pipeline.core.persons import Persons
from pipeline.core.plan import Plan, plan_from
from pipeline.core.stored import Meta, UnreadableStateError, reader
from pipeline.core.watermark import Watermark
from pipeline.ports import Store

STATE_LAG: Final = 16
"""Batches by which the state of a person or journey may lag, so that a busy one is not published in each."""
STATED: Final = 8_000
"""Persons after whose states a batch leaves the rest to the next one."""
_OUTDATED: Final = 2_000
"""Outdated persons whose ids are read at a time."""
_META, _PLAN, _UNSTATED = b"m", b"j", b"u"


_pack: Final = msgspec.msgpack.Encoder().encode
_unpack_ids: Final = reader(list[str])
_unpack_meta: Final = reader(Meta)


class JourneyMemory:
    """The memory of one partition; `partitions` of identity are the channels of its watermark."""

    def __init__(self, store: Store, plan: Plan, partitions: int, cache: Budget, owed_persons: int) -> None:
        self._store = store
        self._plans, self._generation = _plans(store, plan)
        self._owed = {
            int.from_bytes(key[1:], "big"): _unpack_ids(key, ids) for key, ids in store.scan(_UNSTATED)
        }
        self._new: list[str] = []
        self._most_owed = owed_persons
        self.unstated = {person: batch for batch, persons in self._owed.items() for person in persons}
        self.persons = Persons(store, self._plans, self._generation, cache, self.unstated)
        kept = store.get(_META)
        self._kept = _unpack_meta(_META, kept) if kept else Meta(0, 0, None, {}, {}, None)
        self._clock = self._kept.clock
        self._batch = self._kept.batch
        self.counts = Counter(self._kept.counts)
        self._counts_owed = self._kept.counts_owed
        self._channels = [f"identity/{partition}" for partition in range(partitions)]
        self.watermark = Watermark(self._channels, self._kept.marks, self._kept.watermark)
        self._deadlines = Deadlines(store)
        self.limits = LearnedLimits(store)
        self._outdated: list[str] = []
        if len(self._plans) > 1:
            self._find_outdated(None)

    @property
    def time(self) -> Micros:
        """The watermark; 1970 while there is none."""
        return self.watermark.time or 0

    def tick(self) -> int:
        """The next version of a state of this partition."""
        self._clock += 1
        return self._clock

    def hear(self, clock: int) -> None:
        """Versions up to `clock` have been published elsewhere of what has moved here."""
        self._clock = max(self._clock, clock)

    @property
    def clock(self) -> int:
        """No version published here is greater."""
        return self._clock

    def schedule(self, person: str, deadline: Micros) -> None:
        """Let `take_due` name the person when the watermark reaches the deadline, in place of an earlier word."""
        self._deadlines.schedule(person, deadline)

    @property
    def has_due(self) -> bool:
        """Whether the watermark has reached a deadline that has not been heeded."""
        return self._deadlines.has_due(self.time)

    def take_due(self, count: int) -> list[str]:
        """Up to `count` persons whose deadlines the watermark has reached, the earliest first."""
        return self._deadlines.take_due(self.time, count)

    @property
    def has_outdated(self) -> bool:
        """Whether persons wait to be folded anew."""
        return bool(self._outdated)

    def take_outdated(self, count: int) -> list[str]:
        """Up to `count` persons that were folded under an earlier plan, each once."""
        taken = self._outdated[:count]
        del self._outdated[:count]
        if taken and not self._outdated:
            self._find_outdated(taken[-1])
        return taken

    def _find_outdated(self, after: str | None) -> None:
        """The next ones, so that not all of them are held at once. Those that are taken may not have been saved yet."""
        self._outdated = list(islice(self.persons.outdated(after), _OUTDATED))

    def owe(self, person: str) -> None:
        """The states of a person, or of its journeys, have to be published within `STATE_LAG` batches."""
        if person not in self.unstated:
            self.unstated[person] = self._batch
            self._new.append(person)

    @property
    def owes(self) -> bool:
        """Whether states or counts are owed."""
        return bool(self._owed) or self._counts_owed is not None

    def take_owed(self, lag: int) -> Iterator[str]:
        """Everyone whose states have been owed for `lag` batches; of one batch or more, up to `STATED`. If too
        many are owed, whoever has waited longest: batches of many persons owe faster than `STATED` settles.
        """
        taken = 0
        while self._owed and (
            len(self.unstated) > self._most_owed
            or (taken < STATED and next(iter(self._owed)) <= self._batch - lag)
        ):
            first = next(iter(self._owed))
            self._store.delete(_UNSTATED + first.to_bytes(8, "big"))
            owed = self._owed.pop(first)
            taken += len(owed)
            yield from [person for person in owed if self.unstated.get(person) == first]

    def take_counts(self, lag: int) -> bool:
        """Whether the counts have to be published: they differ from those published, for `lag` batches now."""
        if self._counts_owed is None and self.counts != self._kept.counts:
            self._counts_owed = self._batch
        if self._counts_owed is None or self._counts_owed > self._batch - lag:
            return False
        self._counts_owed = None
        return True

    def save(self) -> None:
        """Write what the batch has changed, and let go of old plans that nobody is under any more."""
        self.persons.trim()
        if self._new:
            self._store.put(_UNSTATED + self._batch.to_bytes(8, "big"), _pack(self._new))
            self._owed[self._batch] = self._new
            self._new = []
        self._batch += self.owes
        marks = {name: mark for name in self._channels if (mark := self.watermark.mark(name)) is not None}
        meta = Meta(
            self._clock, self._batch, self.watermark.time, marks, dict(self.counts), self._counts_owed
        )
        if meta != self._kept:
            self._store.put(_META, _pack(meta))
            self._kept = meta
        self._save_plans()

    def _save_plans(self) -> None:
        key = _plan_key(self._generation)
        if self._store.get(key) is None:
            self._store.put(key, self._plans[self._generation].source)
        if len(self._plans) > 1 and not self._outdated:
            for generation in [other for other in self._plans if other != self._generation]:
                self._store.delete(_plan_key(generation))
                del self._plans[generation]


def _plans(store: Store, plan: Plan) -> tuple[dict[int, Plan], int]:
    """The plans under which persons may be stored, by generation, and the present one's generation."""
    plans = {int.from_bytes(key[1:], "big"): _plan(key, source) for key, source in store.scan(_PLAN)}
    newest = max(plans, default=0)
    if not plans or plans[newest].digest == plan.digest:
        return {**plans, newest: plan}, newest
    return {**plans, newest + 1: plan}, newest + 1


def _plan(key: bytes, source: bytes) -> Plan:
    try:
        return plan_from(source)
    except ValueError as error:
        raise UnreadableStateError(key, str(error).splitlines()[0]) from error


def _plan_key(generation: int) -> bytes:
    return _PLAN + generation.to_bytes(4, "big")
