"""What a real worker answers when it hangs, recovers and works."""

from __future__ import annotations

import json
import signal
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from embedded_services import free_port
from engine_place import Place, numbered, until

pytestmark = [
    pytest.mark.services,
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("ignore:read_text is deprecated:DeprecationWarning"),  # inside kafka-python
]


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    port = free_port()
    monkeypatch.setenv("PROBES", str(port))
    return port


def asked(port: int, path: str) -> tuple[int, dict[str, Any]]:
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, json.loads(answer.read())
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read())
    except OSError:
        return 0, {}


def test_a_worker_whose_event_loop_hangs_says_so_itself_and_takes_it_back(place: Place, port: int) -> None:
    worker = place.worker()
    until(lambda: asked(port, "/readyz")[0] == 200)
    assert asked(port, "/livez")[0] == 200
    worker.signal(signal.SIGUSR1)
    until(lambda: asked(port, "/livez")[0] == 503)
    assert "event loop" in asked(port, "/livez")[1]["hung"]
    assert "consumer" not in asked(port, "/livez")[1]["hung"]
    until(lambda: asked(port, "/livez")[0] == 200)
    place.send(numbered(100))
    assert len(place.read(100)) == 100


def test_a_partition_that_cannot_be_opened_keeps_a_worker_from_being_ready(place: Place, port: int) -> None:
    """Somebody else's transaction is open at the end of its changelog; the other partition is ready."""
    other = place.open_transaction(place.changelog, partition=1)
    place.worker()
    why = "its state is not recovered yet"
    named = [{"why": why, "stage": "count", "topic": place.source, "partition": 1}]
    until(lambda: asked(port, "/readyz") == (503, {"ready": False, "waiting_for": named}))
    other.abort_transaction(10)
    until(lambda: asked(port, "/readyz")[0] == 200)
