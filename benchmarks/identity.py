"""What identity costs, and whether it is right: a million customers of three identifiers each, 5 % of their links late.

    python -m benchmarks.identity [--persons 1000000] [--late 0.05] [--workers 2]

The touchpoints of `benchmarks.identified` go through the whole job twice, each time with services of its own: as they are,
and *without identities*: the same ones in the same order, but each names the customer number and nothing else. None of them
opens a journey, so that identity is set against the least that the pipeline can have to do.

After each run the persons of all touchpoints are computed offline and compared with those that ClickHouse resolves them to.
The exit code is 1 if they differ.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks.identified import DOMAIN, KINDS, Touch, record, touchpoints, without_identities
from benchmarks.machine import machine
from benchmarks.who_is_who import Offline, Verdict, compare
from benchmarks.whole_job import (
    Job,
    StateOnDisk,
    its_services,
    require_all,
    settings_in,
    states_on_disk,
    whole_job,
)
from pipeline.operations.sources import SourceWriter
from pipeline.settings import Settings
from pipeline.warehouse.client import Warehouse

_COUNTED = """
SELECT (SELECT count() FROM links), (SELECT sum(count) FROM stage_counts FINAL WHERE name = 'received')"""


@dataclass(frozen=True)
class Found:
    """`links` are pairs of identifiers that the linker has heard of, `moved` counts touchpoints each time that they came to
    another person; `disk` is the bytes of all state, the linker's among them.
    """

    touchpoints: int
    job: Job
    verdict: Verdict
    links: int
    moved: int
    disk: int
    linker: StateOnDisk


def main() -> None:
    given = _arguments()
    print(f"machine: {machine()}", flush=True)
    with_them = _on_its_own(given, identified=True)
    print(f"with identities:    {with_them.verdict}", flush=True)
    without = _on_its_own(given, identified=False)
    print(f"without identities: {without.verdict}", flush=True)
    _report(given, with_them, without)
    sys.exit(0 if with_them.verdict.equal and without.verdict.equal else 1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--persons", type=int, default=1_000_000, help="customers")
    parser.add_argument(
        "--late", type=float, default=0.05, help="share of linking touchpoints that come late"
    )
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    if given.persons < 1 or given.workers < 1 or not 0 <= given.late <= 1:
        parser.error("there has to be a customer and a worker, and a share is between 0 and 1")
    return given


def _on_its_own(given: argparse.Namespace, *, identified: bool) -> Found:
    coming = touchpoints(given.persons, given.late)
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_in(Path(folder), source_partitions=given.workers)
        with its_services(settings):
            return measure(
                settings,
                given.workers,
                given.persons,
                coming if identified else map(without_identities, coming),
            )


def measure(settings: Settings, workers: int, persons: int, coming: Iterator[Touch]) -> Found:
    """Have a pipeline work off these touchpoints of so many customers; its services, topics and tables are there."""
    offline = Offline(persons)
    with SourceWriter(settings.kafka_client, settings.topology) as writer:
        for number, touch in enumerate(coming):
            writer.send(DOMAIN, *record(number, touch))
            offline.add(touch)
    job = whole_job(settings, workers)
    states = states_on_disk(settings)
    (linker,) = (state for name, state in states.items() if name.startswith("linker-"))
    with closing(Warehouse.of(settings)) as warehouse:
        require_all(warehouse, len(offline))
        ((links, moved),) = warehouse.query(_COUNTED)
        verdict = compare(offline, warehouse)
    disk = sum(state.disk for state in states.values())
    return Found(len(offline), job, verdict, links, moved, disk, linker)


def _report(given: argparse.Namespace, with_them: Found, without: Found) -> None:
    print(
        f"{given.persons:,} customers of {KINDS} identifiers, {given.late:.0%} of their links late, "
        f"{with_them.touchpoints:,} touchpoints, {given.workers} workers, broker and warehouse on the same machine"
    )
    print(f"{'':<34}{'with':>12}{'without':>12}{'ratio':>8}")
    for what, one, other in zip(_LABELS, _figures(with_them), _figures(without), strict=True):
        ratio = f"{one / other:.2f}" if other else ""
        print(f"{what:<34}{one:>12,.1f}{other:>12,.1f}{ratio:>8}")
    links, state = with_them.links, with_them.linker
    print(
        f"the linker: {links:,} links, {links / with_them.job.seconds:,.0f} links/s; keys and values of its state "
        f"{state.size / 1e6:,.1f} MB, {state.size / (KINDS * given.persons):.0f} bytes of an identifier; "
        f"{state.disk / 1e6:,.1f} MB on disk"
    )
    for found in (with_them, without):
        if found.job.warning:
            print(found.job.warning)


_CPU = ("broker", "warehouse", "workers")
_LABELS = (
    "events/s",
    *(f"CPU µs an event, {kind}" for kind in _CPU),
    "CPU µs an event, together",
    "workers' peak resident MB",
    "state on disk, MB",
    "touchpoints moved, % of all",
)


def _figures(found: Found) -> list[float]:
    """One for each label."""
    count = found.touchpoints
    cpu = [found.job.cpu.get(kind, 0.0) / count * 1e6 for kind in _CPU]
    return [
        count / found.job.seconds,
        *cpu,
        sum(cpu),
        found.job.peaks["workers"] / 1e6,
        found.disk / 1e6,
        found.moved / count * 100,
    ]


if __name__ == "__main__":
    main()
