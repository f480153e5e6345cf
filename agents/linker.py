"""`identity.links` → who is one person with whom, told to `identity.touchpoints`: one partition, one writer."""

from __future__ import annotations

from typing import Any

from agents.counted import Counted
from agents.deps import Deps
from agents.stopping import stopping
from pipeline.core.linker import Linker, LinkerConfig
from pipeline.core.linking import rules_of
from pipeline.engine.stage import StageLogic
from pipeline.engine.worker import create_stage
from pipeline.ports import Store


def register(app: Any, deps: Deps) -> None:
    """Nothing where no two personal identifiers can be one person."""
    if not deps.plan.links:
        return
    topology = deps.topology
    config = LinkerConfig(
        topology.identity, topology.state, topology.partitions, rules_of(deps.plan.kinds), deps.cache
    )

    def factory(partition: int, store: Store) -> StageLogic:
        return Counted("linker", topology.links, partition, Linker(store, config), deps.metrics)

    changelog = topology.changelog("linker", topology.links)
    create_stage(app, "linker", topology.links, changelog, stopping(factory))
