"""Saying by name who is one person: from the command line to the source topic."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import Replayed, Throughline
from confluent_kafka import Consumer, TopicPartition

from pipeline.settings import Settings

pytestmark = pytest.mark.services
LINKING_MAP = Path(__file__).parents[2] / "examples" / "company" / "map.yaml"


def last_of(settings: Settings, topic: str) -> dict[str, object]:
    reader = Consumer({**settings.kafka_client, "group.id": "a-test", "enable.auto.commit": False})
    try:
        _, end = reader.get_watermark_offsets(TopicPartition(topic, 0), timeout=20)
        reader.assign([TopicPartition(topic, 0, end - 1)])
        record = reader.poll(20)
        assert record is not None
        assert record.error() is None
        return json.loads(record.value())  # type: ignore[no-any-return]
    finally:
        reader.close()


def settings_of(replayed: Replayed) -> Settings:
    own = {
        name.removeprefix("THROUGHLINE_").lower(): value
        for name, value in replayed.throughline.settings.items()
    }
    return Settings(**own, namespace=replayed.name)  # type: ignore[arg-type] - as texts, as from the environment


def test_two_kinds_are_named_under_identities(replayed: Replayed) -> None:
    done = replayed.throughline(
        "identity",
        "unlink",
        "email=ann@example.com",
        "cookie=k 1",
        "--reason",
        "a family",
        "--name",
        replayed.name,
    )
    assert done.code == 0, done.err
    settings = settings_of(replayed)
    event = last_of(settings, settings.topology.source("service"))
    assert event["type"] == "service.identity.unlinked"
    assert event["identities"] == {"email": "ann@example.com", "cookie": "k 1"}
    assert event["data"] == {"reason": "a family"}
    assert str(event["id"]) in done.out


def test_the_second_of_one_kind_is_named_as_the_other(replayed: Replayed) -> None:
    done = replayed.throughline(
        "identity", "link", "email=a@b.c", "email=d@e.f", "--reason", "told by phone", "--name", replayed.name
    )
    assert done.code == 0, done.err
    settings = settings_of(replayed)
    event = last_of(settings, settings.topology.source("service"))
    assert event["type"] == "service.identity.linked"
    assert event["identities"] == {"email": "a@b.c"}
    assert event["data"] == {"reason": "told by phone", "other": {"kind": "email", "value": "d@e.f"}}


def test_the_time_that_is_meant_is_named_in_utc(replayed: Replayed) -> None:
    both = ("email=ann@example.com", "cookie=k", "--reason", "a kiosk", "--name", replayed.name)
    done = replayed.throughline("identity", "unlink", *both, "--at", "2026-03-01T10:00:00+01:00")
    assert done.code == 0, done.err
    settings = settings_of(replayed)
    event = last_of(settings, settings.topology.source("service"))
    assert event["data"] == {"reason": "a kiosk", "at": "2026-03-01T09:00:00+00:00"}
    wrong = replayed.throughline("identity", "unlink", *both, "--at", "soon")
    assert wrong.code == 2
    assert "write an instant such as" in wrong.err


@pytest.mark.parametrize("wrong", ["ann", "=ann", "email="])
def test_what_names_no_identifier_is_an_error_with_the_remedy(throughline: Throughline, wrong: str) -> None:
    done = throughline("identity", "unlink", wrong, "cookie=k", "--reason", "x")
    assert done.code == 2
    assert "KIND=VALUE" in done.err


def test_a_table_of_links_is_sent_and_the_same_table_again_says_the_same(
    replayed: Replayed, tmp_path: Path
) -> None:
    table = tmp_path / "links.csv"
    table.write_text("one,other,time\nemail=a@b.c,customer_id=7,2018-05-01T10:00:00Z\n", "utf-8")
    settings = settings_of(replayed)
    own_map = settings.home / "replays" / replayed.name / "map.yaml"
    said = []
    for _ in range(2):
        done = replayed.throughline(
            "identity", "import", table, "--name", replayed.name, "--map", LINKING_MAP
        )
        assert (done.code, done.out.partition(";")[0]) == (0, "sent 1 links"), done.err
        said.append(last_of(settings, settings.topology.source("service")))
    assert own_map.exists()
    assert said[0] == said[1]
    assert said[0]["type"] == "service.identity.imported"
    assert (said[0]["time"], said[0]["identities"]) == (
        "2018-05-01T10:00:00+00:00",
        {"email": "a@b.c", "customer_id": "7"},
    )


def test_a_table_with_a_kind_that_the_replays_own_map_does_not_have_is_refused(
    replayed: Replayed, tmp_path: Path
) -> None:
    table = tmp_path / "links.csv"
    table.write_text("one,other\nfax=1,customer_id=7\n", "utf-8")
    done = replayed.throughline("identity", "import", table, "--name", replayed.name)
    assert (done.code, done.out) == (2, "")
    assert "'fax' is no personal kind of the journey map" in done.said
    assert "nothing was sent" in done.said
