"""A broker that is away for longer than the session: its workers were not silent, it was; they stay and go on."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from embedded_services import free_port
from engine_place import Place, assert_counted_once, numbered

from pipeline.embedded.kafka import EmbeddedKafka

pytestmark = [
    pytest.mark.services,
    pytest.mark.faults,
    pytest.mark.timeout(240),
    pytest.mark.filterwarnings("ignore:read_text is deprecated:DeprecationWarning"),  # inside kafka-python
]
AWAY_SECONDS = 15.0
"""More than twice the session of the tests' workers."""


def frozen(broker: EmbeddedKafka) -> None:
    """It answers nobody, and its connections stay."""
    assert broker.pid is not None
    os.killpg(broker.pid, signal.SIGSTOP)
    time.sleep(AWAY_SECONDS)
    os.killpg(broker.pid, signal.SIGCONT)


def killed(broker: EmbeddedKafka) -> None:
    """Nobody listens, and the group's coordinator is lost."""
    broker.kill()
    time.sleep(AWAY_SECONDS)
    broker.start()


@pytest.mark.parametrize("goes_away", [frozen, killed])
def test_workers_outlive_their_broker(tmp_path: Path, goes_away: Callable[[EmbeddedKafka], None]) -> None:
    port = free_port(neighbours=1)
    broker = EmbeddedKafka(tmp_path / "kafka", port, port + 1)
    broker.start()
    try:
        place = Place(broker.bootstrap, tmp_path)
        sent = numbered(4_000)
        workers = [place.worker(), place.worker()]
        place.send(sent[:2_000])
        place.read(2_000)
        goes_away(broker)
        place.send(sent[2_000:])
        assert_counted_once(place.read(len(sent), seconds=90), sent)
        assert [worker.running for worker in workers] == [True, True], "".join(each.log for each in workers)
        own_lines = [line for each in workers for line in each.log.splitlines() if line.startswith("%")]
        assert own_lines == [], "librdkafka writes beside the log"
        assert any("librdkafka" in each.log for each in workers) or goes_away is frozen
        place.end()
    finally:
        broker.stop()
