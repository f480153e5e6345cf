"""Deadline promises: the touchpoints that make, change, meet and cancel them in; the verdict on each of them out.

The first touchpoint that meets, and the first that cancels, count for every promise that it concerns, before or after its
making. What revises, pauses, resumes or begins one anew counts while it is open and not yet broken: what is over stays
over. A verdict is a pure function of these, taken in trail order, and the watermark; so the order of arrival does not
matter, and a replay says what the live run said.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Any, Final, NamedTuple

from mypy_extensions import mypyc_attr

from pipeline.core import clock as clocks
from pipeline.core.acts import CANCEL, MAKE, MEET, PAUSE, RESUME, REVISE
from pipeline.core.fields import key_text, number
from pipeline.core.instants import NEVER
from pipeline.core.messages import Entry, Limit, Micros
from pipeline.core.rules import PromiseRule
from pipeline.core.stored import Ledger, Scope, StoredMaking, Terms
from schemas.finding import PromiseStatus

KEPT_MAKINGS: Final = 64
"""Unsettled promises of one rule that a cut journey keeps; one may go on for ever without meeting any."""
SCOPES: Final = 256
"""Values of `per` of which a journey remembers what happened before their promise was made."""
WORDS: Final = 8
"""Touchpoints that changed a promise which its evidence names, the last ones."""


@mypyc_attr(acyclic=True)
class Making:
    """One promise: the touchpoint that made it and when it falls due.

    `rule` is on the calendar that the making chose. `met` and `cancelled` are the first touchpoints that do so. `terms` is
    None if its rule knows of nothing but a due time. `status`, `settled_by` and `passed` are what was concluded last, None
    before that; `finding_id` is remembered once it is known. `learned`: how long earlier ones took by which it is forecast,
    and of which segment.
    """

    __slots__ = (
        "at_risk_at",
        "cancelled",
        "due",
        "entry",
        "finding_id",
        "is_judged_by_others",
        "learned",
        "met",
        "passed",
        "rule",
        "settled_by",
        "status",
        "terms",
    )

    def __init__(
        self, rule: PromiseRule, entry: Entry, due: Micros, at_risk_at: Micros, terms: Terms | None = None
    ) -> None:
        self.rule = rule
        self.entry = entry
        self.due = due
        self.at_risk_at = at_risk_at
        self.terms = terms
        self.met: Entry | None = None
        self.cancelled: Entry | None = None
        self.finding_id = ""
        self.status: PromiseStatus | None = None
        self.settled_by: Entry | None = None
        self.passed: Passed | None = None
        self.is_judged_by_others = False
        self.learned: tuple[Limit, str | None] | None = None


class Passed(NamedTuple):
    """What has passed of a promise with terms: warnings, steps of escalation, due times that were told; and how often it was
    changed.
    """

    warnings: int
    steps: int
    dues: int
    changes: int


class Verdict(NamedTuple):
    """`settled`: no later touchpoint can change it."""

    status: PromiseStatus
    settled: bool


_KEPT: Final = Verdict("kept", True)
_MET_LATE: Final = Verdict("broken", True)
_CANCELLED: Final = Verdict("cancelled", True)
_BROKEN: Final = Verdict("broken", False)
_AT_RISK: Final = Verdict("at_risk", False)
_REVISED: Final = Verdict("revised", False)
_MADE: Final = Verdict("made", False)


@mypyc_attr(acyclic=True)
class PromiseFold:
    """A rule in a journey: its promises that may still change, and what has happened to those still to be made.

    `common` is of the touchpoints that name no value of `per`, which concern every promise of the rule.
    """

    __slots__ = ("common", "makings", "scopes")

    def __init__(self) -> None:
        self.makings: tuple[Making, ...] = ()
        self.common = Scope()
        self.scopes: dict[str, Scope] | None = None

    def take(self, rule: PromiseRule, act: int, entry: Entry) -> bool:
        """Let a touchpoint do what it does; whether something that was settled may not be any more."""
        per = None if rule.per is None else key_text(entry.fields.get(rule.per))
        if act == MAKE:
            self._make(rule, entry, per)
            return False
        scope = self._scope(per)
        if act == MEET:
            return self._meet(rule, scope, entry, per)
        if act == CANCEL:
            self._cancel(scope, entry, per)
        elif act == REVISE:
            for making in self.makings:
                if _concerns(per, making) and _is_open(making):
                    _revise(making, entry)
        else:
            self._set_clocks(act, scope, entry, per)
        return False

    def _make(self, rule: PromiseRule, entry: Entry, per: str | None) -> None:
        making = make(rule, entry)
        if making is None:
            return
        self.makings += (making,)
        own = self._scope(per)
        for scope in (own, self.common) if own is not self.common else (own,):
            making.cancelled = _earlier(making.cancelled, scope.cancelled)
            if rule.parts is None:
                making.met = _earlier(making.met, scope.met)
            elif making.terms is not None and scope.last is not None:
                making.terms.brought += scope.brought
                if making.terms.brought >= making.terms.needed:
                    making.met = scope.last
            if scope.paused_at is not None and making.terms is not None and making.terms.clock is not None:
                since = max(scope.paused_at, rule.start(entry))
                clocks.pause(making.terms.clock, making.rule.calendar, since)

    def _meet(self, rule: PromiseRule, scope: Scope, entry: Entry, per: str | None) -> bool:
        if rule.parts is not None:
            self._bring(rule, scope, entry, per)
        elif scope.met is None:
            scope.met = entry
            for making in self.makings:
                if making.met is None and _concerns(per, making):
                    _settle(making, entry)
                    making.met = entry
        else:
            return False
        # meeting wins over a cancellation at the same instant, which may have settled some already
        return any(each.cancelled and each.cancelled.time == entry.time for each in self._scopes(per))

    def _bring(self, rule: PromiseRule, scope: Scope, entry: Entry, per: str | None) -> None:
        brought = 1.0 if rule.part is None else number(entry.fields.get(rule.part)) or 0.0
        if brought <= 0:
            return
        scope.brought += brought
        scope.last = entry
        for making in self.makings:
            terms = making.terms
            if making.met is None and terms is not None and _concerns(per, making):
                terms.brought += brought
                terms.changes += 1
                if terms.brought >= terms.needed:
                    _settle(making, entry)
                    making.met = entry

    def _cancel(self, scope: Scope, entry: Entry, per: str | None) -> None:
        if scope.cancelled is not None:
            return
        scope.cancelled = entry
        for making in self.makings:
            if making.cancelled is None and _concerns(per, making):
                _settle(making, entry)
                making.cancelled = entry

    def _set_clocks(self, act: int, scope: Scope, entry: Entry, per: str | None) -> None:
        """Pause, resume, or begin anew, every clock that is running out."""
        if act == PAUSE:
            scope.paused_at = entry.time
        elif act == RESUME:
            for each in self._scopes(per):
                each.paused_at = None
        for making in self.makings:
            if _concerns(per, making) and _is_open(making):
                _set_clock(act, making, entry)

    def _scope(self, per: str | None) -> Scope:
        if per is None:
            return self.common
        if self.scopes is None:
            self.scopes = {}
        scope = self.scopes.get(per)
        if scope is None:
            if len(self.scopes) >= SCOPES:
                del self.scopes[next(iter(self.scopes))]
            scope = self.scopes[per] = Scope()
        return scope

    def _scopes(self, per: str | None) -> list[Scope]:
        """The scopes of which a touchpoint with this value of `per` speaks, or that speak of it."""
        if not self.scopes:
            return [self.common]
        return [self.common, *self.scopes.values()] if per is None else [self.common, self._scope(per)]

    def drop_settled(self) -> None:
        """Let go of the promises that no touchpoint can change any more."""
        self.makings = tuple([making for making in self.makings if not judge(making, 0).settled])

    def stored(self) -> tuple[Ledger, list[Making]]:
        """What a cut journey keeps of it, and the unsettled promises that are too many for that."""
        self.drop_settled()
        kept = [
            StoredMaking(each.entry, each.met, each.cancelled, each.due, each.at_risk_at, each.terms)
            for each in self.makings[-KEPT_MAKINGS:]
        ]
        return Ledger(kept, self.common, self.scopes or {}), list(self.makings[:-KEPT_MAKINGS])


def restored(rule: PromiseRule, ledger: Ledger) -> PromiseFold:
    """The fold of what was kept, under a rule that may have changed since. `ledger` stays as it is."""
    fold = PromiseFold()
    fold.common = _copied(ledger.common)
    if ledger.scopes:
        fold.scopes = {per: _copied(scope) for per, scope in ledger.scopes.items()}
    for kept in ledger.makings:
        making = make(rule, kept.entry)
        if making is None:
            continue
        making.met, making.cancelled = kept.met, kept.cancelled
        if kept.terms is not None and making.terms is not None:
            _take_over(making, kept, making.terms)
        fold.makings += (making,)
    return fold


def make(rule: PromiseRule, entry: Entry) -> Making | None:
    """The promise that this touchpoint makes; None if it names no due time."""
    rule = rule.of(entry)
    due = rule.due(entry)
    if due is None:
        return None
    start = rule.start(entry)
    making = Making(rule, entry, due, rule.share_at(start, due, rule.at_risk))
    if rule.has_terms:
        terms = making.terms = Terms(
            None if rule.per is None else key_text(entry.fields.get(rule.per)), (due, due, due)
        )
        terms.warnings = rule.shares(start, due)
        if rule.has_clock:
            terms.clock = clocks.begin(rule.within, start)
        if rule.parts is not None:
            terms.needed = max(1.0, number(entry.fields.get(rule.parts)) or 1.0)
    return making


def judge(making: Making, watermark: Micros) -> Verdict:
    """What has become of a promise when all time up to `watermark` has been heard of.

    At the same instant meeting wins over cancelling, and both over the due time.
    """
    due, met, cancelled, terms = making.due, making.met, making.cancelled, making.terms
    if cancelled is not None and cancelled.time <= due and (met is None or met.time > cancelled.time):
        return _CANCELLED
    if met is not None:
        return _KEPT if met.time <= due else _MET_LATE
    if terms is not None and terms.clock is not None:
        watermark = clocks.reached(terms.clock, watermark)
    if watermark > due:
        return _BROKEN
    if watermark >= making.at_risk_at:
        return _AT_RISK
    return _MADE if terms is None or not terms.revisions else _REVISED


def forecast(making: Making, others: Limit, threshold: float) -> None:
    """Let a promise be at risk once it breaks with this probability, going by how long others took.

    Of those that have taken so long already, as many break as take longer than until the due time; what has taken longer
    than any other ever did is at risk too.
    """
    made, passed = making.entry.time, others.passed
    # of a hundred; what lasts longer than is known may last for ever
    longer = 100 - bisect_right(passed, making.due - made)
    reached = bisect_left(range(101), 100 - longer / threshold)
    if reached <= 0:
        making.at_risk_at = made
    elif reached <= len(passed):
        making.at_risk_at = made + passed[reached - 1]
    else:
        making.at_risk_at = making.due


def break_probability(making: Making, others: Limit) -> float:
    """How probable it was when a promise was made that it breaks."""
    return (100 - bisect_right(others.passed, making.due - making.entry.time)) / 100


def passed(making: Making, terms: Terms, status: PromiseStatus, watermark: Micros) -> Passed:
    """What has passed up to the watermark, or to what settled the promise before that."""
    until = watermark
    if status == "cancelled" and making.cancelled is not None:
        until = making.cancelled.time
    elif making.met is not None:
        until = making.met.time
    if terms.clock is not None:
        until = clocks.reached(terms.clock, until)
    warned = sum(1 for at in terms.warnings if at <= until)
    steps = making.rule.escalated(making.due, until) if status == "broken" else 0
    dues = sum(1 for due in terms.told if due < until) if terms.revisions else 0
    return Passed(warned, steps, dues, terms.changes)


def deadline(making: Making, watermark: Micros) -> Micros:
    """When time alone will change what was concluded of an unsettled promise last; not before 1970, when time begins."""
    status = making.status
    if status in ("made", "revised"):
        # it may have been due before it was made
        soonest = max(0, min(making.at_risk_at, making.due + 1))
    else:
        soonest = max(0, making.due + 1) if status == "at_risk" else NEVER
    terms = making.terms
    if terms is None:
        return soonest
    for at in terms.warnings:
        if watermark < at < soonest:
            soonest = at
    if terms.revisions:
        soonest = min([soonest, *[due + 1 for due in terms.told if due >= watermark]])
    if making.rule.steps:
        soonest = min(soonest, making.rule.next_step(making.due, watermark))
    return soonest if terms.clock is None else clocks.coming(terms.clock, soonest)


def _is_open(making: Making) -> bool:
    """Whether nothing has met or cancelled it."""
    cancelled = making.cancelled
    return making.met is None and (cancelled is None or cancelled.time > making.due)


def _concerns(per: str | None, making: Making) -> bool:
    """Whether a touchpoint that names this value of `per`, or none, is about the promise."""
    return per is None or making.terms is None or making.terms.per is None or making.terms.per == per


def _revise(making: Making, entry: Entry) -> None:
    """Another due time is told; after the one that decides has passed that is counted, and mends nothing."""
    rule, terms = making.rule, making.terms
    due = rule.due(entry)
    if due is None or terms is None:
        return
    terms.revisions += 1
    _note(terms, entry)
    if entry.time > making.due:
        return
    first, _, best = terms.told
    terms.told = (first, due, min(best, due))
    making.due = terms.told[rule.judged_by]
    start = rule.start(making.entry)
    making.at_risk_at = rule.share_at(start, making.due, rule.at_risk)
    terms.warnings = rule.shares(start, making.due)


def _set_clock(act: int, making: Making, entry: Entry) -> None:
    rule, terms = making.rule, making.terms
    if terms is None or terms.clock is None:
        return
    clock = terms.clock
    if act == PAUSE:
        if entry.time < making.due and clocks.pause(clock, rule.calendar, entry.time):
            _note(terms, entry)
        return
    if act == RESUME:
        if not clocks.resume(clock, entry.time):
            return
    elif clock.paused_at is None and entry.time > making.due:
        return
    else:
        clocks.reset(clock, rule.within, entry.time)
    _set_instants(making)
    _note(terms, entry)


def _settle(making: Making, entry: Entry) -> None:
    """A pause ends with what settles an open promise."""
    terms = making.terms
    if terms is None or terms.clock is None or not _is_open(making):
        return
    if clocks.resume(terms.clock, entry.time):
        _set_instants(making)
        terms.changes += 1


def _set_instants(making: Making) -> None:
    """Set the instants that lie ahead by a clock that runs again."""
    rule, terms = making.rule, making.terms
    if terms is None or terms.clock is None:
        return
    clock, target = terms.clock, rule.within
    making.due = clocks.due(clock, rule.calendar)
    terms.told = (terms.told[0], making.due, terms.told[2])
    making.at_risk_at = clocks.moved(clock, rule.calendar, target, rule.at_risk, making.at_risk_at)
    terms.warnings = [
        clocks.moved(clock, rule.calendar, target, share, at)
        for at, share in zip(terms.warnings, rule.warn_at, strict=True)
    ]


def _note(terms: Terms, entry: Entry) -> None:
    terms.words = [*terms.words[1 - WORDS :], (entry.source, entry.id)]
    terms.changes += 1


def _take_over(making: Making, kept: StoredMaking, fresh: Terms) -> None:
    """Let a restored promise stand as it stood; what its rule asks for since is as the making says."""
    terms = kept.terms
    assert terms is not None
    making.due, making.at_risk_at = kept.due, kept.at_risk_at
    fresh.told, fresh.revisions, fresh.changes = terms.told, terms.revisions, terms.changes
    fresh.brought, fresh.words = terms.brought, terms.words
    if terms.clock is not None and fresh.clock is not None:
        old = terms.clock
        fresh.clock = type(old)(
            old.started_at, old.runs_from, old.left, old.paused_at, old.paused, old.resets
        )
    if len(terms.warnings) == len(fresh.warnings):
        fresh.warnings = terms.warnings


def _copied(scope: Scope) -> Scope:
    return Scope(scope.met, scope.cancelled, scope.brought, scope.last, scope.paused_at)


def _earlier(one: Entry | None, other: Entry | None) -> Entry | None:
    """The one that comes first in trail order."""
    if one is None or other is None:
        return one or other
    return one if _order(one) <= _order(other) else other


def _order(entry: Entry) -> tuple[Any, ...]:
    return (entry.time, entry.sequence, entry.source, entry.id)
