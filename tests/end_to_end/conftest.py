"""Pipelines on the shared Kafka and ClickHouse."""

from __future__ import annotations

import itertools
import uuid
from pathlib import Path
from typing import Any

import pytest
from pipelines import NewSettings
from small_shop import SmallShop, small_shop

from pipeline.settings import Settings

_RUN = uuid.uuid4().hex[:6]
_NUMBER = itertools.count(1)


@pytest.fixture
def new_settings(kafka: str, clickhouse: str, tmp_path: Path) -> NewSettings:
    def new(**given: Any) -> Settings:
        own: dict[str, Any] = {
            "home": tmp_path / "home",
            "kafka": kafka,
            "clickhouse": clickhouse,
            "metrics_port": 0,
            "namespace": f"e2e-{_RUN}-{next(_NUMBER)}",
            "clock": "replay",
            "partitions": 2,
        }
        return Settings(**{**own, **given})

    return new


@pytest.fixture
def shop(tmp_path: Path) -> SmallShop:
    return small_shop(tmp_path / "shop")
