"""`throughline shadow` beside working workers: they do not notice, and go on."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from command_line import CommandLine
from confluent_kafka.admin import AdminClient
from pipelines import NewSettings, Pipeline, running
from small_shop import SmallShop

from pipeline.core.instants import micros
from pipeline.settings import Settings

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(240)]

AS_OF = datetime(2018, 5, 9, tzinfo=UTC)


def order(number: int, kind: str = "sales.order.placed", day: int = 1) -> bytes:
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": f"{number}-{kind}",
        "source": "/shop",
        "type": kind,
        "time": f"2018-05-{day:02}T10:00:00Z",
        "identities": {"customer_id": f"c-{number}", "order_id": f"o-{number}"},
        "data": {"promised": "2018-05-05T00:00:00Z"},
    }
    return json.dumps(event).encode()


def members(settings: Settings) -> list[tuple[str, int]]:
    """Who is in the workers' group, and how many partitions each has."""
    admin = AdminClient(settings.kafka_client)
    (described,) = admin.describe_consumer_groups([settings.topology.app]).values()
    found = described.result(20).members
    return sorted((each.member_id, len(each.assignment.topic_partitions)) for each in found)


def promises(pipeline: Pipeline) -> dict[str, int]:
    return dict(pipeline.query("SELECT status, count() FROM promises FINAL GROUP BY status"))


def test_workers_go_on_as_if_nobody_had_asked(new_settings: NewSettings, shop: SmallShop) -> None:
    settings = new_settings(journey_map=shop.map)
    new = shop.folder / "sooner.yaml"
    new.write_text(shop.map.read_text("utf-8").replace("expected: 3d", "expected: 12h"), "utf-8")
    environment = {name.removeprefix("THROUGHLINE_"): value for name, value in settings.environment().items()}
    command = CommandLine(shop.folder, environment)
    with running(settings, workers=2) as pipeline:
        with pipeline.writer() as writer:
            for number in range(40):
                writer.send("sales", None, order(number))
        pipeline.wait()
        before = members(settings)
        assert len(before) >= 2

        reports = []
        for source in ("clickhouse", "kafka"):
            to = shop.folder / f"{source}.json"
            done = command(
                "shadow", "--map", new, "--source", source, "--until", "2018-05-02T00:00:00Z", "--json", to
            )
            assert done.code == 0, done.err
            assert "40 of 40 customers would change: 40 in a verdict" in done.out
            reports.append(json.loads(to.read_text("utf-8")))
        assert reports[0]["changes"] == reports[1]["changes"]
        assert members(settings) == before
        assert promises(pipeline) == {"made": 40}

        with pipeline.writer() as writer:
            for number in range(30):
                writer.send("fulfilment", None, order(number, "fulfilment.order.delivered", 4))
            writer.tick(micros(AS_OF))
        pipeline.wait()
        assert promises(pipeline) == {"kept": 30, "broken": 10}
        assert members(settings) == before
