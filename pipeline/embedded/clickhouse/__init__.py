"""ClickHouse's engine (chDB) behind its native TCP protocol, in a process of its own.

`EmbeddedClickHouse` starts and ends that process; `python -m pipeline.embedded.clickhouse` is that process.
Clients can't tell it from a server for what docs/embedded.md lists; for the rest they get an exception.
"""

from pipeline.embedded.clickhouse.service import EmbeddedClickHouse

__all__ = ["EmbeddedClickHouse"]
