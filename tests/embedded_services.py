"""Real services for tests: ports that are free, and how to tell that a test needs the mark `services`."""

from __future__ import annotations

import socket

SHARED = frozenset({"kafka", "clickhouse"})
"""The fixtures that stand for a running service."""


def free_port(neighbours: int = 0) -> int:
    """A port on loopback that nobody listens on now, nor on so many after it."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = int(listener.getsockname()[1])
        if all(_is_free(port + further) for further in range(neighbours + 1)):
            return port


def _is_free(port: int) -> bool:
    if port > 65_535:
        return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe.connect_ex(("127.0.0.1", port)) != 0
