"""What the fault scenarios share: settings of their own on the shared services, and the lines that tell what was done."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from base import compare
from cluster import Cluster, NewSettings, Tell
from memory_oracle import Expected, expected
from workload import MAP, Workload

from pipeline.settings import Settings

_RUN = uuid.uuid4().hex[:6]
_NUMBER = itertools.count(1)
_LINES = pytest.StashKey[list[str]]()


@pytest.fixture
def new_settings(kafka: str, clickhouse: str, tmp_path: Path) -> NewSettings:
    """Settings of a pipeline of the test's own, on the shared services; arguments go first."""

    def new(**given: Any) -> Settings:
        own: dict[str, Any] = {
            "home": tmp_path / "home",
            "kafka": kafka,
            "clickhouse": clickhouse,
            "metrics_port": 0,
            "namespace": f"faults-{_RUN}-{next(_NUMBER)}",
            "clock": "replay",
            "partitions": 3,
            "batch_records": 500,
            "journey_map": MAP,
        }
        return Settings(**{**own, **given})

    return new


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Tell:
    """A line for the end of the run."""
    lines = request.config.stash.setdefault(_LINES, [])
    name = request.node.name

    def one(line: str) -> None:
        lines.append(f"{name}: {line}")

    return one


@pytest.fixture
def assert_base(tell: Tell) -> Callable[..., None]:
    """Wait until everything is worked off, and hold it against the oracle; `injected` is told beside the counts.

    `laid`: see `base.compare`. `came_to`: what is expected, if not what the workload comes to.
    """

    def check(
        cluster: Cluster, workload: Workload, injected: str, laid: int = 0, came_to: Expected | None = None
    ) -> None:
        cluster.settle()
        ticks = workload.per_tick(len(cluster.settings.topology.sources))
        verdict = compare(
            came_to or expected(workload, cluster.settings),
            cluster.settings,
            workload.sent + ticks,
            ticks,
            laid,
        )
        assert verdict.differences == [], "\n".join(verdict.differences)
        tell(f"{injected}; equal: {verdict}")

    return check


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    lines = config.stash.get(_LINES, [])
    if lines:
        terminalreporter.section("faults: what was injected, what was compared")
        for line in lines:
            terminalreporter.write_line(line)
