"""A whole pipeline on real services, for one test: settings of its own, worker processes, and what it came to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeline.core.plan import compile_plan
from pipeline.core.summary import Summary
from pipeline.embedded.tree import Tree
from pipeline.maps import load_map
from pipeline.operations.caught_up import Watcher
from pipeline.operations.dead_letters import StoredLetter, read_letters
from pipeline.operations.pipelines import pipeline_tree
from pipeline.operations.sources import SourceWriter
from pipeline.settings import Settings
from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.summary import summary

PATIENCE = 100.0


@dataclass(frozen=True)
class Pipeline:
    """A running pipeline: `tree` holds its workers, `told` is what a user would have read."""

    settings: Settings
    tree: Tree
    told: list[str]

    def writer(self) -> SourceWriter:
        return SourceWriter(self.settings.kafka_client, self.settings.topology)

    def wait(self) -> None:
        """Until everything that was sent has been worked off; fails when a worker has ended for good."""
        with closing(Watcher(self.settings.kafka_client, self.settings.topology)) as watcher:
            watcher.wait(PATIENCE, lambda _: self.tree.check(), every=0.2)

    def summary(self, as_of: datetime) -> Summary:
        assert self.settings.journey_map is not None
        with closing(Warehouse.of(self.settings)) as warehouse:
            return summary(warehouse, compile_plan(load_map(self.settings.journey_map)), as_of)

    def letters(self) -> list[StoredLetter]:
        return list(read_letters(self.settings.kafka_client, self.settings.topology))

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(Warehouse.of(self.settings)) as warehouse:
            return warehouse.query(sql)


@contextmanager
def running(settings: Settings, workers: int = 1) -> Iterator[Pipeline]:
    """A pipeline with so many workers on services that run already; it is drained at the end."""
    told: list[str] = []
    tree = pipeline_tree(settings, workers, told.append, share=True)
    with tree:
        yield Pipeline(settings, tree, told)


def until(seen: Callable[[], bool], what: str, within: float = 60.0) -> None:
    limit = time.monotonic() + within
    while not seen():
        assert time.monotonic() < limit, f"not within {within:.0f} s: {what}"
        time.sleep(0.1)


NewSettings = Callable[..., Settings]
"""Settings of a pipeline of the test's own, on the shared services; arguments go first."""
