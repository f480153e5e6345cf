"""Real services for tests: ports that are free, and how to tell that a test needs the mark `services`."""

from __future__ import annotations

import secrets
from pathlib import Path

from pipeline.embedded.ports import is_free

_LOWEST = 16_000
SHARED = frozenset({"kafka", "clickhouse"})
"""The fixtures that stand for a running service."""


def free_port(neighbours: int = 0) -> int:
    """A port on loopback that is free now, and so are so many after it.

    The system takes the ports of outgoing connections from its ephemeral range: whatever is free there now may be
    taken before a server gets to it. So the port comes from below that range, and at random, because tests of
    several checkouts may run beside each other.
    """
    span = range(_LOWEST, _first_ephemeral() - neighbours)
    while True:
        port = span[secrets.randbelow(len(span))]
        if all(is_free(port + further) for further in range(neighbours + 1)):
            return port


def _first_ephemeral() -> int:
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()[0])
    return first if first > _LOWEST + 1000 else 32_768
