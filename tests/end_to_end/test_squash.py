"""`throughline identity squash` beside working workers: whoever a touchpoint belonged to, it still does, and so later."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import CommandLine, Done
from confluent_kafka import Producer
from pipelines import NewSettings, Pipeline, running
from test_linking import MAP, Event, events

from pipeline.operations.feeding import feed
from pipeline.settings import Settings

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(240)]


def squash(settings: Settings, *options: object) -> Done:
    addresses = {name: getattr(settings, name) for name in ("home", "kafka", "clickhouse", "partitions")}
    command = CommandLine(settings.home.parent, addresses)
    return command("identity", "squash", "--name", settings.namespace, *options)


def send(pipeline: Pipeline, coming: list[Event]) -> None:
    with pipeline.writer() as writer:
        feed(coming, writer, coming[-1].time)


def require_every_touchpoint_with_its_person(pipeline: Pipeline) -> None:
    """The persons' own states say how many each has."""
    said = pipeline.query("SELECT person_id, toUInt64(touchpoints) FROM living_persons ORDER BY person_id")
    found = pipeline.query(
        "SELECT person_id, count() FROM touchpoints_resolved GROUP BY person_id ORDER BY person_id"
    )
    assert found == said


def test_touchpoints_stay_with_their_persons_before_after_and_when_they_move_again(
    new_settings: NewSettings, tmp_path: Path
) -> None:
    journey_map = tmp_path / "map.yaml"
    journey_map.write_text(MAP)
    coming = events()[:2400]
    settings = new_settings(journey_map=journey_map, batch_records=100)
    with running(settings) as pipeline:
        send(pipeline, coming[:1500])
        pipeline.wait()
        require_every_touchpoint_with_its_person(pipeline)
        ((overrides,),) = pipeline.query("SELECT count() FROM person_overrides FINAL")
        assert overrides > 50, "hardly anything moved"

        would = squash(settings, "--dry-run")
        done = squash(settings)

        assert f"overrides would be taken: {overrides:,}\n" in would.out
        assert f"overrides taken: {overrides:,}\n" in done.out
        assert done.out.splitlines()[1].removeprefix("touchpoints rewritten: ") == would.out.splitlines()[
            1
        ].removeprefix("touchpoints to rewrite: ")
        assert "months: 2026-0" in done.out
        assert pipeline.query("SELECT count() FROM person_overrides") == [(0,)]
        require_every_touchpoint_with_its_person(pipeline)

        send(pipeline, coming[1500:2000])
        during = squash(settings)
        pipeline.wait()
        assert during.code == 0, during.err
        require_every_touchpoint_with_its_person(pipeline)
        send(pipeline, coming[2000:])
        pipeline.wait()
        require_every_touchpoint_with_its_person(pipeline)
        ((pending,),) = pipeline.query("SELECT count() FROM person_overrides")
        assert pending > 0, "nothing moved once more"

    unread = Producer(settings.kafka_client)
    unread.produce(settings.topology.enriched, b"{}", partition=0)
    unread.flush()
    refused = squash(settings, "--limit", 0)
    assert refused.code == 1
    assert "are not in the warehouse" in refused.said
    assert pipeline.query("SELECT count() FROM person_overrides") == [(pending,)]
