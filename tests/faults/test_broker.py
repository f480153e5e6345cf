"""Scenario 3: the broker dies, is away, and a transaction takes longer than the coordinator waits for it.

One broker is everything at once: leader of each partition, coordinator of the group and of every transaction.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from base import aborted_records
from cluster import Fault, NewSettings, cluster, until
from embedded_services import free_port
from workload import large, send, small

from pipeline.embedded.kafka import EmbeddedKafka

pytestmark = [pytest.mark.services]

KILLS = 3
UNREACHABLE_SECONDS = 120.0


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[EmbeddedKafka]:
    """One that may be killed."""
    port = free_port(neighbours=1)
    broker = EmbeddedKafka(tmp_path / "kafka", port, port + 1)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@pytest.mark.faults
@pytest.mark.timeout(180)
def test_a_transaction_that_outlives_its_timeout_is_done_again(
    new_settings: NewSettings, tmp_path: Path, assert_base: Callable[..., None]
) -> None:
    """The worker is frozen for longer than its transaction may last, and for less than its session."""
    with cluster(new_settings(transaction_timeout_seconds=2), tmp_path) as running:
        running.session = 60.0
        slow = running.start(Fault("journey.position", 2, signal.SIGSTOP))
        workload = small()
        send(running.settings, workload.records)
        until(lambda: bool(running.faults()), "the worker is frozen", 60)
        until(slow.is_stopped, "it is frozen")
        # the coordinator looks for late transactions every ten seconds
        time.sleep(14)
        slow.signal(signal.SIGCONT)
        running.settle()
        # its own client may notice first that the time is over
        assert "fenced" in slow.log() or "_TIMED_OUT" in slow.log()
        thrown_away = aborted_records(running.settings)
        assert thrown_away
        assert_base(running, workload, f"1 transaction timed out, {thrown_away} records aborted")


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_a_broker_that_is_killed_and_comes_back_leaves_everything_equal(
    new_settings: NewSettings, tmp_path: Path, own_broker: EmbeddedKafka, assert_base: Callable[..., None]
) -> None:
    workload = large()
    parts = workload.parts(KILLS + 1)
    with cluster(new_settings(kafka=own_broker.bootstrap), tmp_path) as running:
        running.restarts = True
        for _ in range(2):
            running.start()
        for _ in range(KILLS):
            running.send_and_await_work(next(parts))
            own_broker.kill()
            time.sleep(3)
            own_broker.start()
            running.tend()
        send(running.settings, next(parts))
        running.settle()
        ends = ", ".join(map(str, running.ends)) or "none"
        assert_base(
            running,
            workload,
            f"the broker killed {KILLS} times; workers that ended and were started again: {ends}",
        )


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_a_broker_that_is_unreachable_for_long_leaves_everything_equal(
    new_settings: NewSettings, tmp_path: Path, own_broker: EmbeddedKafka, assert_base: Callable[..., None]
) -> None:
    """Frozen: connections stay open, and nothing comes back."""
    workload = large()
    parts = workload.parts(2)
    with cluster(new_settings(kafka=own_broker.bootstrap), tmp_path) as running:
        running.restarts = True
        for _ in range(2):
            running.start()
        running.send_and_await_work(next(parts))
        broker = java_of(own_broker)
        os.kill(broker, signal.SIGSTOP)
        silent_until = time.monotonic() + UNREACHABLE_SECONDS
        while time.monotonic() < silent_until:
            running.tend()
            time.sleep(0.5)
        os.kill(broker, signal.SIGCONT)
        until(own_broker.is_ready, "the broker answers again")
        send(running.settings, next(parts))
        running.settle()
        ends = ", ".join(map(str, running.ends)) or "none"
        injected = f"the broker silent for {UNREACHABLE_SECONDS:.0f} s; workers that ended and were started again: {ends}"
        assert_base(running, workload, injected)


def java_of(broker: EmbeddedKafka) -> int:
    assert broker.pid is not None
    (process,) = psutil.Process(broker.pid).children()
    return process.pid
