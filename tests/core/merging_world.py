"""A pipeline in memory whose touchpoints move from person to person, and the same one in which nothing ever moves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from random import Random
from typing import Any

import msgspec
from linked_persons import WORDS, Told, owners

from pipeline.core.instants import DAY, moment
from pipeline.core.plan import Plan
from pipeline.core.run import MemoryPipeline, RunConfig
from pipeline.core.tokens import Tokens

KEY = "a test's key"
START = 1_772_323_200_000_000
"""2026-03-01T00:00:00Z."""
NOW = START + 60 * DAY
VIEWED = "marketing.page.viewed"

Published = Mapping[str, Mapping[Any, Any]]


def moving(plan: Plan, told: list[Told], keys: Mapping[Told, str], random: Random) -> Published:
    """All partitions work in any order, a few records at a time, are opened anew now and then, and time passes."""
    pipeline = MemoryPipeline(plan, RunConfig(KEY, NOW, partitions=random.randint(1, 3)), keeps_enriched=True)
    schedule, haste = Schedule(pipeline, random), random.random()
    coming = [*told, *random.sample(told, random.randint(0, len(told)))]
    random.shuffle(coming)
    for each in coming:
        _feed(pipeline, each, keys)
        if random.random() < 0.2:
            pipeline.tick(START + random.randint(0, 20) * DAY)
        while random.random() < haste and pipeline.waiting():
            schedule.step()
    while pipeline.waiting():
        schedule.step()
    return _published(pipeline)


class Schedule:
    """Who works next. Some partitions are slow for a while: what overtakes what depends on that."""

    def __init__(self, pipeline: MemoryPipeline, random: Random) -> None:
        self.pipeline, self.random = pipeline, random
        self.speed: dict[tuple[str, int], float] = {}

    def step(self) -> None:
        random, waiting = self.random, self.pipeline.waiting()
        if random.random() < 0.05:
            self.speed.clear()
        for queue in waiting:
            self.speed.setdefault(queue, random.choice([0.01, 0.3, 1.0]))
        [queue] = random.choices(waiting, [self.speed[each] for each in waiting])
        self.pipeline.step(queue, random.randint(1, 3))
        if random.random() < 0.1:
            self.pipeline.restart(queue)


def unmoved(plan: Plan, told: list[Told], keys: Mapping[Told, str]) -> Published:
    """The same, said by the identifier that names the person in the end."""
    values = {
        Tokens(KEY, plan.kinds).token(*named): named for each in told for named in each.identities.items()
    }
    pipeline = MemoryPipeline(plan, RunConfig(KEY, NOW), keeps_enriched=True)
    for each, token in owners(told, plan.kinds, KEY).items():
        kind = VIEWED if each.type in WORDS else each.type
        kept = replace(each, type=kind, identities=dict([values[token]]), order=None)
        _feed(pipeline, kept, {kept: keys[each]} if each in keys else {})
        pipeline.work()
    return _published(pipeline)


def _feed(pipeline: MemoryPipeline, told: Told, keys: Mapping[Told, str]) -> None:
    value = {
        "specversion": "1.0",
        "id": told.id,
        "source": told.source,
        "type": told.type,
        "time": moment(told.time),
        "identities": told.identities,
        "data": {**told.data, "order": keys[told]} if told in keys else told.data,
    }
    pipeline.feed(told.type.partition(".")[0], msgspec.json.encode(value))


def _published(pipeline: MemoryPipeline) -> Published:
    """What has to be equal, when time has come to its end: nothing of how it came about."""
    pipeline.tick(START + 30 * DAY)
    pipeline.drain()
    published = pipeline.published
    findings, states = _decoded(published.findings.values()), _decoded(published.states.values())
    moved = {
        (state["born_person_id"], state["identifier"]): state["person_id"]
        for state in states
        if state["kind"] == "override"
    }
    homes: dict[str, set[Any]] = {}
    for each in _decoded(published.enriched):
        person = moved.get((each["person_id"], each["identifier"]), each["person_id"])
        journeys = tuple(journey["journey_id"] for journey in each["journeys"])
        homes.setdefault(each["id"], set()).add((person, journeys))
    return {
        "touchpoints": homes,
        "findings": _less(findings, "finding_id", "revision", "detected_at"),
        "journeys": _less([each for each in states if each["kind"] == "journey"], "journey_id", "version"),
        "persons": {
            each["person_id"]: each["touchpoints"]
            for each in states
            if each["kind"] == "person" and each["touchpoints"]
        },
    }


def _decoded(values: Iterable[bytes]) -> list[dict[str, Any]]:
    return [msgspec.json.decode(value) for value in values]


def _less(records: list[dict[str, Any]], name: str, *may_differ: str) -> dict[str, dict[str, Any]]:
    return {
        record[name]: {field: value for field, value in record.items() if field not in may_differ}
        for record in records
        if record["status"] != "withdrawn"
    }
