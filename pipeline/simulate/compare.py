"""Holds what Throughline found against what the simulator put in.

In: the truth (`Simulation.truth()` or `read_truth`) and what was found, as plain tuples. Out: one row per
category: injected, found, missed, extra. An exact run has no missed and no extra. Order never matters.
Everything is compared by value: a promise found with another status, or at a person who holds other touchpoints than
it should, is missed and extra.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import NamedTuple

from pipeline.simulate.bags import Bag, add_promise, add_stall, add_value
from pipeline.simulate.found import Found
from pipeline.simulate.truth import (
    DeadLetterTruth,
    IdentifierTruth,
    PromiseTruth,
    RefusedLinkTruth,
    StallTruth,
    TouchpointTruth,
    Truth,
    ValueTruth,
)

CATEGORIES = (
    "touchpoints",
    "persons",
    "tangled",
    "links refused",
    "promises",
    "dates",
    "parts",
    "forecasts",
    "figures",
    "stalls",
    "limits",
    "clocks",
    "warnings",
    "escalation",
    "duplicates",
    "disorder",
    "unmapped",
    "dead letters",
)
"""In the order of the table."""

_Owned = PromiseTruth | ValueTruth | StallTruth | IdentifierTruth

CHAINED, IN_PIECES = "chained together", "in pieces"
"""Persons found that are several in truth, and persons that are several as found: there must be none."""


class Row(NamedTuple):
    """One line of the table; `label` says which part of the category."""

    category: str
    label: str
    injected: int
    found: int
    missed: int
    extra: int

    @property
    def is_exact(self) -> bool:
        return not (self.missed or self.extra)


def compare(truth: Iterable[Truth], found: Found) -> list[Row]:
    """The table, by category and label; a label occurs when it was injected or found, or must not be."""
    put_in = _injected(truth)
    got = _found(found, put_in)
    for label, one, other in ((CHAINED, got, put_in), (IN_PIECES, put_in, got)):
        got.labels["persons", label] = Counter(one.persons.spread(other.persons))
    labels = sorted({*put_in.labels, *got.labels}, key=_order)
    return [_row(*label, put_in.labels[label], got.labels[label]) for label in labels]


def injected(truth: Iterable[Truth]) -> list[tuple[str, str, int]]:
    """Category, label, and how much of it is to be found."""
    put_in = _injected(truth).labels
    return [(*label, put_in[label].total()) for label in sorted(put_in, key=_order)]


_PROMISES = ("made", "revised", "at_risk", "kept", "met_late", "broken", "cancelled")
_STALLS = ("opened", "escalated", "resolved", "abandoned")
_CLOCKS = ("paused", "standing still", "begun anew", "started earlier")
_DATES = ("brought forward", "put off", "told too late")
_FIGURES = ("exceeded", "lapsed")
_LABELS = (*_PROMISES, *_FIGURES, *_DATES, *_STALLS, *_CLOCKS)


def _order(label: tuple[str, str]) -> tuple[int, int, str]:
    category, name = label
    return CATEGORIES.index(category), _LABELS.index(name) if name in _LABELS else len(_LABELS), name


def _row(category: str, label: str, injected: Counter[Hashable], found: Counter[Hashable]) -> Row:
    agreed = (injected & found).total()
    return Row(category, label, injected.total(), agreed, injected.total() - agreed, found.total() - agreed)


def _injected(truth: Iterable[Truth]) -> Bag:
    bag = Bag()
    owned: list[_Owned] = []
    for line in truth:
        match line:
            case TouchpointTruth():
                _add_touchpoint(bag, line)
            case RefusedLinkTruth():
                bag.add("links refused", line.rule, None)
            case DeadLetterTruth():
                bag.add("dead letters", line.code, line.fingerprint)
            case PromiseTruth() | ValueTruth() | StallTruth() | IdentifierTruth():
                owned.append(line)
    # these say whose they are, and who that is, is told by all touchpoints
    for line in owned:
        _add_owned(bag, line)
    for held in bag.persons.marks():
        bag.add("persons", "", held)
    return bag


def _add_touchpoint(bag: Bag, line: TouchpointTruth) -> None:
    key = (line.source, line.id)
    bag.persons.add(line.person, key)
    bag.add("touchpoints", "", key)
    if line.copies:
        bag.add("duplicates", "", None, line.copies)
    if line.arrival != "prompt":
        bag.add("disorder", line.arrival, key)
    if not line.mapped:
        bag.add("unmapped", "", key)


def _add_owned(bag: Bag, line: _Owned) -> None:
    whose = bag.persons.mark(line.person)
    match line:
        case PromiseTruth():
            add_promise(bag, line.status, line, whose)
        case ValueTruth():
            add_value(bag, line, whose)
        case StallTruth():
            add_stall(bag, line, whose)
        case IdentifierTruth():
            if line.tangle is not None:
                # a person, however many identifiers tell of it
                bag.labels["tangled", line.tangle][whose] = 1


def _found(found: Found, put_in: Bag) -> Bag:
    bag = Bag()
    # whether a touchpoint came late is no property of what was found: it counts as found where it was applied
    disorder = {label: things for label, things in put_in.labels.items() if label[0] == "disorder"}
    for touchpoint in found.touchpoints:
        key = (touchpoint.source, touchpoint.id)
        bag.add("touchpoints", "", key)
        bag.persons.add(touchpoint.person_id, key)
        if not touchpoint.mapped:
            bag.add("unmapped", "", key)
        for label, things in disorder.items():
            if key in things:
                bag.add(*label, key)
    _find_conclusions(bag, found)
    for letter in found.dead_letters:
        bag.add("dead letters", letter.code, letter.fingerprint)
    if found.duplicates:
        bag.add("duplicates", "", None, found.duplicates)
    for rule, count in found.refused_links.items():
        bag.add("links refused", rule, None, count)
    _find_persons(bag, put_in)
    return bag


def _find_conclusions(bag: Bag, found: Found) -> None:
    for promise in found.promises:
        is_late = promise.status == "broken" and promise.met_at is not None
        status = "met_late" if is_late else promise.status
        add_promise(bag, status, promise, bag.persons.mark(promise.person_id))
    for value in found.values:
        add_value(bag, value, bag.persons.mark(value.person_id))
    for stall in found.stalls:
        add_stall(bag, stall, bag.persons.mark(stall.person_id))


def _find_persons(bag: Bag, put_in: Bag) -> None:
    held = set(bag.persons.marks())
    for each in bag.persons.marks():
        bag.add("persons", "", each)
    # likewise: that somebody was hard to know is seen by nobody who does
    for (category, tangle), tangled in put_in.labels.items():
        if category == "tangled":
            bag.labels[category, tangle] = Counter({each: 1 for each in tangled if each in held})
