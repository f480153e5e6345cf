"""A soak: faults of every kind, at random and one upon the other, for as long as SOAK_MINUTES says; then BASE."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from cluster import KILLED, SESSION_SECONDS, Cluster, Fault, NewSettings, cluster
from test_killed import POINTS
from workload import send, simulated

from pipeline.engine.errors import EXIT_DRAINED

pytestmark = [pytest.mark.services, pytest.mark.soak, pytest.mark.timeout(0)]

MINUTES = float(os.environ.get("SOAK_MINUTES", "60"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
ROUND_SECONDS = 20.0
RECORDS_A_ROUND = 2_000
WORKERS = 3
BEFORE_IT_BEGAN = 128 + signal.SIGTERM


def killed(running: Cluster, dice: random.Random) -> None:
    """At once, wherever it stands."""
    dice.choice(running.workers).signal(signal.SIGKILL)


def killed_at_a_point(running: Cluster, dice: random.Random) -> None:
    """One more worker, which dies between two steps, if it comes to that place."""
    running.start(Fault(dice.choice(POINTS), dice.randint(1, 5)))


def frozen(running: Cluster, dice: random.Random) -> None:
    """For longer than its session: it comes back as a zombie, and ends."""
    zombie = dice.choice(running.workers)
    zombie.signal(signal.SIGSTOP)
    time.sleep(SESSION_SECONDS + dice.uniform(2, 8))
    zombie.signal(signal.SIGCONT)


def frozen_for_a_moment(running: Cluster, dice: random.Random) -> None:
    """For less than its session."""
    worker = dice.choice(running.workers)
    worker.signal(signal.SIGSTOP)
    time.sleep(dice.uniform(0.5, SESSION_SECONDS / 2))
    worker.signal(signal.SIGCONT)


def joined(running: Cluster, dice: random.Random) -> None:
    running.start()


def left(running: Cluster, dice: random.Random) -> None:
    """Drained, as a rolling update does it, unless its own fault or the first second of its life comes first."""
    leaving = running.workers.pop(dice.randrange(len(running.workers)))
    leaving.child.ask_to_end()
    code = leaving.await_end()
    assert code in {EXIT_DRAINED, BEFORE_IT_BEGAN} or (code == KILLED and leaving.fault), (
        leaving.child.last_words(30)
    )


FAULTS = (killed, killed_at_a_point, frozen, frozen_for_a_moment, joined, left)


def test_a_soak_leaves_everything_equal(
    new_settings: NewSettings, tmp_path: Path, assert_base: Callable[..., None]
) -> None:
    rounds = max(len(FAULTS), round(MINUTES * 60 / ROUND_SECONDS))
    dice = random.Random(SEED)
    # 10,000 customers come to some 25,000 touchpoints a day
    customers = max(500, rounds * RECORDS_A_ROUND * 10_000 // 227_000)
    workload = simulated(customers, 9, SEED)
    injected: Counter[str] = Counter()
    with cluster(new_settings(partitions=6), tmp_path) as running:
        running.restarts = True
        for _ in range(WORKERS):
            running.start()
        for part in workload.parts(rounds):
            began = time.monotonic()
            send(running.settings, part)
            fault = dice.choice(FAULTS)
            fault(running, dice)
            injected[fault.__name__] += 1
            while time.monotonic() - began < ROUND_SECONDS:
                running.tend()
                time.sleep(0.2)
            keep_the_number(running)
        told = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in sorted(injected.items()))
        assert len(running.ends) >= injected["killed"] + injected["frozen"]
        assert_base(running, workload, f"{rounds} rounds of {ROUND_SECONDS:.0f} s, seed {SEED}: {told}")


def keep_the_number(running: Cluster) -> None:
    """Two workers at least, and not more than four: the machine is small."""
    while len(running.workers) < 2:
        running.start()
    while len(running.workers) > 4:
        worker = running.workers.pop(0)
        worker.child.ask_to_end()
        worker.await_end()
