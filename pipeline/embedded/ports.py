"""Is a port on loopback free, and who holds it if not?"""

from __future__ import annotations

import os
import socket
from pathlib import Path

from pipeline.embedded.errors import PortTakenError

LOOPBACK = "127.0.0.1"


def require_free(port: int, service: str, setting: str) -> None:
    """Raises PortTakenError, naming the port, the holder if the system tells, and the setting to change."""
    if is_free(port):
        return
    holder = holder_of(port)
    by = f" by {holder}" if holder else ""
    raise PortTakenError(
        f"{service} can't listen on {LOOPBACK}:{port}: the port is taken{by}; "
        f"end that process or change {setting}."
    )


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # as servers do, else a connection that ended a minute ago counts as a listener
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def holder_of(port: int) -> str | None:
    """`process 4242 (java)` that listens on `port`; None where /proc is missing or does not show it."""
    sockets = {f"socket:[{inode}]" for table in ("tcp", "tcp6") for inode in _listeners(table, port)}
    if not sockets:
        return None
    for process in Path("/proc").glob("[0-9]*"):
        if _has_open(process, sockets):
            return f"process {process.name} ({_name(process)})"
    return None


def _listeners(table: str, port: int) -> list[str]:
    """Inodes of the sockets that listen on `port`."""
    try:
        rows = [line.split() for line in Path("/proc/net", table).read_text("ascii").splitlines()[1:]]
    except OSError:
        return []
    listen = "0A"
    return [row[9] for row in rows if row[3] == listen and int(row[1].rpartition(":")[2], 16) == port]


def _has_open(process: Path, sockets: set[str]) -> bool:
    try:
        return any(os.readlink(handle) in sockets for handle in (process / "fd").iterdir())
    except OSError:  # gone meanwhile, or another user's
        return False


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text("utf-8").strip()
    except OSError:
        return "ended meanwhile"
