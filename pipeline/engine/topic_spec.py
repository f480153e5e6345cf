"""What a topic is declared to be. Apart from `topics`, so that whoever only names topics needs no Kafka client."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class TopicSpec:
    """One topic as it has to be. `config` uses the broker's names; what it does not name is not checked."""

    name: str
    partitions: int
    replication: int = 1
    config: dict[str, str] = field(default_factory=dict)
