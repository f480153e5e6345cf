"""The oracle: the same records through the core in memory, where nothing breaks and nobody shares the work."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from outcome import Outcome, outcome
from workload import Workload

from pipeline.core.dead_letters import decode_headers
from pipeline.core.plan import compile_plan
from pipeline.core.run import JOURNEYS, MemoryPipeline, MemoryRecord, RunConfig
from pipeline.maps import load_map
from pipeline.settings import Settings

_BATCH = 2000
_NOW = time.time_ns() // 1000


@dataclass(frozen=True)
class Expected:
    """`touchpoints` and `duplicates` as a summary counts them."""

    outcome: Outcome
    touchpoints: int
    duplicates: int


def expected(workload: Workload, settings: Settings) -> Expected:
    """What the records have to come to under the map and the other settings that have a meaning."""
    assert settings.journey_map is not None
    return _run(workload, settings.journey_map, _config(settings))


@lru_cache(maxsize=2)
def _run(workload: Workload, journey_map: Path, config: RunConfig) -> Expected:
    pipeline = MemoryPipeline(compile_plan(load_map(journey_map)), config, keeps_enriched=True)
    for number, record in enumerate(workload.records):
        if record.tick is not None:
            pipeline.tick(record.tick)
        else:
            pipeline.feed(record.domain, record.value, record.key, record.headers)
        if number % _BATCH == _BATCH - 1:
            pipeline.work()
    pipeline.drain()
    published, counts = pipeline.published, pipeline.counts(JOURNEYS)
    stores = [store for (topic, _), store in pipeline._stores.items() if topic == JOURNEYS]
    found = outcome(
        published.enriched,
        published.findings.values(),
        published.states,
        letters(published.dead_letters),
        stores,
    )
    # of two copies that met by a move, each was counted when it arrived
    reunited = counts["reunited"]
    return Expected(found, counts["touchpoints"] - reunited, counts["duplicates"] + reunited)


def letters(records: Iterable[MemoryRecord]) -> Counter[tuple[str, str, str, bytes]]:
    """Dead letters, each by the domain it came from, its code, path and bytes."""
    found: Counter[tuple[str, str, str, bytes]] = Counter()
    for record in records:
        letter = decode_headers(record.headers)
        found[letter.topic.rpartition(".")[2], str(letter.code), letter.path, record.value or b""] += 1
    return found


def _config(settings: Settings) -> RunConfig:
    return replace(
        RunConfig(settings.identity_key.get_secret_value(), _NOW),
        lateness=round(settings.lateness_seconds * 1e6),
        trail_entries=settings.trail_entries,
        duplicate_ids=settings.duplicate_ids,
        max_touchpoint_bytes=settings.max_touchpoint_bytes,
        dead_letter_window=settings.dead_letter_window,
        dead_letter_max_share=settings.dead_letter_max_share,
    )
