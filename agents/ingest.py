"""Bytes from `touchpoints.<domain>` → validated touchpoints on `identity.touchpoints`, or dead letters with reasons."""

from __future__ import annotations

from typing import Any

from agents.counted import Counted
from agents.deps import Deps
from agents.stopping import stopping
from pipeline.core.ingest import Ingest, IngestConfig
from pipeline.core.tokens import Tokens
from pipeline.engine.stage import StageLogic
from pipeline.engine.worker import create_stage
from pipeline.ports import Store


def ingest_config(deps: Deps, topic: str) -> IngestConfig:
    """What the ingest of one source topic has to know of the settings."""
    settings = deps.settings
    return IngestConfig(
        topic=topic,
        identity_topic=deps.topology.identity,
        dead_letter_topic=deps.topology.dead_letter,
        partitions=deps.topology.partitions,
        lateness=round(settings.lateness_seconds * 1e6),
        mark_interval=round(settings.mark_interval_seconds * 1e6),
        live=settings.clock == "live",
        max_touchpoint_bytes=settings.max_touchpoint_bytes,
        dead_letter_window=settings.dead_letter_window,
        dead_letter_max_share=settings.dead_letter_max_share,
    )


def register(app: Any, deps: Deps) -> None:
    # one for all partitions: what it remembers does not grow with their number
    tokens = Tokens(deps.settings.identity_key.get_secret_value(), deps.plan.kinds)
    for topic in deps.topology.sources:
        config = ingest_config(deps, topic)

        def factory(partition: int, store: Store, config: IngestConfig = config) -> StageLogic:
            logic = Ingest(partition, store, config, deps.plan, tokens)
            return Counted("ingest", config.topic, partition, logic, deps.metrics)

        changelog = deps.topology.changelog("ingest", topic)
        create_stage(app, "ingest", topic, changelog, stopping(factory))
