"""What a worker answers over HTTP, over a real socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from prometheus_client import CollectorRegistry, Gauge

from pipeline.engine.health import NotReady
from pipeline.probes import HUNG_SECONDS, Probes, serve


class Worker:
    """What is asked of a worker, and its answers."""

    def __init__(self) -> None:
        self.silences: dict[str, float] = {"event loop": 0.2, "poll": 0.9}
        self.waiting: list[NotReady] = []
        registry = CollectorRegistry()
        Gauge("throughline_ready", "Ready.", registry=registry).set(1)
        probes = Probes(registry, lambda: self.silences, lambda: self.waiting)
        self.server = serve(probes, "127.0.0.1", 0)

    def ask(self, path: str, method: str = "GET") -> tuple[int, str]:
        request = Request(f"http://127.0.0.1:{self.server.server_port}{path}", method=method)
        try:
            with urlopen(request, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def said(self, path: str) -> tuple[int, dict[str, Any]]:
        code, body = self.ask(path)
        return code, json.loads(body)


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker()
    try:
        yield worker
    finally:
        worker.server.shutdown()
        worker.server.server_close()


def test_a_worker_that_shows_life_is_alive(worker: Worker) -> None:
    silent = {"event loop": 0.2, "poll": 0.9}
    assert worker.said("/livez") == (200, {"alive": True, "hung": [], "silent_seconds": silent})


def test_a_part_that_hangs_is_named(worker: Worker) -> None:
    worker.silences["poll"] = HUNG_SECONDS + 1
    code, said = worker.said("/livez")
    assert (code, said["alive"], said["hung"]) == (503, False, ["poll"])


def test_a_worker_that_waits_for_nothing_is_ready(worker: Worker) -> None:
    assert worker.said("/readyz") == (200, {"ready": True, "waiting_for": []})


def test_what_a_worker_waits_for_is_named(worker: Worker) -> None:
    worker.waiting = [
        NotReady("the worker is ending"),
        NotReady("its lag is not known yet", "journey", "t", 3),
    ]
    named = {"why": "its lag is not known yet", "stage": "journey", "topic": "t", "partition": 3}
    assert worker.said("/readyz") == (
        503,
        {"ready": False, "waiting_for": [{"why": "the worker is ending"}, named]},
    )


def test_metrics_are_served(worker: Worker) -> None:
    code, body = worker.ask("/metrics")
    assert code == 200
    assert "throughline_ready 1.0" in body


@pytest.mark.parametrize(
    "path", ["/", "/metrics/", "/table", "/livez/x", "/%2e%2e/etc/passwd", "/favicon.ico"]
)
def test_there_is_nothing_else(worker: Worker, path: str) -> None:
    code, body = worker.ask(path)
    assert (code, json.loads(body)) == (404, {"error": "there is /livez, /readyz and /metrics"})


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_changed(worker: Worker, method: str) -> None:
    assert worker.ask("/metrics", method)[0] == 405


def test_only_the_given_address_is_listened_on(worker: Worker) -> None:
    assert worker.server.server_address[0] == "127.0.0.1"


def test_a_taken_port_is_an_error(worker: Worker) -> None:
    with pytest.raises(OSError, match="in use"):
        serve(Probes(CollectorRegistry(), dict, list), "127.0.0.1", worker.server.server_port)
