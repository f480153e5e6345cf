"""A TCP proxy between the workers and the warehouse, which can lose what a connection would bring.

What always holds: bytes pass unchanged and in order, but for those that a test has told it to lose.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

from embedded_services import free_port

_END_OF_STREAM = 5
"""The native protocol's last word of a request that went well."""
_CHUNK = 256 * 1024


class Proxy:
    """Listens on `address` for `target` (host:port). Close it when done."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", free_port()))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.statement = b""
        """The beginning of the insert to which something is to happen; empty: nothing happens."""
        self.lost = 0
        """Confirmations that did not pass."""
        self.in_the_middle: Callable[[], None] | None = None
        """Called once when the first data of such an insert have passed."""
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self._target, timeout=5)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        connection = _Connection(self, client, server)
        threading.Thread(target=connection.pass_answers, daemon=True).start()
        connection.pass_requests()

    def takes(self, said: bytes) -> bool:
        return bool(self.statement) and self.statement in said

    def lose(self) -> bool:
        """Whether this confirmation is the one to be lost; one is, and then no more."""
        with self._lock:
            if not self.statement or self.in_the_middle is not None:
                return False
            self.statement = b""
            self.lost += 1
            return True

    def interrupt(self) -> None:
        with self._lock:
            call, self.in_the_middle = self.in_the_middle, None
        if call is not None:
            self.statement = b""
            call()


class _Connection:
    """One client's. `stage`: 0 nothing of interest, 1 the insert was asked for, 2 its columns were told, 3 data flow."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy, self._client, self._server = proxy, client, server
        self._stage = 0

    def pass_requests(self) -> None:
        with suppress(OSError):
            while data := self._client.recv(_CHUNK):
                if self._stage == 2:
                    self._stage = 3
                elif self._proxy.takes(data):
                    self._stage = 1
                if self._stage == 3 and self._proxy.in_the_middle is not None:
                    self._server.sendall(data[: len(data) // 2])
                    self._proxy.interrupt()
                    data = data[len(data) // 2 :]
                self._server.sendall(data)
        self._end()

    def pass_answers(self) -> None:
        with suppress(OSError):
            while data := self._server.recv(_CHUNK):
                if self._stage == 3 and data[-1] == _END_OF_STREAM:
                    self._stage = 0
                    if self._proxy.lose():
                        break
                self._client.sendall(data)
                if self._stage == 1:
                    self._stage = 2
        self._end()

    def _end(self) -> None:
        for each in (self._client, self._server):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
