"""`journeys.stays` → the limits that are learned, told to `journeys.touchpoints`: one partition, one writer."""

from __future__ import annotations

from typing import Any

from agents.counted import Counted
from agents.deps import Deps
from agents.stopping import stopping
from pipeline.core.learner import Learner, LearnerConfig
from pipeline.engine.stage import StageLogic
from pipeline.engine.worker import create_stage
from pipeline.ports import Store


def register(app: Any, deps: Deps) -> None:
    """Nothing where nothing is learned."""
    if not deps.plan.learned:
        return
    topology = deps.topology
    config = LearnerConfig(topology.journeys, topology.state, topology.partitions, deps.plan.learned)

    def factory(partition: int, store: Store) -> StageLogic:
        return Counted("learner", topology.stays, partition, Learner(store, config), deps.metrics)

    create_stage(
        app, "learner", topology.stays, topology.changelog("learner", topology.stays), stopping(factory)
    )
