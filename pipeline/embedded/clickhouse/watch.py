"""Has a client asked to cancel, or gone away, while its query runs? One thread watches every such connection.

While a query runs, a well-behaved client is silent. So a byte, or the end of its stream, means that nobody
waits for the result. The byte itself is left for the connection's own reader.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Final

log: Final = logging.getLogger(__name__)
_AGAIN_SECONDS: Final = 0.1


class Watcher:
    """Its thread runs until `stop`."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._spoken: dict[socket.socket, Callable[[], None]] = {}
        self._lock = threading.Lock()
        self._woken, self._wake = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self._thread.start()

    @contextlib.contextmanager
    def over(self, connection: socket.socket, interrupt: Callable[[], None]) -> Iterator[None]:
        """Within, once the client speaks or leaves, `interrupt` is called from the watcher's thread, again and
        again: a query can't be interrupted before the engine has taken it up."""
        with self._changing():
            self._selector.register(connection, selectors.EVENT_READ, interrupt)
        try:
            yield
        finally:
            with self._changing():
                if not self._spoken.pop(connection, None):
                    self._selector.unregister(connection)

    def stop(self) -> None:
        self._stopped = True
        with self._changing():
            pass
        self._thread.join()
        self._woken.close()
        self._wake.close()
        self._selector.close()

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        with self._lock:
            yield
        self._wake.send(b"!")

    def _run(self) -> None:
        while not self._stopped:
            for key, _ in self._selector.select(_AGAIN_SECONDS if self._spoken else None):
                if key.fileobj is self._woken:
                    self._woken.recv(4096)
                else:
                    self._note(key)
            for interrupt in list(self._spoken.values()):
                try:
                    interrupt()
                except Exception:
                    log.exception("a query could not be interrupted")

    def _note(self, key: selectors.SelectorKey) -> None:
        connection = key.fileobj
        assert isinstance(connection, socket.socket)
        with self._lock, contextlib.suppress(KeyError, ValueError):  # its query may have ended meanwhile
            # or the next one have begun: the event was of the bytes that asked for it, and they are read by now
            if _has_spoken(connection):
                self._selector.unregister(connection)
                self._spoken[connection] = key.data


def _has_spoken(connection: socket.socket) -> bool:
    """Is there a byte to be read, or the end of the stream?"""
    try:
        connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True  # the client is gone
    return True
