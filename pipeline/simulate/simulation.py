"""A company's customers over some days: the records that its systems send, and the truth about them.

Both are pure functions of the arguments: the same seed gives the same bytes. Each customer lives through one
episode after another; an episode is told when its time comes, and its records wait in a heap until theirs.
Memory is thus bounded by the customers and their open matters, not by the days.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from heapq import heapify, heappop, heappush, heapreplace
from itertools import count, islice
from operator import itemgetter
from random import Random

from pipeline.core.instants import DAY, micros
from pipeline.core.messages import Micros
from pipeline.simulate.account import account
from pipeline.simulate.company import HOUR, PHONES, phone_number
from pipeline.simulate.episode import Episode, Outcomes
from pipeline.simulate.experience import Experience
from pipeline.simulate.faults import LATENESS, NO_FAULTS, Faults, SimulatedRecord, transmit
from pipeline.simulate.stories.aftercare import help_desk
from pipeline.simulate.stories.machines import machine
from pipeline.simulate.stories.outreach import lead, offer, sighting
from pipeline.simulate.stories.shopping import shop
from pipeline.simulate.tangles import NO_TANGLES, Tangles
from pipeline.simulate.truth import Run, Truth

DEFAULT_START = datetime(2026, 3, 2, tzinfo=UTC)
"""A literal, so that a run can be repeated."""

TICK_EVERY: Micros = HOUR

_STORIES: tuple[tuple[float, Callable[[Episode], None]], ...] = (
    (0.65, shop),
    (0.80, offer),
    (0.93, help_desk),
    (0.98, lead),
    (1.00, sighting),
)
"""Each with the share of episodes up to and including it."""

_EPISODES_BY_HOUR = (1, 1, 1, 1, 1, 1, 2, 4, 6, 8, 9, 9, 9, 8, 8, 8, 9, 10, 12, 14, 14, 11, 7, 3)
_HOURS = tuple(hour for hour, episodes in enumerate(_EPISODES_BY_HOUR) for _ in range(episodes))
_GAP_DAYS = 6.5
"""Mean of the exponential part of the days between a customer's episodes, which then average seven."""

_NEVER_ENDS: Micros = 2**62
_SCHEDULE = 255
"""Takes the place of the attempt in the seed of an episode's start,"""
_TANGLED = 254
"""in that of whether it is tangled,"""
_ON_CONTRACT = 253
"""and in that of whether it is of a machine on a contract: so every other episode is the same without these."""
_CONTRACTS = 0.05
"""The share of the episodes that are."""

_by_arrival = itemgetter(0)


@dataclass(frozen=True)
class Simulation:
    """`customers` over `days` from `start`. Raises ValueError for a naive start and numbers out of range."""

    seed: int = 7
    customers: int = 2000
    days: float = 14
    start: datetime = DEFAULT_START
    faults: Faults = field(default_factory=Faults)
    outcomes: Outcomes = field(default_factory=Outcomes)
    tangles: Tangles = field(default_factory=Tangles)

    def __post_init__(self) -> None:
        if self.start.tzinfo is None:
            raise ValueError(f"start has to name its offset, such as 2026-03-02T00:00:00Z, not {self.start}")
        if self.seed < 0 or not 0 < self.customers < 2**24 or self.days <= 0:
            raise ValueError("seed has to be at least 0, customers between 1 and 16777215, days above 0")

    @property
    def end(self) -> datetime:
        """The instant as of which the truth holds; no touchpoint is later."""
        return self.start + timedelta(days=self.days)

    def records(self) -> Iterator[SimulatedRecord]:
        """All records and ticks in order of arrival; the last is a tick to the end."""
        end = micros(self.end)
        last = tick = micros(self.start)
        for record in self.stream(end):
            while record.arrival >= tick + TICK_EVERY:
                tick += TICK_EVERY
                yield _tick(tick, min(tick - LATENESS, end))
            last = record.arrival
            yield record
        yield _tick(max(last, end), end)

    def truth(self) -> Iterator[Truth]:
        """What must be found once all records have been read and time has reached `end`."""
        end = micros(self.end)
        yield Run(self.seed, self.customers, self.start, self.end)
        experience = self._experience(end)
        for episode in self._episodes(end):
            yield from account(episode, transmit(episode, self.faults, end), end, experience)

    def _experience(self, end: Micros) -> Experience:
        """What is learned of all episodes, which are told once for that: what holds of one depends on the others."""
        experience = Experience()
        for episode in self._episodes(end):
            for stay in episode.stays(end):
                experience.add(stay)
        return experience

    def stream(self, end: Micros) -> Iterator[SimulatedRecord]:
        """The records of all touchpoints up to `end`, in order of arrival, without ticks."""
        waiting: _Waiting = []
        ties = count()
        for episode in self._episodes(end):
            yield from _due(waiting, episode.start)
            records = transmit(episode, self.faults, end).records
            records.sort(key=_by_arrival, reverse=True)
            heappush(waiting, (records[-1].arrival, next(ties), records))
        yield from _due(waiting, _NEVER_ENDS)

    def _episodes(self, end: Micros) -> Iterator[Episode]:
        """All episodes that begin before the end, in order of their start."""
        rng = Random()  # noqa: S311 - chance, not secrecy
        starts = [(self._start_of(rng, customer, 0, 0), customer, 0) for customer in range(self.customers)]
        heapify(starts)
        while starts[0][0] < end:
            start, customer, number = starts[0]
            yield self._episode(rng, customer, number, start, end)
            heapreplace(starts, (self._start_of(rng, customer, number + 1, start), customer, number + 1))

    def _start_of(self, rng: Random, customer: int, number: int, previous: Micros) -> Micros:
        rng.seed(self._seed_of(customer, number, _SCHEDULE))
        hour = _HOURS[int(rng.random() * len(_HOURS))] * HOUR + int(rng.random() * HOUR)
        if number:
            return previous - previous % DAY + DAY * (1 + int(rng.expovariate(1 / _GAP_DAYS))) + hour
        begin = micros(self.start)
        first = begin - begin % DAY + DAY * int(rng.random() * _GAP_DAYS) + hour
        return first if first >= begin else first + DAY

    def _episode(self, rng: Random, customer: int, number: int, start: Micros, end: Micros) -> Episode:
        """Told anew until nothing in it hangs on a moment."""
        tag = f"{self.seed}.{customer}.{number}"
        phone = phone_number(customer) if customer < PHONES else None
        rng.seed(self._seed_of(customer, number, _TANGLED))
        tangled = self.tangles.pick(rng.random())
        rng.seed(self._seed_of(customer, number, _ON_CONTRACT))
        on_contract = rng.random() < _CONTRACTS
        for attempt in range(_ON_CONTRACT):
            rng.seed(self._seed_of(customer, number, attempt))
            episode = Episode(rng, tag, f"C-{self.seed}.{customer}", start, self.outcomes, phone)
            share = rng.random()
            if tangled is not None:
                episode.tangle, story = tangled
            else:
                story = machine if on_contract else next(each for up_to, each in _STORIES if share < up_to)
            story(episode)
            if episode.is_clear(end):
                return episode
        raise AssertionError(f"episode {tag} cannot be told clearly")

    def _seed_of(self, customer: int, number: int, attempt: int) -> int:
        return ((self.seed << 24 | customer) << 24 | number) << 8 | attempt


def workload(customers: int, touchpoints: int, seed: int = 7) -> Iterator[SimulatedRecord]:
    """`touchpoints` good records in order, once each, and a tick to the last: what speed is measured with."""
    last = micros(DEFAULT_START)
    simulation = Simulation(seed, customers, faults=NO_FAULTS, tangles=NO_TANGLES)
    for record in islice(simulation.stream(_NEVER_ENDS), touchpoints):
        last = record.arrival
        yield record
    yield _tick(last, last)


_Waiting = list[tuple[Micros, int, list[SimulatedRecord]]]
"""A heap of episodes by their next arrival; their records are sorted backwards."""


def _due(waiting: _Waiting, until: Micros) -> Iterator[SimulatedRecord]:
    while waiting and waiting[0][0] < until:
        _, tie, records = waiting[0]
        yield records.pop()
        if records:
            heapreplace(waiting, (records[-1].arrival, tie, records))
        else:
            heappop(waiting)


def _tick(arrival: Micros, tick: Micros) -> SimulatedRecord:
    return SimulatedRecord(arrival, "", None, b"", (), tick)
