"""Each mechanism switched off once: the same faults, and BASE has to fail. A suite that can't fail proves nothing."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from base import compare
from cluster import SESSION_SECONDS, Cluster, Fault, NewSettings, Tell, cluster, until
from memory_oracle import expected
from proxy import Proxy
from test_killed import kill_at
from test_warehouse import REFUSED, lay_refused_rows
from workload import Workload, send, small

from pipeline.settings import Settings

pytestmark = [pytest.mark.services, pytest.mark.faults, pytest.mark.timeout(240)]


def killed(*points: str) -> Callable[[Cluster, Workload], None]:
    def run(running: Cluster, workload: Workload) -> None:
        kill_at(running, points, workload, random.Random(1))

    return run


def frozen(running: Cluster, workload: Workload) -> None:
    """A worker frozen before the broker has anything of its transaction, revived when its work was done by another."""
    zombie = running.start(Fault("journey.output", 1, signal.SIGSTOP))
    send(running.settings, workload.records)
    until(lambda: bool(running.faults()), "a worker freezes")
    until(zombie.is_stopped, "it is frozen")
    running.start()
    time.sleep(SESSION_SECONDS + 2)
    running.settle()
    zombie.signal(signal.SIGCONT)
    time.sleep(5)


def refusing(running: Cluster, workload: Workload) -> None:
    lay_refused_rows(running)
    send(running.settings, workload.records)
    running.start()


FAULTS: dict[str, Callable[[Cluster, Workload], None]] = {
    "position": killed("journey.committed", "identity.committed", "ingest.committed"),
    "fencing": frozen,
    "written then acknowledged": killed(*3 * ["warehouse.gathered"]),
    "bisection": refusing,
}


@pytest.mark.parametrize("mechanism", FAULTS)
def test_without_the_mechanism_the_same_faults_are_told(
    new_settings: NewSettings, tmp_path: Path, tell: Tell, mechanism: str
) -> None:
    workload, settings = small(), new_settings()
    with cluster(settings, tmp_path, off=mechanism) as running:
        FAULTS[mechanism](running, workload)
        running.restarts = True
        running.settle()
        said = differences(settings, workload, REFUSED if mechanism == "bisection" else 0)
        assert said, f"equal although {mechanism} was switched off"
        tell(f"switched off: {mechanism}; BASE said {len(said)} things, first: {said[0][:160]}")


def test_without_another_try_a_lost_confirmation_is_told(
    new_settings: NewSettings, tmp_path: Path, clickhouse: str, tell: Tell
) -> None:
    workload = small()
    with closing(Proxy(clickhouse)) as proxy:
        settings = new_settings(clickhouse=proxy.address)
        with cluster(settings, tmp_path, off="tried again") as running:
            proxy.statement = b"INSERT INTO touchpoints "
            running.start()
            send(settings, workload.records)
            until(lambda: proxy.lost == 1, "a confirmation is lost")
            running.settle()
            said = differences(settings, workload)
            assert said, "equal although nothing was tried again"
            tell(f"switched off: tried again; BASE said {len(said)} things, first: {said[0][:160]}")


def differences(settings: Settings, workload: Workload, laid: int = 0) -> list[str]:
    ticks = workload.per_tick(len(settings.topology.sources))
    return compare(expected(workload, settings), settings, workload.sent + ticks, ticks, laid).differences
