"""Squashing the overrides of a pipeline: when its warehouse stage has stored what was published before."""

from __future__ import annotations

import time
from contextlib import closing

from pipeline.operations.caught_up import NotCaughtUpError, Watcher
from pipeline.settings import Settings
from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.squash import Squashed, preview, squash

_ANSWER_SECONDS = 3600.0
"""For one statement: a month of touchpoints, during which the embedded ClickHouse says nothing."""

_SETTLE_SECONDS = 5.0
"""In which a question reads the overrides that it needs; it does so before it reads touchpoints, or along with them."""


def squash_overrides(settings: Settings, limit: float) -> Squashed:
    """Put all overrides into the touchpoints that they speak of; what was done.

    Raises NotCaughtUpError when the warehouse stage is still behind after `limit` seconds, WarehouseError and
    KafkaProblemError. Whatever it raises, no answer has changed, and it may be begun again.
    """
    topology = settings.topology

    def catch_up() -> None:
        try:
            watcher.wait_past((topology.enriched, topology.state), limit)
        except NotCaughtUpError as error:
            raise NotCaughtUpError(
                f"touchpoints that the overrides may speak of are not in the warehouse: {error}. No override was "
                "removed; when a worker runs (`throughline status` shows how far it is), squash again"
            ) from error

    with (
        closing(Watcher(settings.kafka_client, topology)) as watcher,
        closing(Warehouse.of(settings, _ANSWER_SECONDS)) as warehouse,
    ):
        return squash(warehouse, catch_up, settle=lambda: time.sleep(_SETTLE_SECONDS))


def preview_squash(settings: Settings) -> Squashed:
    """What a squash would do now. Raises WarehouseError."""
    with closing(Warehouse.of(settings, _ANSWER_SECONDS)) as warehouse:
        return preview(warehouse)
