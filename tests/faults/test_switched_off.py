"""Each mechanism switched off once: the same faults, and BASE has to fail. A suite that can't fail proves nothing."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from base import compare
from cluster import Cluster, Fault, NewSettings, Tell, WorkerProcess, cluster, until
from faulty_worker import BATCH_COMMITTED, BATCH_REFUSED
from memory_oracle import expected
from proxy import Proxy
from test_killed import kill_at
from test_warehouse import REFUSED, lay_refused_rows
from workload import Workload, send, small

from pipeline.engine.errors import EXIT_FENCED
from pipeline.settings import Settings

pytestmark = [pytest.mark.services, pytest.mark.faults, pytest.mark.timeout(240)]


def killed(*points: str) -> Callable[[Cluster, Workload], None]:
    def run(running: Cluster, workload: Workload) -> None:
        kill_at(running, points, workload, random.Random(1))

    return run


def refusing(running: Cluster, workload: Workload) -> None:
    lay_refused_rows(running)
    send(running.settings, workload.records)
    running.start()


FAULTS: dict[str, Callable[[Cluster, Workload], None]] = {
    "position": killed("journey.committed", "identity.committed", "ingest.committed"),
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


def test_without_fencing_a_frozen_worker_repeats_what_another_has_done(
    new_settings: NewSettings, tmp_path: Path, tell: Tell
) -> None:
    workload, settings = small(), new_settings()
    with cluster(settings, tmp_path, off="fencing") as running:
        zombie = frozen(running, workload)
        zombie.signal(signal.SIGCONT)
        until(lambda: BATCH_COMMITTED in zombie.log(), "the zombie commits what is not its any more")
        running.end()  # it claims nothing any more, so what the group gives to it would never be worked off
        said = differences(settings, workload)
        twice = [each for each in said if "enriched" in each and "published more than once" in each]
        assert twice, f"nothing was published twice although fencing was switched off, but: {said}"
        tell(f"switched off: fencing; BASE said {len(said)} things, among them: {twice[0][:160]}")


@pytest.mark.parametrize("off", ["", "silence"])
def test_with_fencing_the_same_frozen_worker_changes_nothing(
    new_settings: NewSettings, tmp_path: Path, assert_base: Callable[..., None], off: str
) -> None:
    """It ends by itself; and if it does not, it is refused."""
    workload = small()
    with cluster(new_settings(), tmp_path, off=off) as running:
        zombie = frozen(running, workload)
        zombie.signal(signal.SIGCONT)
        if off:
            until(lambda: BATCH_REFUSED in zombie.log(), "the zombie is refused")
        else:
            assert zombie.await_end() == EXIT_FENCED
            running.workers.remove(zombie)
        assert_base(running, workload, f"a worker frozen with a batch; switched off: {off or 'nothing'}")
        assert BATCH_COMMITTED not in zombie.log()


def frozen(running: Cluster, workload: Workload) -> WorkerProcess:
    """A worker frozen with a batch of touchpoints in its hands, while another does everything: BASE holds.

    Nothing of the batch's transaction has reached the broker, which thus can't end it for its age, and nobody who opens
    the partition has to wait for it: nothing but fencing keeps it from being committed whole when the worker goes on.
    """
    zombie = running.start(Fault("journey.given@Arrive", 1, signal.SIGSTOP))
    send(running.settings, workload.records)
    until(lambda: bool(running.faults()), "a worker freezes")
    until(zombie.is_stopped, "it is frozen")
    running.start()
    running.settle_past_open_transactions()
    assert differences(running.settings, workload) == []
    return zombie


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
