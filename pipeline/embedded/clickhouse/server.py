"""Accepts clients on a loopback port, a thread for each, until told to stop."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from typing import Final

from pipeline.embedded.clickhouse.conversation import Conversation
from pipeline.embedded.clickhouse.engine import Engine
from pipeline.embedded.clickhouse.watch import Watcher

log: Final = logging.getLogger(__name__)
MAX_CLIENTS: Final = 200
_DRAIN_SECONDS: Final = 8.0


class Server:
    """Serves `engine` on `listener`, which it closes."""

    def __init__(self, engine: Engine, listener: socket.socket) -> None:
        self._engine = engine
        self._listener = listener
        self._watcher = Watcher()
        self._lock = threading.Lock()
        self._clients: dict[socket.socket, tuple[Conversation, threading.Thread]] = {}
        self._stopping = threading.Event()

    def serve(self) -> None:
        """Returns after `stop`, when every client has been answered or sent away."""
        while not self._stopping.is_set():
            try:
                connection, (host, port) = self._listener.accept()
            except OSError:
                break  # closed by `stop`
            self._welcome(connection, f"{host}:{port}")
        self._drain()
        self._watcher.stop()

    def stop(self) -> None:
        """May be called from a signal handler."""
        self._stopping.set()
        _hang_up(self._listener)
        self._listener.close()

    def _welcome(self, connection: socket.socket, name: str) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        conversation = Conversation(connection, name, self._engine, self._watcher)
        thread = threading.Thread(target=self._talk, args=(connection, conversation), name=name, daemon=True)
        with self._lock:
            if len(self._clients) >= MAX_CLIENTS:
                log.warning("%s was sent away: there are %d clients already", name, MAX_CLIENTS)
                connection.close()
                return
            self._clients[connection] = conversation, thread
        thread.start()

    def _talk(self, connection: socket.socket, conversation: Conversation) -> None:
        try:
            conversation.run()
        except Exception:
            log.exception(
                "%s was disconnected: an error that nobody foresaw", threading.current_thread().name
            )
        finally:
            with self._lock:
                del self._clients[connection]
            connection.close()

    def _drain(self) -> None:
        """Idle clients are sent away at once, busy ones when they have their answer or the time is up."""
        limit = time.monotonic() + _DRAIN_SECONDS
        while clients := self._snapshot():
            late = time.monotonic() > limit
            for connection, (conversation, _) in clients:
                if late or not conversation.busy:
                    _hang_up(connection)
            if late:
                break
            time.sleep(0.02)

    def _snapshot(self) -> list[tuple[socket.socket, tuple[Conversation, threading.Thread]]]:
        with self._lock:
            return list(self._clients.items())


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it left by itself
        connection.shutdown(socket.SHUT_RDWR)
