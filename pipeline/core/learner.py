"""The learner: stays of all journey partitions in, the limits that hold in each period of event time out.

It is the one writer of limits: one partition of `journeys.stays`. Once all journey partitions have told of everything before
a period, its limits are computed and told to each of them. Whatever is told later of what they rest on has them computed
again, of the last `REVISED` periods, and told where they differ: in the silence, or before the next period. So what holds in
the end depends on the set of stays, not on when they were told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from pipeline.core.frames import STAY_FRAMES, FrameWriter
from pipeline.core.learning import BEHIND, WINDOW, Stays, period_of
from pipeline.core.limit_telling import Name, Teller, limit_of
from pipeline.core.messages import GOING_ON, Fact, Limit, Micros, Stayed
from pipeline.core.rules import LearnedRule
from pipeline.core.stored import Happened, LearnerState, reader
from pipeline.core.watermark import Watermark
from pipeline.ports import Outbox, Record, Store

REVISED: Final = 30
"""Periods back to which limits that were told are told again if they turn out otherwise."""
SEGMENTS: Final = 200
"""Of a rule, the first ones that were told of: each takes some kilobytes. Stays of others count among all alone."""
_STATE, _HAPPENED, _TOLD = b"s", b"h", b"t"

_pack: Final = msgspec.msgpack.Encoder().encode
_unpack_state: Final = reader(LearnerState)
_unpack_happened: Final = reader(Happened)
_unpack_told: Final = reader(Limit)
_unpack_name: Final = reader(tuple[str, str | None])


@dataclass(frozen=True)
class LearnerConfig:
    """`partitions` are those of `journeys_topic`; what was learned is published on `state_topic`."""

    journeys_topic: str
    state_topic: str
    partitions: int
    rules: tuple[LearnedRule, ...]


class Learner:
    """The logic of the one partition of `journeys.stays`.

    `counts` counts, since the pipeline began: `stays` that were told, `corrected` ones, `unknown` (of rules that are not
    learned any more), `unsegmented` (of more segments than are told apart), `limits` told, `revised` ones.
    """

    def __init__(self, store: Store, config: LearnerConfig) -> None:
        self._store = store
        self._config = config
        self._rules = {rule.label: rule for rule in config.rules}
        kept = store.get(_STATE)
        self._state = _unpack_state(_STATE, kept) if kept else LearnerState()
        self.counts: Counter[str] = Counter(self._state.counts)
        channels = [channel(partition) for partition in range(config.partitions)]
        self._channels = channels
        self._watermark = Watermark(channels, self._state.marks, self._state.watermark)
        self._stays: dict[Name, Stays] = {}
        self._told: dict[tuple[int, Name], Limit] = {}
        self._dirty: dict[Name, int] = {(rule, segment): since for rule, segment, since in self._state.dirty}
        self._load()
        rules = [(rule.label, rule.least, rule.quantile, rule.times) for rule in config.rules]
        if rules != self._state.rules:
            # what was learned of the same stays holds by the new rules
            self._dirty = dict.fromkeys([*self._stays, *[name for _, name in self._told]], 0)
            self._state.rules = rules

    def process(self, records: Iterable[Record], outbox: Outbox) -> None:
        for record in records:
            for message in STAY_FRAMES.decode(record):
                if isinstance(message, Stayed):
                    self._hear(message)
                else:
                    self._watermark.advance(message.channel, message.time)
        time = self._watermark.time
        if time is not None and (self._state.published is None or period_of(time) > self._state.published):
            teller = self._teller(outbox)
            self._revise(teller)
            self._publish(period_of(time), teller)
            teller.writer.flush()
        self._save()

    def quiet(self, now: int, outbox: Outbox) -> bool:  # noqa: ARG002 - the protocol's signature
        """In the silence limits that turned out otherwise are told again."""
        if not self._dirty:
            return False
        teller = self._teller(outbox)
        self._revise(teller)
        teller.writer.flush()
        self._save()
        return True

    @property
    def watermark(self) -> Micros | None:
        """All stays before it have been told."""
        return self._watermark.time

    @property
    def owes(self) -> bool:
        """Whether limits may have turned out otherwise."""
        return bool(self._dirty)

    def _teller(self, outbox: Outbox) -> Teller:
        config = self._config
        return Teller(
            outbox, config.state_topic, FrameWriter(outbox, config.journeys_topic, config.partitions)
        )

    def _hear(self, message: Stayed) -> None:
        if message.rule not in self._rules:
            self.counts["unknown"] += 1
            return
        if message.before:
            self.counts["corrected"] += 1
        else:
            self.counts["stays"] += 1
        since = _changed_since(message)
        for fact in message.before:
            self._count(message.rule, fact, -1, since)
        if message.now is not None:
            self._count(message.rule, message.now, 1, since)

    def _count(self, rule: str, fact: Fact, sign: int, since: int) -> None:
        segment, entered, left = fact
        published = self._state.published
        if published is not None and period_of(entered) < published - REVISED - BEHIND - WINDOW:
            return
        for name in self._names(rule, segment):
            self._stays[name].tell(entered, left, sign)
            if published is not None and since + BEHIND < published:
                self._dirty[name] = min(since, self._dirty.get(name, since))

    def _names(self, rule: str, segment: str | None) -> Iterator[Name]:
        if (rule, None) not in self._stays:
            self._stays[rule, None] = Stays()
        yield rule, None
        if segment is None:
            return
        name = (rule, segment)
        if name not in self._stays:
            if sum(1 for label, each in self._stays if label == rule and each is not None) >= SEGMENTS:
                self.counts["unsegmented"] += 1
                return
            self._stays[name] = Stays()
        yield name

    def _publish(self, until: int, teller: Teller) -> None:
        """Tell the limits of the periods up to this one."""
        published = self._state.published
        if published is None:
            first = min(
                [first for stays in self._stays.values() if (first := stays.first) is not None], default=until
            )
            published = first + BEHIND
        for period in range(published + 1, until + 1):
            if not any(stays.has_told_since(period - BEHIND - WINDOW) for stays in self._stays.values()):
                break
            found = {name: limit for name in self._stays if (limit := self._limit(name, period)) is not None}
            self._tell(period, dict(found), teller)
        self._state.published = until
        self._forget(until)

    def _revise(self, teller: Teller) -> None:
        """Tell what holds otherwise in the periods whose limits were told."""
        published = self._state.published
        dirty, self._dirty = self._dirty, {}
        if published is None:
            return
        changes: dict[int, dict[Name, Limit | None]] = {}
        for name, since in dirty.items():
            for period in range(max(since + BEHIND + 1, published - REVISED), published + 1):
                limit = self._limit(name, period)
                if limit != self._told.get((period, name)):
                    changes.setdefault(period, {})[name] = limit
        for period, changed in sorted(changes.items()):
            self.counts["revised"] += len(changed)
            self._tell(period, changed, teller)

    def _limit(self, name: Name, period: int) -> Limit | None:
        stays, rule = self._stays.get(name), self._rules.get(name[0])
        if stays is None or rule is None:
            return None
        return limit_of(stays.curve(period), rule)

    def _tell(self, period: int, limits: dict[Name, Limit | None], teller: Teller) -> None:
        if not limits:
            return
        for name, limit in limits.items():
            if limit is None:
                del self._told[period, name]
                self._store.delete(_told_key(period, name))
            else:
                self._told[period, name] = limit
                self._store.put(_told_key(period, name), _pack(limit))
        self.counts["limits"] += len(limits)
        self._state.version += 1
        teller.tell(period, sorted(limits.items(), key=_order), self._rules, self._state.version)

    def _forget(self, published: int) -> None:
        """Let go of what no limit that may still be told can rest on."""
        for period, name in [key for key in self._told if key[0] < published - REVISED]:
            del self._told[period, name]
            self._store.delete(_told_key(period, name))
        for name, stays in list(self._stays.items()):
            for period in stays.forget(published - REVISED - BEHIND - WINDOW):
                self._store.delete(_happened_key(period, name))
            if stays.first is None:
                del self._stays[name]

    def _load(self) -> None:
        for key, value in self._store.scan(_HAPPENED):
            period, name = _period_and_name(key)
            if name[0] not in self._rules:
                self._store.delete(key)
                continue
            self._stays.setdefault(name, Stays()).restore(period, _unpack_happened(key, value))
        for key, value in self._store.scan(_TOLD):
            self._told[_period_and_name(key)] = _unpack_told(key, value)

    def _save(self) -> None:
        for name, stays in self._stays.items():
            for period, happened in stays.take_changed():
                self._store.put(_happened_key(period, name), _pack(happened))
        state = self._state
        state.counts = dict(self.counts)
        state.watermark = self._watermark.time
        state.marks = {
            name: mark for name in self._channels if (mark := self._watermark.mark(name)) is not None
        }
        state.dirty = [(rule, segment, since) for (rule, segment), since in self._dirty.items()]
        self._store.put(_STATE, _pack(state))


def _changed_since(message: Stayed) -> int:
    """The first period of whose stays something else holds now: an end tells nothing new of the time before it."""
    before, now = message.before, message.now
    facts = before if now is None else [*before, now]
    if len(before) == 1 and now is not None and before[0][:2] == now[:2]:
        return min([period_of(left) for _, _, left in facts if left != GOING_ON], default=period_of(now[1]))
    return min([period_of(entered) for _, entered, _ in facts])


def channel(partition: int) -> str:
    """The name under which a journey partition marks what it has told."""
    return f"journey/{partition}"


def _order(item: tuple[Name, Limit | None]) -> tuple[str, str]:
    (rule, segment), _ = item
    return rule, segment or ""


def _happened_key(period: int, name: Name) -> bytes:
    return _HAPPENED + period.to_bytes(4, "big") + _pack(name)


def _told_key(period: int, name: Name) -> bytes:
    return _TOLD + period.to_bytes(4, "big") + _pack(name)


def _period_and_name(key: bytes) -> tuple[int, Name]:
    name: Name = _unpack_name(key, key[5:])
    return int.from_bytes(key[1:5], "big"), name
