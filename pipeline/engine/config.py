"""What the engine has to be told: plain values, no environment, no defaults that depend on a pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class EngineConfig:
    """Times are in seconds, sizes in bytes unless the name says otherwise.

    `app` is the consumer group and the prefix of every transactional id. `data` is a folder of this worker
    alone. `options` are passed through to all three Kafka clients in librdkafka's names
    (`security.protocol`, `sasl.mechanism`, …).
    """

    app: str
    bootstrap: str
    data: Path
    options: Mapping[str, str] = field(default_factory=dict)

    batch_records: int = 8000
    """Records of one fetched partition batch at most; a commit costs 4 ms with 1 record, 12 ms with 2,000, 23 ms
    with 10,000.
    """
    batch_bytes: int = 8 * 1024 * 1024
    """Values of one fetched partition batch, unpacked; a quarter of it is what is fetched of a partition, packed. A single
    larger record still comes. A record may be a frame of hundreds of messages, each of which costs what a record does. With
    2 MiB a worker's CPU was a tenth more for each event.
    """
    transaction_timeout: float = 10.0
    """An open transaction freezes its partitions for every committed reader, so a dead worker's must end
    soon.
    """
    session_timeout: float = 10.0
    """A worker that is silent for this long loses its partitions."""
    heartbeat: float = 2.0
    poll_interval: float = 300.0
    """An event loop that asks for no batch for this long is hung: its worker leaves the group."""
    quiet_interval: float = 0.25
    """A partition that was read to its end hears `quiet` this often."""
    drain: float = 20.0
    """How long SIGTERM, or a rebalance, waits for the batches under way."""
    tries: int = 3
    """A unit that fails is reopened this often, with back-off, before the worker stops."""
    back_off: float = 0.5
    """Before the first reopening; doubles each time."""
    recovery_timeout: float = 120.0
    """Recovery fails when the changelog's end comes no nearer for this long."""
    sink_records: int = 50_000
    """A sink writes when it has gathered this many records …"""
    sink_bytes: int = 32 * 1024 * 1024
    """… or their values have this many bytes …"""
    sink_delay: float = 1.0
    """… or when the oldest of them is this old."""
    sink_back_off: float = 30.0
    """The longest pause before a sink's write is tried again; the first is `back_off`, none is the last."""
    producer_queue_bytes: int = 32 * 1024 * 1024
    """Cap of one unit's unsent records; a full queue is back-pressure."""
    state_memory: int = 256 * 1024 * 1024
    """What all state databases of this worker may hold in memory; 0 keeps all state in memory and none on disk."""
    threads: int = 64
    """Units that may process or commit at the same time; idle threads are never started."""
