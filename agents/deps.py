"""What every agent is given: made once, by `create_app`."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.core.budget import Budget
from pipeline.core.plan import Plan
from pipeline.metrics import Metrics
from pipeline.settings import Settings
from pipeline.topology import Topology


@dataclass(frozen=True)
class Deps:
    settings: Settings
    plan: Plan
    metrics: Metrics
    cache: Budget
    """What all stages of the worker may keep unpacked."""

    @property
    def topology(self) -> Topology:
        return self.settings.topology
