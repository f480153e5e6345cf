"""How tests come by a connection to the ClickHouse of this room."""

from __future__ import annotations

from collections.abc import Callable

from clickhouse_driver import Client

Connect = Callable[..., Client]
"""Makes a client with the driver's options; it is closed when the test ends."""
