"""One matter of one customer: its touchpoints, and what they are meant to add up to.

A story (`stories`) gets an `Episode` and tells it: `tell` adds a touchpoint, `promise` and `visit` note what
the touchpoints amount to. Everything that a story draws comes from the episode's own seeded generator, so an
episode depends on nothing but (seed, customer, number).

Identifiers of a touchpoint are told strongest first. The first one attributes it; the others of a reference
kind are claimed by the first one, and the earliest claim owns a reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from pipeline.core.messages import Micros
from pipeline.simulate.company import SOURCES
from pipeline.simulate.plans import Journey, PlannedPromise, PlannedVisit

Identities = dict[str, str]
Data = dict[str, object]
T = TypeVar("T")

_REFERENCES = frozenset({"order_id", "ticket_id", "parcel_id", "session_id"})


@dataclass(slots=True, frozen=True)
class Outcomes:
    """How often what is meant to happen does not. Shares of one.

    `late`: a promise is met after its due time; `never`: not at all; `stuck`: a stage outlasts its limit,
    beyond what late promises cause by themselves; `dropped`: a promise is cancelled.
    """

    late: float = 0.08
    never: float = 0.02
    stuck: float = 0.06
    dropped: float = 0.04


@dataclass(slots=True)
class Event:
    """A touchpoint to be sent; `id` is unique within its source."""

    time: Micros
    type: str
    id: str
    identities: Identities
    data: Data
    outcome: str | None

    @property
    def source(self) -> str:
        return SOURCES[self.type.partition(".")[0]]


class Episode:
    """`customer` is the customer number; `tag` is the episode's own, part of every identifier made in it."""

    def __init__(self, rng: Random, tag: str, customer: str, start: Micros, outcomes: Outcomes) -> None:
        self.rng = rng
        self.tag = tag
        self.customer = customer
        self.start = start
        self.outcomes = outcomes
        self.events: list[Event] = []
        self.promises: list[PlannedPromise] = []
        self.visits: list[PlannedVisit] = []
        self._named = 0

    # telling

    def tell(
        self, time: Micros, type_: str, identities: Identities, data: Data, outcome: str | None = None
    ) -> Micros:
        """Add a touchpoint; returns its time."""
        self.events.append(Event(time, type_, f"{self.tag}-{len(self.events)}", identities, data, outcome))
        return time

    def promise(
        self,
        rule: str,
        journey: Journey,
        made: Micros,
        due: Micros,
        *,
        met: Micros | None,
        cancelled: Micros | None = None,
    ) -> None:
        self.promises.append(PlannedPromise(rule, journey, made, due, met, cancelled))

    def visit(
        self, stage: str, journey: Journey, entered: Micros, left: Micros | None, limit: Micros
    ) -> None:
        self.visits.append(PlannedVisit(stage, journey, entered, left, limit))

    def name(self, letter: str) -> str:
        """A new number for an order, a parcel, a ticket, …"""
        self._named += 1
        return f"{letter}-{self.tag}-{self._named}"

    # drawing

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def between(self, least: Micros, most: Micros) -> Micros:
        return least + int(self.rng.random() * (most - least))

    def wait(self, median: Micros, most: Micros) -> Micros:
        """A duration with a long tail, cut at `most`."""
        return min(int(median * self.rng.lognormvariate(0.0, 0.8)), most - self.between(0, most // 8))

    def within(self, limit: Micros) -> Micros | None:
        """How long what was promised takes: mostly within the limit, sometimes longer, None for ever."""
        draw = self.rng.random()
        if draw < self.outcomes.never:
            return None
        if draw < self.outcomes.never + self.outcomes.late:
            return limit + self.wait(limit // 3, 4 * limit)
        return self.wait(limit // 6, limit * 9 // 10)

    def lasts(self, limit: Micros) -> Micros | None:
        """How long a stage lasts: mostly within its limit, sometimes longer, None for ever."""
        draw = self.rng.random()
        if draw < self.outcomes.never:
            return None
        if draw < self.outcomes.never + self.outcomes.stuck:
            return limit + self.wait(limit // 2, 2 * limit)
        return self.wait(limit // 4, limit * 9 // 10)

    def aimed(self, made: Micros, met: Micros, *, slack: Micros) -> Micros:
        """When a promise that is met at `met` is due: mostly up to `slack` later, sometimes before."""
        if self.chance(self.outcomes.late):
            return made + int((met - made) * (0.5 + 0.4 * self.rng.random()))
        return met + self.between(slack // 20, slack)

    def pick(self, choices: Sequence[T]) -> T:
        return choices[int(self.rng.random() * len(choices))]

    # what it comes to

    def is_clear(self, end: Micros) -> bool:
        """Whether no outcome hangs on a moment (see `plans`) or on the order of simultaneous touchpoints."""
        if len({event.time for event in self.events}) < len(self.events):
            return False
        return all(plan.is_clear(end) for plan in self._plans())

    def _plans(self) -> Iterator[PlannedPromise | PlannedVisit]:
        yield from self.promises
        yield from self.visits

    def persons(self, end: Micros) -> Iterator[tuple[Event, str]]:
        """Each touchpoint up to the end and whose it is by the links until then, as `kind:value`."""
        told = [event for event in self.events if event.time <= end]
        owners = _owners(told)
        for event in told:
            kind, value = next(iter(event.identities.items()))
            while (kind, value) in owners:
                kind, value = owners[kind, value]
            yield event, f"{kind}:{value.lower() if kind == 'email' else value}"


def _owners(events: list[Event]) -> dict[tuple[str, str], tuple[str, str]]:
    owners: dict[tuple[str, str], tuple[str, str]] = {}
    for event in sorted(events, key=lambda event: event.time):
        strongest, *others = event.identities.items()
        for identifier in others:
            if identifier[0] in _REFERENCES:
                owners.setdefault(identifier, strongest)
    return owners
