"""How an episode's touchpoints reach Kafka: mostly at once and once, some late, some twice, bad ones between.

In: a told episode. Out: its records with their instants of arrival, and notes of what was done to them, from
which the truth is told. Only touchpoints up to the end are sent; a bad record is always a spoilt copy beside
the good one, so that it takes nothing away.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.core.instants import DAY, MINUTE, SECOND
from pipeline.core.messages import Micros
from pipeline.simulate.bad_records import SPOILERS
from pipeline.simulate.episode import Episode, Event
from pipeline.simulate.truth import Arrival, DeadLetterTruth, fingerprint
from pipeline.simulate.wire import Headers, binary, structured

LATENESS: Micros = 10 * MINUTE
"""How far behind its source's newest a touchpoint may come without being late: the settings' default."""

_LATEST = DAY
_AHEAD = 90 * SECOND
_DISORDER = 7 * MINUTE
_AGAIN = 2 * MINUTE
"""Together within the lateness, so that a disordered touchpoint's duplicate is not late either."""


@dataclass(frozen=True, slots=True)
class Faults:
    """How much goes wrong on the way, and how much comes another way. Shares of all touchpoints.

    `duplicates` come again, byte for byte; `disordered` come up to seven minutes after their time; `late` up
    to a day, beyond the lateness bound; `ahead` are stamped by a clock up to a minute and a half fast; `bad`
    are followed by a record that has to be refused. `binary` are in CloudEvents' binary mode: no fault.
    """

    duplicates: float = 0.01
    disordered: float = 0.03
    late: float = 0.004
    ahead: float = 0.005
    bad: float = 0.003
    binary: float = 0.05


NO_FAULTS = Faults(duplicates=0, disordered=0, late=0, ahead=0, bad=0, binary=0)


class SimulatedRecord(NamedTuple):
    """A record to be produced, or a tick.

    `arrival` in microseconds since 1970 UTC; `domain` names the topic `touchpoints.<domain>`. A tick has
    neither domain nor value and is for every partition of every source: nothing before the instant `tick` is
    still to come, except what is late on purpose.
    """

    arrival: Micros
    domain: str
    key: bytes | None
    value: bytes
    headers: Headers = ()
    tick: Micros | None = None


class Note(NamedTuple):
    """What was done to a touchpoint; `copies` beyond the first."""

    event: Event
    arrival: Arrival
    copies: int


@dataclass(slots=True)
class Transmission:
    records: list[SimulatedRecord] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    refused: list[DeadLetterTruth] = field(default_factory=list)


def transmit(episode: Episode, faults: Faults, end: Micros) -> Transmission:
    """Everything of `episode` up to `end`, in no particular order."""
    sent = Transmission()
    for event in episode.events:
        if event.time <= end:
            _send(sent, episode, event, faults)
    return sent


def _send(sent: Transmission, episode: Episode, event: Event, faults: Faults) -> None:
    draw = episode.rng.random
    domain = event.type.partition(".")[0]
    key = next(iter(event.identities.values())).encode()
    value, headers = binary(event) if draw() < faults.binary else structured(event)
    manner, at = _arrive(episode, event.time, faults)
    record = SimulatedRecord(at, domain, key, value, headers)
    sent.records.append(record)
    copies = 0
    while draw() < faults.duplicates:
        copies += 1
        sent.records.append(record._replace(arrival=at + episode.between(SECOND, _AGAIN)))
    sent.notes.append(Note(event, manner, copies))
    if draw() < faults.bad:
        spoiler = episode.pick(SPOILERS)
        value, headers = spoiler.spoil(event)
        sent.records.append(SimulatedRecord(at, domain, key, value, headers))
        sent.refused.append(DeadLetterTruth(spoiler.code, domain, fingerprint(value)))


def _arrive(episode: Episode, time: Micros, faults: Faults) -> tuple[Arrival, Micros]:
    draw = episode.rng.random()
    if draw < faults.late:
        return "late", time + episode.between(2 * LATENESS, _LATEST)
    draw -= faults.late
    if draw < faults.disordered:
        return "disordered", time + episode.between(MINUTE, _DISORDER)
    if draw < faults.disordered + faults.ahead:
        return "prompt", max(episode.start, time - episode.between(SECOND, _AHEAD))
    return "prompt", time + episode.between(SECOND // 20, 2 * SECOND)
