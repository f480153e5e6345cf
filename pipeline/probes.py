"""What a worker answers over HTTP: `/livez`, `/readyz` and `/metrics`, and nothing of what it holds.

In: a worker's metrics, silences and what it waits for, asked at each request. Out: 200, or 503 with what is wrong, as
JSON; 404 for any other path, 405 for any other method. Requests are answered in threads of their own, so a hung worker
still says that it hangs.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterable
from dataclasses import asdict
from http import HTTPStatus
from socketserver import ThreadingMixIn
from threading import Thread
from typing import TYPE_CHECKING, Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from pipeline.engine.health import NotReady

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

HUNG_SECONDS: Final = 30.0
"""A part that has shown no life for so long does not count as alive."""
_CLIENT_SECONDS: Final = 5.0
_Answer = tuple[HTTPStatus, dict[str, Any]]


class Probes:
    """A WSGI application. The callables are thread-safe."""

    def __init__(
        self,
        registry: CollectorRegistry,
        silences: Callable[[], dict[str, float]],
        waiting_for: Callable[[], list[NotReady]],
        hung_seconds: float = HUNG_SECONDS,
    ) -> None:
        self._silences, self._waiting_for, self._hung_seconds = silences, waiting_for, hung_seconds
        self._metrics = make_wsgi_app(registry)
        self._routes = {"/livez": self._livez, "/readyz": self._readyz}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return _answer((HTTPStatus.METHOD_NOT_ALLOWED, {"error": "use GET"}), start_response)
        if path == "/metrics":
            exposed: Iterable[bytes] = self._metrics(environ, start_response)
            return exposed
        route = self._routes.get(path, self._unknown)
        return _answer(route(), start_response)

    def _livez(self) -> _Answer:
        silent = {part: round(seconds, 1) for part, seconds in self._silences().items()}
        hung = sorted(part for part, seconds in silent.items() if seconds > self._hung_seconds)
        return _status(not hung), {"alive": not hung, "hung": hung, "silent_seconds": silent}

    def _readyz(self) -> _Answer:
        waiting = self._waiting_for()
        return _status(not waiting), {"ready": not waiting, "waiting_for": [_told(each) for each in waiting]}

    def _unknown(self) -> _Answer:
        return HTTPStatus.NOT_FOUND, {"error": f"there is {', '.join(self._routes)} and /metrics"}


def serve(probes: Probes, host: str, port: int) -> WSGIServer:
    """Answer in threads that end with the process. Raises OSError when the port is taken, or `host` is no address."""
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]

    class Server(_Server):
        address_family = family

    server = make_server(str(address[0]), port, probes, Server, _Handler)
    Thread(target=server.serve_forever, name="probes", daemon=True).start()
    return server


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    timeout = _CLIENT_SECONDS
    """For a client that does not finish its request."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """A probe every few seconds is no news."""


def _status(well: bool) -> HTTPStatus:
    return HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE


def _told(waiting: NotReady) -> dict[str, Any]:
    return asdict(waiting) if waiting.topic else {"why": waiting.why}


def _answer(answer: _Answer, start_response: StartResponse) -> Iterable[bytes]:
    status, said = answer
    body = json.dumps(said).encode() + b"\n"
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response(f"{status.value} {status.phrase}", headers)
    return [body]
