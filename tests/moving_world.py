"""A seeded world of persons whose touchpoints move, as the pipeline publishes it, and every answer that a warehouse gives.

What is published waits in logs, one a topic partition, until it is delivered to sinks, in any order between partitions, as
the warehouse stage reads them; the end of a log may be delivered once more, as after a crash.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from published_records import (
    TOPOLOGY,
    Consumed,
    at,
    journey,
    override,
    person,
    promise,
    stall,
    touchpoint,
)
from pydantic import BaseModel

from pipeline.core.plan import compile_plan
from pipeline.topology import Topology
from pipeline.warehouse.buckets import AGGREGATES, BucketSink
from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.queries import persons_of, slowest_stages, stuck_customers, time_line
from pipeline.warehouse.sink import WarehouseSink
from pipeline.warehouse.summary import summary
from schemas.journey_map import JourneyMap

PERSONS = [UUID(int=0x80008000000000000000 | n) for n in range(1, 6)]
IDENTIFIERS = [f"cookie:{n}" for n in range(4)]
START, END = at("2018-04-29 00:00"), at("2018-06-01 00:00")
HOURS = 96
"""From the start: in two months."""
MAP = {
    "name": "none",
    "touchpoints": {"fulfilment.parcel.handed_over": {"owner": "logistics"}},
    "journeys": {},
}
_PARTITIONS = 3


class Sinks:
    """The two sinks of one warehouse, without a rest."""

    def __init__(self, warehouse: Warehouse, topology: Topology = TOPOLOGY) -> None:
        self._touched: dict[bytes, None] = {}
        self._sink = WarehouseSink(
            warehouse, topology, lambda keys: self._touched.update(dict.fromkeys(keys)), _refuse
        )
        self._buckets = BucketSink(warehouse, _refuse)

    def write(self, records: Sequence[Consumed]) -> None:
        """Store them, and recompute every bucket that was ever touched."""
        self._sink.write(records)
        self._buckets.write(
            [Consumed(TOPOLOGY.buckets, n, b"", key=key) for n, key in enumerate(self._touched)]
        )


def _refuse(_: object, reason: str) -> None:
    pytest.fail(reason)


class MovingWorld:
    """`owner` says whose each identifier is now, and so all touchpoints that came by it."""

    def __init__(self, seed: int, *sinks: Sinks) -> None:
        self.dice = random.Random(seed)
        self.owner = {token: self.dice.choice(PERSONS) for token in IDENTIFIERS}
        self.came_by: dict[str, str] = {}
        self._sinks = sinks
        self._earlier: dict[str, list[UUID]] = {token: [owner] for token, owner in self.owner.items()}
        self._logs: dict[tuple[str, int], list[Consumed]] = {}
        self._delivered: dict[tuple[str, int], int] = {}
        self._say_what_stands()

    def live(self, events: int) -> None:
        """So many things happen: arrivals, republications, moves, also back to where something came from."""
        for _ in range(events):
            happens = self.dice.choices([self._arrive, self._come_again, self._move], [6, 1, 2])[0]
            happens()

    def deliver(self) -> None:
        """All that waits, in blocks, partition after partition in any order."""
        places = [place for place, log in self._logs.items() if self._delivered.get(place, 0) < len(log)]
        self.dice.shuffle(places)
        for place in places:
            self._write(place, self._delivered.get(place, 0))

    def retry(self) -> None:
        """The end of some log, once more."""
        place = self.dice.choice([place for place, count in self._delivered.items() if count])
        self._write(place, self.dice.randrange(self._delivered[place]), self._delivered[place])

    def _write(self, place: tuple[str, int], start: int, stop: int | None = None) -> None:
        log = self._logs[place]
        stop = len(log) if stop is None else stop
        middle = self.dice.randint(start, stop)
        for records in (log[start:middle], log[middle:stop]):
            for sinks in self._sinks:
                sinks.write(records)
        self._delivered[place] = max(stop, self._delivered.get(place, 0))

    def _arrive(self) -> None:
        self._publish(str(len(self.came_by)), self.dice.choice(IDENTIFIERS))

    def _come_again(self) -> None:
        if self.came_by:
            self._publish(*self.dice.choice(sorted(self.came_by.items())))

    def _publish(self, name: str, token: str) -> None:
        """Under the owner, or by one who has just given the identifier up, and then it moves on."""
        self.came_by[name] = token
        under = self.dice.choice(
            [self.owner[token], self.owner[token], self.dice.choice(self._earlier[token])]
        )
        if under not in self._earlier[token]:
            self._earlier[token].append(under)
        time = START + timedelta(hours=int(name) * 7 % HOURS)
        fields: dict[str, Any] = {
            "person_id": str(under),
            "identifier": token,
            "identities": {"cookie": token},
        }
        self._say(
            TOPOLOGY.enriched,
            PERSONS.index(under) % _PARTITIONS,
            touchpoint(name, f"{time:%Y-%m-%d %H:%M}", **fields),
        )
        if under != self.owner[token]:
            self._say_override(under, token, moves=1)

    def _move(self) -> None:
        token = self.dice.choice(IDENTIFIERS)
        self.owner[token] = self.dice.choice(PERSONS)
        for born in self._earlier[token]:
            self._say_override(born, token, moves=self.dice.randint(1, 9))
        if self.owner[token] not in self._earlier[token]:
            self._earlier[token].append(self.owner[token])

    def _say_override(self, born: UUID, token: str, moves: int) -> None:
        place = (PERSONS.index(born) + IDENTIFIERS.index(token)) % _PARTITIONS
        self._say(TOPOLOGY.state, place, override(born, token, self.owner[token], moves))

    def _say(self, topic: str, partition: int, model: BaseModel) -> None:
        log = self._logs.setdefault((topic, partition), [])
        log.append(Consumed(topic, len(log), model.model_dump_json().encode(), b"k", partition))

    def _say_what_stands(self) -> None:
        """Something for the questions that are not about touchpoints."""
        day = "2018-05-02 09:00"
        for finding in (
            promise("p-1", day, "broken", met_hours_late=3),
            promise("p-2", day, "at_risk"),
            stall("s-1", day, "resolved", stuck_hours=4, person_id=str(PERSONS[0])),
            stall("s-2", day, person_id=str(PERSONS[1])),
        ):
            self._say(TOPOLOGY.findings, 0, finding)
        for state in (journey(person_id=str(PERSONS[0])), *(person(each, 3) for each in PERSONS[:3])):
            self._say(TOPOLOGY.state, 0, state)


def answers(warehouse: Warehouse) -> dict[str, object]:
    """What every query, view and aggregate says, by its name."""
    aggregates = {
        aggregate.table: warehouse.query(
            f"SELECT {aggregate.bucket}, {', '.join((*aggregate.groups, *aggregate.columns))} "
            f"FROM {aggregate.table} FINAL ORDER BY ALL"
        )
        for aggregate in AGGREGATES.values()
    }
    return {
        "touchpoints_resolved": warehouse.query(
            "SELECT * EXCEPT (version, ingested_at) FROM touchpoints_resolved ORDER BY time, source, id"
        ),
        "one day": warehouse.query(
            "SELECT id, person_id FROM touchpoints_resolved WHERE toDate(time) = '2018-05-01' ORDER BY id"
        ),
        "touchpoints a person": warehouse.query(
            "SELECT person_id, count() FROM touchpoints_resolved GROUP BY person_id ORDER BY person_id"
        ),
        "living_persons": warehouse.query(
            "SELECT * EXCEPT (version, ingested_at) FROM living_persons ORDER BY person_id"
        ),
        "persons": {value: persons_of(warehouse, value) for value in [*IDENTIFIERS, *map(str, PERSONS)]},
        "time lines": [time_line(warehouse, each) for each in PERSONS],
        "slowest stages": slowest_stages(warehouse, END),
        "stuck customers": stuck_customers(warehouse),
        "summary": summary(warehouse, compile_plan(JourneyMap.model_validate(MAP)), END),
        **aggregates,
    }


def belongs_to(warehouse: Warehouse) -> dict[str, UUID]:
    """Each touchpoint's person of today, by its id."""
    return dict(warehouse.query("SELECT id, person_id FROM touchpoints_resolved"))


def rightful(world: MovingWorld) -> dict[str, UUID]:
    """What `belongs_to` has to say when all was delivered."""
    return {name: world.owner[token] for name, token in world.came_by.items()}


def rows(warehouse: Warehouse, tables: Iterable[str]) -> dict[str, int]:
    """How many rows are in each table, replaced ones included."""
    return {table: warehouse.query(f"SELECT count() FROM {table}")[0][0] for table in tables}
