"""Value promises: the touchpoints that make, measure, close and cancel them in; the verdict on each of them out.

Only what comes after the making in trail order is measured, until the promise is complete: its window is over, a touchpoint
closes it, the first figure has come, or the duration has ended. A verdict is a pure function of the touchpoints in trail
order and the watermark; what is over stays over, so that a cancellation after the verdict changes nothing.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from mypy_extensions import mypyc_attr

from pipeline.core.acts import CLOSE, FINISH, OBSERVE, PROMISE, START, STOP
from pipeline.core.fields import key_text
from pipeline.core.instants import LAST, NEVER
from pipeline.core.messages import Entry, Micros
from pipeline.core.promises import KEPT_MAKINGS
from pipeline.core.rules import ValueRule
from pipeline.core.stored import Mark, Observed, StoredValue, ValueLedger
from pipeline.core.value_verdicts import Bounds, bounds, early, final
from schemas.finding import ValueStatus

OPEN: Final = 0
COMPLETE: Final = 1
"""The first figure has come, or the duration has ended."""
CLOSED: Final = 2
ELAPSED: Final = 3
"""A touchpoint of the rule has come after the window; it is judged when time has passed that."""
CANCELLED: Final = 4


class Told(NamedTuple):
    """What was last concluded of a promise."""

    status: ValueStatus
    figures: int
    figure: float
    seen: Mark | None
    started: Mark | None
    ended: Mark | None


@mypyc_attr(acyclic=True)
class ValueMaking:
    """One value promise. `end` is the last instant that is measured, `promised` None while a habit is still too young.

    `told` is what was concluded last, None before that; `finding_id` is remembered once it is known.
    """

    __slots__ = ("bounds", "end", "entry", "finding_id", "observed", "per", "promised", "told")

    def __init__(
        self, rule: ValueRule, entry: Entry, promised: tuple[float, float] | None, observed: Observed
    ) -> None:
        self.entry = entry
        self.per = None if rule.per is None else key_text(entry.fields.get(rule.per))
        self.end: Micros = NEVER if rule.window is None else min(LAST, entry.time + rule.window)
        self.promised = promised
        self.bounds: Bounds | None = None if promised is None else bounds(rule, promised)
        self.observed = observed
        self.finding_id = ""
        self.told: Told | None = None


class Verdict(NamedTuple):
    """`settled`: no later touchpoint can change it."""

    status: ValueStatus
    settled: bool


@mypyc_attr(acyclic=True)
class ValueFold:
    """A rule in a journey: its promises that are measured, or not judged since; the last figures of a habit."""

    __slots__ = ("habit", "makings")

    def __init__(self) -> None:
        self.makings: tuple[ValueMaking, ...] = ()
        self.habit: tuple[float, ...] = ()

    def take(self, rule: ValueRule, act: int, entry: Entry) -> None:
        """Let a touchpoint do what it does."""
        per = None if rule.per is None else key_text(entry.fields.get(rule.per))
        if rule.window is not None:
            self._let_elapse(rule, entry.time)
        if act == FINISH:
            per = None  # the end of a journey is that of all its measurements
        if act == PROMISE:
            self._make(rule, entry)
        elif act == OBSERVE:
            self._observe(rule, entry, per)
        else:
            if act == START and rule.is_standing:
                self._make(rule, entry)
            for making in self._open(per):
                self._change(rule, act, making, entry)

    def _open(self, per: str | None) -> list[ValueMaking]:
        """The promises that a touchpoint with this value of `per`, or none, concerns."""
        return [
            making
            for making in self.makings
            if making.observed.how == OPEN and (per is None or making.per is None or making.per == per)
        ]

    def _make(self, rule: ValueRule, entry: Entry) -> None:
        making = make(rule, entry, self.habit)
        if making is not None:
            self.makings += (making,)

    def _observe(self, rule: ValueRule, entry: Entry, per: str | None) -> None:
        figure = rule.figure(entry)
        if figure is None:
            return
        if rule.is_standing and not self._open(per):
            self._make(rule, entry)
        for making in self._open(per):
            _measure(rule, making.observed, figure, entry)
            if rule.take == "first":
                self._end(rule, making, COMPLETE, None)

    def _change(self, rule: ValueRule, act: int, making: ValueMaking, entry: Entry) -> None:
        """Let a touchpoint begin, end, close or cancel the measurement of a promise."""
        observed = making.observed
        if act == START:
            if observed.started is None:
                observed.started = _mark(entry)
        elif act == STOP:
            if observed.started is not None:
                _measure(rule, observed, float(entry.time - observed.started[0]), entry)
                self._end(rule, making, COMPLETE, None)
        elif act in (CLOSE, FINISH):
            self._end(rule, making, CLOSED, _mark(entry))
        elif making.bounds is None or judge(rule, making, entry.time).status == "made":
            self._end(rule, making, CANCELLED, _mark(entry))

    def _let_elapse(self, rule: ValueRule, time: Micros) -> None:
        for making in self.makings:
            if making.end < time and making.observed.how == OPEN:
                self._end(rule, making, ELAPSED, None)

    def _end(self, rule: ValueRule, making: ValueMaking, how: int, mark: Mark | None) -> None:
        making.observed.how, making.observed.ended = how, mark
        if rule.habit and how != CANCELLED:
            figure = measured(rule, making.observed)
            if figure is not None:
                self.habit = (*self.habit, figure)[-rule.habit :]

    def drop_settled(self, live: ValueFold) -> None:
        """Let go of the promises that no touchpoint can change any more. Whether time has passed a window is known to the
        fold that was judged.
        """
        judged = {id(making.entry) for making in live.makings}
        self.makings = tuple(
            [
                making
                for making in self.makings
                if making.observed.how == OPEN
                or (making.observed.how == ELAPSED and id(making.entry) in judged)
            ]
        )

    def stored(self, rule: ValueRule) -> tuple[ValueLedger, list[ValueMaking]]:
        """What a cut journey keeps of it, and the unsettled promises that are too many for that."""
        kept = [
            StoredValue(each.entry, each.promised, _copied(each.observed))
            for each in self.makings[-KEPT_MAKINGS:]
        ]
        return ValueLedger(kept, list(self.habit), rule.measured), list(self.makings[:-KEPT_MAKINGS])


def restored(rule: ValueRule, ledger: ValueLedger) -> ValueFold:
    """The fold of what was kept, under a rule that may have changed since. `ledger` stays as it is.

    What was measured in another way can't be judged any more, and is left out.
    """
    fold = ValueFold()
    if ledger.measured == rule.measured:
        fold.habit = tuple(ledger.habit[-rule.habit :]) if rule.habit else ()
        for kept in ledger.makings:
            promised = kept.promised if rule.habit else rule.limits(kept.entry)
            if promised is not None or rule.habit:
                fold.makings += (ValueMaking(rule, kept.entry, promised, _copied(kept.observed)),)
    return fold


def make(rule: ValueRule, entry: Entry, habit: tuple[float, ...]) -> ValueMaking | None:
    """The promise that a touchpoint makes; None if it names no figure."""
    if rule.habit:
        usual = _median(habit) if len(habit) >= rule.least else None
        return ValueMaking(rule, entry, None if usual is None else (usual, usual), Observed())
    promised = rule.limits(entry)
    return None if promised is None else ValueMaking(rule, entry, promised, Observed())


def measured(rule: ValueRule, observed: Observed) -> float | None:
    """The figure so far; None while there is none."""
    if not observed.count:
        return 0.0 if rule.adds_up else None
    return observed.figure / observed.count if rule.take == "mean" else observed.figure


def judge(rule: ValueRule, making: ValueMaking, watermark: Micros) -> Verdict:
    """What has become of a promise of something when all time up to `watermark` has been heard of."""
    observed, limits = making.observed, making.bounds
    assert limits is not None
    how = observed.how
    if how == CANCELLED:
        return Verdict("cancelled", True)
    is_settled = how not in (OPEN, ELAPSED) or (how == ELAPSED and watermark > making.end)
    is_complete = is_settled or watermark > making.end
    figure = measured(rule, observed)
    if figure is not None and is_complete:
        return Verdict(final(limits, figure), is_settled)
    if figure is None and observed.started is not None:
        # how long it has run at least
        until = watermark if observed.ended is None else observed.ended[0]
        figure = float(min(until, making.end) - observed.started[0])
    status: ValueStatus = "made" if figure is None else early(rule, limits, figure)
    return Verdict("lapsed" if is_complete and status == "made" else status, is_settled)


def deadline(making: ValueMaking, watermark: Micros) -> Micros:
    """When time alone may change what was concluded of an open promise."""
    limits, started = making.bounds, making.observed.started
    if limits is None:
        return NEVER
    soonest = making.end + 1 if watermark <= making.end < LAST else NEVER
    if started is not None:
        for ahead in (limits.high + 1, limits.low, limits.well_above):
            if abs(ahead) < LAST and watermark < started[0] + int(ahead) < soonest:
                soonest = started[0] + int(ahead)
    return soonest


def _measure(rule: ValueRule, observed: Observed, figure: float, entry: Entry) -> None:
    """Take in a figure."""
    first = not observed.count
    observed.count += 1
    take = rule.take
    if first or take in ("last", "duration"):
        observed.figure = figure
    elif take in ("sum", "mean", "count"):
        observed.figure += figure
    elif figure > observed.figure if take == "highest" else figure < observed.figure:
        observed.figure = figure
    else:
        return
    observed.seen = _mark(entry)


def _median(figures: tuple[float, ...]) -> float:
    ordered, middle = sorted(figures), len(figures) // 2
    return ordered[middle] if len(figures) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _copied(observed: Observed) -> Observed:
    return Observed(
        observed.count, observed.figure, observed.seen, observed.started, observed.ended, observed.how
    )


def _mark(entry: Entry) -> Mark:
    return entry.time, entry.source, entry.id
