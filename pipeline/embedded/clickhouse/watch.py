"""Has a client asked to cancel, or gone away, while its query runs? One thread watches every such connection.

While a query runs, a well-behaved client is silent. So a byte, or the end of its stream, means that nobody
waits for the result. The byte itself is left for the connection's own reader.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable, Iterator


class Watcher:
    """Start it once; `stop` ends its thread."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._woken, self._wake = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self._thread.start()

    @contextlib.contextmanager
    def over(self, connection: socket.socket, interrupt: Callable[[], None]) -> Iterator[None]:
        """Within, `interrupt` is called once, from the watcher's thread, if the client speaks or leaves."""
        self._change(lambda: self._selector.register(connection, selectors.EVENT_READ, interrupt))
        try:
            yield
        finally:
            self._change(lambda: self._forget(connection))

    def stop(self) -> None:
        self._stopped = True
        self._change(lambda: None)
        self._thread.join()
        self._woken.close()
        self._wake.close()
        self._selector.close()

    def _change(self, change: Callable[[], object]) -> None:
        with self._lock:
            change()
        self._wake.send(b"!")

    def _forget(self, connection: socket.socket) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(connection)

    def _run(self) -> None:
        while not self._stopped:
            events = self._selector.select()
            for key, _ in events:
                if key.fileobj is self._woken:
                    self._woken.recv(4096)
                else:
                    self._interrupt(key)

    def _interrupt(self, key: selectors.SelectorKey) -> None:
        with self._lock:
            if key.fd not in self._selector.get_map():
                return  # its query ended meanwhile
            self._selector.unregister(key.fileobj)
        key.data()
