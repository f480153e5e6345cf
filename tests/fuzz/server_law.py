"""The law of the embedded warehouse's protocol: whatever a client sends, it is answered or sent away, and others are served.

An input is what one client sends, from its hello on; then it waits for the server to hang up.
"""

from __future__ import annotations

import atexit
import logging
import os
import socket
import tempfile
import threading
from contextlib import suppress
from functools import cache
from pathlib import Path

_ANSWERED_WITHIN = 20.0
"""Seconds; a thread that is stuck leaves its client waiting."""
_SILENCE = 0.05
HELLO = b"\x00\x06fuzzer\x01\x01\x9f\xa9\x03\x00\x07default\x00"
PING = b"\x04"
PONG = b"\x04"


def talk(port: int, sent: bytes) -> bytes:
    """What the server answers before it hangs up. Raises TimeoutError if it never does."""
    with socket.create_connection(("127.0.0.1", port), timeout=_ANSWERED_WITHIN) as client:
        received: list[bytes] = []
        try:
            client.sendall(sent)
            # whoever hangs up at once is not answered: its query is cancelled
            client.settimeout(_SILENCE)
            with suppress(TimeoutError):
                _receive(client, received)
            client.settimeout(_ANSWERED_WITHIN)
            client.shutdown(socket.SHUT_WR)
            _receive(client, received)
        except OSError as error:
            if isinstance(error, TimeoutError):
                raise
            # it was sent away while it still spoke
        return b"".join(received)


def _receive(client: socket.socket, received: list[bytes]) -> None:
    while part := client.recv(65_536):
        received.append(part)


def check_on(port: int, data: bytes) -> str:
    """How the server took it: `greeted`, `silent`, or what kind of answer it was."""
    answer = talk(port, data)
    assert talk(port, HELLO + PING).endswith(PONG), "the next client is served"
    if not answer:
        return "sent away"
    return {0: "greeted", 2: "exception", ord("H"): "HTTP"}.get(answer[0], "answered")


def check(data: bytes) -> str:
    """The same on a server in this process, where a fuzzer sees which lines it ran."""
    port, unforeseen = start()
    became = check_on(port, data)
    assert not unforeseen, unforeseen.pop()
    return became


class _Unforeseen(logging.Handler):
    """Keeps what the server logs as an error: that is a defect of its own."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(self.format(record))


@cache
def start() -> tuple[int, list[str]]:
    """The port of a server in a thread of this process, and what it has logged as errors."""
    # half a gigabyte that only this target needs
    from pipeline.embedded.clickhouse.engine import Engine
    from pipeline.embedded.clickhouse.server import Server

    folder = tempfile.TemporaryDirectory(prefix="fuzz-clickhouse-")
    atexit.register(folder.cleanup)
    os.environ["TZ"] = "UTC"
    handler = _Unforeseen()
    logging.getLogger("pipeline.embedded").addHandler(handler)
    logging.getLogger("pipeline.embedded").propagate = False
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(Engine(Path(folder.name)), listener)
    threading.Thread(target=server.serve, name="server", daemon=True).start()
    atexit.register(server.stop)
    return listener.getsockname()[1], handler.told
