"""`identity.touchpoints` → `journeys.touchpoints`: whose is it?"""

from __future__ import annotations

from typing import Any

from agents.counted import Counted
from agents.deps import Deps
from agents.stopping import stopping
from pipeline.core.identity import Identity, IdentityConfig
from pipeline.engine.stage import StageLogic
from pipeline.engine.worker import create_stage
from pipeline.ports import Store


def register(app: Any, deps: Deps) -> None:
    topology = deps.topology
    config = IdentityConfig(
        identity_topic=topology.identity,
        journeys_topic=topology.journeys,
        partitions=topology.partitions,
        sources=tuple(
            f"{topic}/{p}" for topic in topology.sources for p in range(topology.source_partitions)
        ),
        kinds=deps.plan.kinds,
        links_topic=topology.links if deps.plan.links else None,
        cache=deps.cache,
    )

    def factory(partition: int, store: Store) -> StageLogic:
        logic = Identity(partition, store, config)
        return Counted("identity", topology.identity, partition, logic, deps.metrics)

    changelog = topology.changelog("identity", topology.identity)
    create_stage(app, "identity", topology.identity, changelog, stopping(factory))
