"""One matter of one customer: its touchpoints, and what they are meant to add up to.

A story (`stories`) gets an `Episode` and tells it: `tell` adds a touchpoint, `promise`, `figure` and `visit` note
what the touchpoints amount to, `own`, `refuse` and `burst` who is who. Everything that a story draws comes from the
episode's own seeded generator, so an episode depends on nothing but (seed, customer, number).

Identifiers of a touchpoint are told strongest first. The first one attributes it; the others of a reference
kind are claimed by the first one, and the earliest claim owns a reference. A personal identifier is its own
person unless the story says whose it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from random import Random
from typing import TypeVar

from pipeline.core.messages import Micros
from pipeline.simulate.clocks import PLAIN, Act, Terms, Word
from pipeline.simulate.company import SOURCES
from pipeline.simulate.experience import Stay
from pipeline.simulate.figures import FigureTerms, PlannedFigure, Said
from pipeline.simulate.plans import (
    Identifier,
    Journey,
    PlannedBurst,
    PlannedOwner,
    PlannedRefusal,
    named,
)
from pipeline.simulate.standings import PlannedPromise
from pipeline.simulate.truth import LinkRule, Tangle
from pipeline.simulate.visits import PlannedVisit

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
    """`customer` is the customer number; `tag` is the episode's own, part of every identifier made in it. `phone` is the
    customer's in every episode, if there is one.

    `me`: by what the company knows whoever acts, strongest first; the customer number unless a story says otherwise.
    """

    def __init__(
        self,
        rng: Random,
        tag: str,
        customer: str,
        start: Micros,
        outcomes: Outcomes,
        phone: str | None = None,
    ) -> None:
        self.rng = rng
        self.tag = tag
        self.customer = customer
        self.me: Identities = {"customer_id": customer}
        self.phone = phone
        self.tangle: Tangle | None = None
        self.start = start
        self.outcomes = outcomes
        self.events: list[Event] = []
        self.promises: list[PlannedPromise] = []
        self.figures: list[PlannedFigure] = []
        self.visits: list[PlannedVisit] = []
        self.owners: list[PlannedOwner] = []
        self.refusals: list[PlannedRefusal] = []
        self.bursts: list[PlannedBurst] = []
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
        met: Micros | None = None,
        cancelled: Micros | None = None,
        terms: Terms = PLAIN,
        words: Sequence[Word] = (),
        started: Micros | None = None,
        per: str | None = None,
        parts: int = 0,
        segment: str | None = None,
    ) -> None:
        """`words` are what else its journey says to it, in any order; see `PlannedPromise`."""
        settling = [(met, Act.MEET), (cancelled, Act.CANCEL)]
        said = [*words, *(Word(time, act) for time, act in settling if time is not None)]
        said.sort(key=attrgetter("time"))
        self.promises.append(
            PlannedPromise(rule, journey, made, due, tuple(said), terms, started, per, parts, segment)
        )

    def figure(
        self,
        rule: str,
        journey: Journey,
        made: Micros,
        promised: float | tuple[float, float],
        said: Sequence[Said],
        terms: FigureTerms,
        *,
        per: str | None = None,
    ) -> None:
        """`promised` is one figure, or the two of a range; `said` in any order. See `PlannedFigure`."""
        low, high = promised if isinstance(promised, tuple) else (promised, promised)
        ordered = tuple(sorted(said, key=attrgetter("time")))
        self.figures.append(PlannedFigure(rule, journey, made, low, high, ordered, terms, per))

    def visit(
        self,
        stage: str,
        journey: Journey,
        entered: Micros,
        left: Micros | None,
        limit: Micros,
        *,
        terms: Terms = PLAIN,
        words: Sequence[Word] = (),
        gives_up: bool = False,
        segment: str | None = None,
    ) -> None:
        """`words` are what else its journey says, in any order; see `PlannedVisit`."""
        said = tuple(sorted(words, key=attrgetter("time")))
        self.visits.append(PlannedVisit(stage, journey, entered, left, limit, terms, said, gives_up, segment))

    def own(self, owner: Identities, what: Identities, since: Micros, until: Micros | None = None) -> None:
        """The strongest identifier of `what` is the owner's from `since` on."""
        self.owners.append(PlannedOwner(strongest(what), strongest(owner), since, until))

    def refuse(self, rule: LinkRule, one: Identities, other: Identities, since: Micros) -> None:
        self.refusals.append(PlannedRefusal(rule, strongest(one), strongest(other), since))

    def burst(self, first: Micros, last: Micros) -> None:
        self.bursts.append(PlannedBurst(first, last))

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

    def stays(self, end: Micros) -> Iterator[Stay]:
        """What others may learn from, as it stands at the end."""
        yield from filter(None, (promise.stay(end) for promise in self.promises))
        yield from filter(None, (visit.stay(end) for visit in self.visits))

    def _plans(self) -> Iterator[PlannedPromise | PlannedFigure | PlannedVisit | PlannedBurst]:
        yield from self.promises
        yield from self.figures
        yield from self.visits
        yield from self.bursts

    def persons(self, end: Micros) -> Iterator[tuple[Event, str]]:
        """Each touchpoint up to the end and whose it is by the links until then, as `kind:value`."""
        owners = self._owners_at(end)
        for event in self._told(end):
            yield event, _person(strongest(event.identities), owners)

    def identifiers(self, end: Micros) -> Iterator[tuple[str, str]]:
        """Each personal identifier that was told by then, once, and whose it is; both as `kind:value`."""
        owners = self._owners_at(end)
        told = (identifier for event in self._told(end) for identifier in event.identities.items())
        for identifier in dict.fromkeys(told):
            if identifier[0] not in _REFERENCES:
                yield named(identifier), _person(identifier, owners)

    def _told(self, end: Micros) -> list[Event]:
        return [event for event in self.events if event.time <= end]

    def _owners_at(self, end: Micros) -> dict[Identifier, Identifier]:
        owners: dict[Identifier, Identifier] = {}
        for event in sorted(self._told(end), key=lambda event: event.time):
            first, *others = event.identities.items()
            for identifier in others:
                if identifier[0] in _REFERENCES:
                    owners.setdefault(identifier, first)
        owners.update((plan.identifier, plan.owner) for plan in self.owners if plan.holds_at(end))
        return owners


def strongest(identities: Identities) -> Identifier:
    return next(iter(identities.items()))


def _person(identifier: Identifier, owners: dict[Identifier, Identifier]) -> str:
    while identifier in owners:
        identifier = owners[identifier]
    return named(identifier)
