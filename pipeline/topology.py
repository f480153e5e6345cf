"""Every topic of a pipeline, in one place: name, partitions, retention, cleanup. Nothing else spells a topic's name.

A pipeline has a namespace: the live one has none, a replay's is its name. All its topics, its consumer group, its
transactional ids and its database carry the namespace, so that pipelines never meet.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.engine.topic_spec import TopicSpec
from schemas.base import DOMAINS

__all__ = ["DOMAINS", "MAX_LETTER_BYTES", "MAX_RECORD_BYTES", "Topology"]

MAX_RECORD_BYTES = 11 * 1024 * 1024
"""Of a source topic; what is larger does not leave its producer."""
MAX_LETTER_BYTES = 12 * 1024 * 1024
"""Of the dead-letter topic: a record of the largest size, and the headers that say what is wrong with it."""

MAX_INTERNAL_BYTES = 16 * 1024 * 1024
"""Of every other topic: what the producers and the embedded broker take at most."""

_DAY_MS = 24 * 3600 * 1000
_WEEK = {"retention.ms": str(7 * _DAY_MS)}
_FOREVER = {"retention.ms": "-1"}


@dataclass(frozen=True)
class Topology:
    """The names and shapes of a pipeline's topics.

    `source_partitions` of each touchpoints.<domain>, `partitions` of every topic behind ingest.
    """

    namespace: str = ""
    partitions: int = 4
    source_partitions: int = 1
    replication: int = 1
    domains: tuple[str, ...] = DOMAINS

    def _name(self, name: str) -> str:
        return f"{self.namespace}.{name}" if self.namespace else name

    @property
    def app(self) -> str:
        return self._name("throughline") if self.namespace else "throughline"

    @property
    def sources(self) -> tuple[str, ...]:
        return tuple(self.source(domain) for domain in self.domains)

    def source(self, domain: str) -> str:
        return self._name(f"touchpoints.{domain}")

    @property
    def dead_letter(self) -> str:
        return self._name("touchpoints.dead-letter")

    @property
    def identity(self) -> str:
        return self._name("identity.touchpoints")

    @property
    def links(self) -> str:
        """One partition: the linker is the one writer of persons."""
        return self._name("identity.links")

    @property
    def journeys(self) -> str:
        return self._name("journeys.touchpoints")

    @property
    def stays(self) -> str:
        """One partition: the learner is the one writer of limits."""
        return self._name("journeys.stays")

    @property
    def enriched(self) -> str:
        return self._name("journeys.enriched")

    @property
    def findings(self) -> str:
        return self._name("journeys.findings")

    @property
    def state(self) -> str:
        return self._name("journeys.state")

    @property
    def buckets(self) -> str:
        return self._name("warehouse.buckets")

    def changelog(self, stage: str, topic: str) -> str:
        """The changelog of a stage over one input topic; partition p belongs to input partition p."""
        bare = topic.removeprefix(f"{self.namespace}.") if self.namespace else topic
        return self._name(f"{stage}.{bare}.changelog")

    def specs(self) -> list[TopicSpec]:
        """All topics, as they have to be before a worker starts."""
        many = self.partitions

        def spec(name: str, partitions: int, config: dict[str, str]) -> TopicSpec:
            return TopicSpec(name, partitions, self.replication, config)

        week = {**_WEEK, "max.message.bytes": str(MAX_INTERNAL_BYTES)}
        compact = {
            "max.message.bytes": str(MAX_INTERNAL_BYTES),
            "cleanup.policy": "compact",
            "delete.retention.ms": str(7 * _DAY_MS),
        }
        changelog = {**compact, "segment.ms": str(_DAY_MS), "min.cleanable.dirty.ratio": "0.3"}
        letter = {**_FOREVER, "max.message.bytes": str(MAX_LETTER_BYTES)}
        source = {
            **_WEEK,
            "max.message.bytes": str(MAX_RECORD_BYTES),
            # a producer that says when its event happened must not have retention take it away, nor future times for granted
            "message.timestamp.type": "LogAppendTime",
        }
        return [
            *(spec(name, self.source_partitions, source) for name in self.sources),
            spec(self.dead_letter, 1, letter),
            spec(self.identity, many, week),
            spec(self.links, 1, week),
            spec(self.journeys, many, week),
            spec(self.stays, 1, week),
            spec(self.enriched, many, week),
            spec(self.findings, many, week),
            spec(self.state, many, compact),
            spec(self.buckets, many, week),
            *(
                spec(self.changelog("ingest", name), self.source_partitions, changelog)
                for name in self.sources
            ),
            spec(self.changelog("identity", self.identity), many, changelog),
            spec(self.changelog("linker", self.links), 1, changelog),
            spec(self.changelog("journey", self.journeys), many, changelog),
            spec(self.changelog("learner", self.stays), 1, changelog),
        ]
