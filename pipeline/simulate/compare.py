"""Holds what Throughline found against what the simulator put in.

In: the truth (`Simulation.truth()` or `read_truth`) and what was found, as plain tuples. Out: one row per
category: injected, found, missed, extra. An exact run has no missed and no extra. Order never matters.
Everything is compared by value: a promise found with another status is missed in one row, extra in another.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from pipeline.simulate.truth import DeadLetterTruth, PromiseTruth, StallTruth, TouchpointTruth, Truth

CATEGORIES = (
    "touchpoints",
    "persons",
    "promises",
    "stalls",
    "duplicates",
    "disorder",
    "unmapped",
    "dead letters",
)
"""In the order of the table."""


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


class FoundStall(NamedTuple):
    """The last revision of a stall finding that was not withdrawn."""

    stage: str
    journey_key: str
    status: str
    entered_at: datetime
    since: datetime
    left_at: datetime | None


class FoundDeadLetter(NamedTuple):
    """A dead letter; `fingerprint` is `truth.fingerprint` of its value."""

    code: str
    fingerprint: str


@dataclass(frozen=True)
class Found:
    """All that was found. `duplicates` counts the records that were refused as repeated."""

    touchpoints: Iterable[FoundTouchpoint] = ()
    promises: Iterable[FoundPromise] = ()
    stalls: Iterable[FoundStall] = ()
    dead_letters: Iterable[FoundDeadLetter] = ()
    duplicates: int = 0


class Row(NamedTuple):
    """One line of the table; `label` says which part of the category."""

    category: str
    label: str
    injected: int
    found: int
    missed: int
    extra: int


@dataclass
class _Bag:
    """Things by (category, label), each counted as often as it occurs."""

    labels: dict[tuple[str, str], Counter[Hashable]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, category: str, label: str, thing: Hashable, times: int = 1) -> None:
        self.labels[category, label][thing] += times


def compare(truth: Iterable[Truth], found: Found) -> list[Row]:
    """The table, by category and label; a label occurs when it was injected or found."""
    put_in = _injected(truth)
    got = _found(found, put_in)
    labels = sorted({*put_in.labels, *got.labels}, key=_order)
    return [_row(*label, put_in.labels[label], got.labels[label]) for label in labels]


_LABELS = ("made", "at_risk", "kept", "met_late", "broken", "cancelled", "opened", "resolved")


def _order(label: tuple[str, str]) -> tuple[int, int, str]:
    category, name = label
    return CATEGORIES.index(category), _LABELS.index(name) if name in _LABELS else len(_LABELS), name


def _row(category: str, label: str, injected: Counter[Hashable], found: Counter[Hashable]) -> Row:
    agreed = (injected & found).total()
    return Row(category, label, injected.total(), agreed, injected.total() - agreed, found.total() - agreed)


def _injected(truth: Iterable[Truth]) -> _Bag:
    bag = _Bag()
    persons = _Persons()
    for line in truth:
        match line:
            case TouchpointTruth():
                persons.add(line.person, (line.source, line.id))
                _add_touchpoint(bag, line)
            case PromiseTruth():
                promise = (line.rule, line.journey_key, line.made_at, line.due_at, line.met_at)
                bag.add("promises", line.status, promise)
            case StallTruth():
                stall = (line.stage, line.journey_key, line.entered_at, line.since, line.left_at)
                bag.add("stalls", line.status, stall)
            case DeadLetterTruth():
                bag.add("dead letters", line.code, line.fingerprint)
    persons.put_into(bag)
    return bag


def _add_touchpoint(bag: _Bag, line: TouchpointTruth) -> None:
    key = (line.source, line.id)
    bag.add("touchpoints", "", key)
    if line.copies:
        bag.add("duplicates", "", None, line.copies)
    if line.arrival != "prompt":
        bag.add("disorder", line.arrival, key)
    if not line.mapped:
        bag.add("unmapped", "", key)


def _found(found: Found, put_in: _Bag) -> _Bag:
    bag = _Bag()
    persons = _Persons()
    # whether a touchpoint came late is no property of what was found: it counts as found where it was applied
    disorder = {label: things for label, things in put_in.labels.items() if label[0] == "disorder"}
    for touchpoint in found.touchpoints:
        key = (touchpoint.source, touchpoint.id)
        bag.add("touchpoints", "", key)
        persons.add(touchpoint.person_id, key)
        if not touchpoint.mapped:
            bag.add("unmapped", "", key)
        for label, things in disorder.items():
            if key in things:
                bag.add(*label, key)
    persons.put_into(bag)
    for promise in found.promises:
        late = promise.status == "broken" and promise.met_at is not None
        thing = (promise.rule, promise.journey_key, promise.made_at, promise.due_at, promise.met_at)
        bag.add("promises", "met_late" if late else promise.status, thing)
    for stall in found.stalls:
        bag.add("stalls", stall.status, (stall.stage, stall.journey_key, *stall[3:]))
    for letter in found.dead_letters:
        bag.add("dead letters", letter.code, letter.fingerprint)
    if found.duplicates:
        bag.add("duplicates", "", None, found.duplicates)
    return bag


class _Persons:
    """Persons as sets of touchpoints: two stitchings agree where they hold the same touchpoints together."""

    def __init__(self) -> None:
        self._touchpoints: dict[str, list[tuple[str, str]]] = defaultdict(list)

    def add(self, person: str, touchpoint: tuple[str, str]) -> None:
        self._touchpoints[person].append(touchpoint)

    def put_into(self, bag: _Bag) -> None:
        for touchpoints in self._touchpoints.values():
            bag.add("persons", "", hash(frozenset(touchpoints)))
