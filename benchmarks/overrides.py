"""What overrides cost whoever asks for persons: joined, looked up in a dictionary, and squashed.

    python -m benchmarks.overrides [--touchpoints 3000000] [--overrides 100000] [--runs 5]

An embedded server of its own gets so many touchpoints of a month, of which every override moves those of one person and
identifier. How many persons there are, in all and on one day, is asked of each way to resolve them, in turns; the least of
the runs counts, as milliseconds and as a multiple of the same question without overrides. `narrowed` joins only the
overrides whose keys the question's own touchpoints have, which a view can't know. `in the row` asks for what is squashed
alone. The dictionary is loaded beforehand and says nothing of what came since. At the end the overrides are squashed, and
all is asked again, before and after the rewritten rows have been merged.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from benchmarks.machine import machine
from benchmarks.warehouse_stage import _free_port, _process_at
from pipeline.embedded.clickhouse import EmbeddedClickHouse
from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.migrate import migrate
from pipeline.warehouse.squash import squash

_DATABASE = "bench"
_BLOCK = 200_000
_TOUCHPOINTS = """
INSERT INTO touchpoints
    (time, source, id, type, domain, owner, mapped, person_id, identifier, identities, data, version)
SELECT
    toDateTime64('2026-01-01 00:00:00', 6, 'UTC')
        + toIntervalMillisecond(intDiv(number * 2592000, {all}) * 1000 + number % 1000),
    '/shop', toString(number), concat('shop.page.', toString(number % 40)), 'marketing', 'web', true,
    reinterpretAsUUID(sipHash128(person)), concat('cookie:', lower(hex(sipHash128(person, 1)))),
    map('cookie', toString(person)), '{{"order": 7, "city": "Berlin"}}',
    bitShiftLeft(toUInt128(intDiv(number, 4) * 1024 + number % 4), 64)
FROM (SELECT number, toUInt64(cityHash64(number) % {persons}) AS person FROM numbers({first}, {count}))"""
_OVERRIDES = """
INSERT INTO person_overrides (born_person_id, identifier, person_id, version)
SELECT reinterpretAsUUID(sipHash128(number)), concat('cookie:', lower(hex(sipHash128(number, 1)))),
    reinterpretAsUUID(sipHash128(number + {persons})), number + 1
FROM numbers({count})"""
_DICTIONARY = """
CREATE DICTIONARY overrides (born_person_id UUID, identifier String, person_id UUID, version UInt64)
PRIMARY KEY born_person_id, identifier
SOURCE(CLICKHOUSE(QUERY 'SELECT born_person_id, identifier, person_id, version FROM {database}.person_overrides FINAL'))
LAYOUT(COMPLEX_KEY_HASHED()) LIFETIME(0)"""
_BASE = "(SELECT * FROM touchpoints FINAL WHERE {where})"
_MOVED = "SELECT born_person_id, identifier, person_id, version FROM person_overrides FINAL"
_JOIN = """(
    SELECT base.time AS time, if(moved.version > base.moved_version, moved.person_id, base.person_id) AS person_id
    FROM {base} AS base LEFT ANY JOIN ({moved}) AS moved
    ON base.person_id = moved.born_person_id AND base.identifier = moved.identifier
)"""
_LOOKED_UP = """(
    SELECT time, dictGetOrDefault('{database}.overrides', 'person_id', (person_id, identifier), person_id) AS person_id
    FROM {base}
)"""
_IN_THE_ROW = """(
    SELECT if(moved_version > 0, moved_to, person_id) AS person_id FROM touchpoints FINAL WHERE {where}
)"""
_QUESTIONS = {
    "touchpoints by person": ("true", "uniq(person_id), count()"),
    "one day's": ("time >= '2026-01-10' AND time < '2026-01-11'", "uniq(person_id), count()"),
}


def _sources(where: str) -> Mapping[str, str]:
    """What each way reads a question's touchpoints from."""
    base = _BASE.format(where=where)
    keys = f"SELECT person_id, identifier FROM touchpoints WHERE {where}"
    narrowed = f"{_MOVED} WHERE (born_person_id, identifier) IN ({keys})"
    return {
        "without overrides": base,
        "in the row": _IN_THE_ROW.format(where=where),
        "view": f"(SELECT * FROM touchpoints_resolved WHERE {where})",
        "join": _JOIN.format(base=base, moved=_MOVED),
        "narrowed": _JOIN.format(base=base, moved=narrowed),
        "dictionary": _LOOKED_UP.format(base=base, database=_DATABASE),
    }


def fill(warehouse: Warehouse, touchpoints: int, overrides: int) -> None:
    """A month of touchpoints, ten a person on average, and the overrides, with the dictionary loaded."""
    persons = touchpoints // 10
    for first in range(0, touchpoints, _BLOCK):
        count = min(_BLOCK, touchpoints - first)
        warehouse.query(_TOUCHPOINTS.format(all=touchpoints, persons=persons, first=first, count=count))
    warehouse.query(_OVERRIDES.format(persons=persons, count=overrides))
    warehouse.query("OPTIMIZE TABLE touchpoints FINAL")
    warehouse.query(_DICTIONARY.format(database=_DATABASE))
    warehouse.query(f"SYSTEM RELOAD DICTIONARY {_DATABASE}.overrides")


def measure(warehouse: Warehouse, where: str, asked: str, runs: int) -> dict[str, float]:
    """Milliseconds of each way: the least of the runs, in turns."""
    sources = _sources(where)
    found = {way: float("inf") for way in sources}
    for _ in range(runs):
        for way, source in sources.items():
            took = _milliseconds(lambda source=source: warehouse.query(f"SELECT {asked} FROM {source}"))
            found[way] = min(found[way], took)
    return found


def _nothing() -> None:
    """Nobody writes and nobody else asks."""


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def _show(warehouse: Warehouse, runs: int) -> None:
    for question, (where, asked) in _QUESTIONS.items():
        found = measure(warehouse, where, asked, runs)
        least = found["without overrides"]
        shown = ", ".join(f"{way} {took:.0f} ms ({took / least:.2f})" for way, took in found.items())
        print(f"  {question}: {shown}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--touchpoints", type=int, default=3_000_000)
    parser.add_argument("--overrides", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedClickHouse(Path(folder), _free_port())
        server.start()
        try:
            warehouse = Warehouse(server.address, _DATABASE, answer_seconds=3600)
            migrate(warehouse)
            fill(warehouse, given.touchpoints, given.overrides)
            process: psutil.Process = _process_at(server.port)
            print(f"{given.touchpoints:,} touchpoints, {given.overrides:,} overrides:")
            _show(warehouse, given.runs)
            began, held = time.perf_counter(), process.memory_info().rss
            done = squash(warehouse, _nothing, _nothing)
            took, grown = time.perf_counter() - began, (process.memory_info().rss - held) / 1e6
            print(
                f"squashed {done.overrides:,} overrides into {done.touchpoints:,} touchpoints: {took:.1f} s, {grown:+.0f} MB"
            )
            _show(warehouse, given.runs)
            warehouse.query("OPTIMIZE TABLE touchpoints FINAL")
            print("merged:")
            _show(warehouse, given.runs)
            warehouse.close()
        finally:
            server.stop()


if __name__ == "__main__":
    main()
