"""`journeys.touchpoints` → enriched touchpoints, findings and states: one trail a person, refolded when it changes."""

from __future__ import annotations

from typing import Any

from agents.counted import Counted
from agents.deps import Deps
from agents.stopping import stopping
from pipeline.core.deadlines import deadline_order
from pipeline.core.evaluation import JourneyConfig
from pipeline.core.journey_stage import JourneyStage
from pipeline.engine.stage import StageLogic
from pipeline.engine.worker import create_stage
from pipeline.ports import Store


def register(app: Any, deps: Deps) -> None:
    topology, config = deps.topology, journey_config(deps)

    def factory(partition: int, store: Store) -> StageLogic:
        logic = JourneyStage(partition, store, config, deps.plan)
        return Counted("journey", topology.journeys, partition, logic, deps.metrics)

    changelog = topology.changelog("journey", topology.journeys)
    create_stage(app, "journey", topology.journeys, changelog, stopping(factory), deadline_order)


def journey_config(deps: Deps) -> JourneyConfig:
    """What the journey stage has to know of the settings."""
    topology, settings = deps.topology, deps.settings
    return JourneyConfig(
        identity_topic=topology.identity,
        stays_topic=topology.stays,
        enriched_topic=topology.enriched,
        findings_topic=topology.findings,
        state_topic=topology.state,
        partitions=topology.partitions,
        trail_entries=settings.trail_entries,
        duplicate_ids=settings.duplicate_ids,
        cache=deps.cache,
    )
