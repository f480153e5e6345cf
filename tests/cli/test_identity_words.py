"""Saying by name who is one person: from the command line to the source topic."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import Replayed, Throughline
from confluent_kafka import Consumer, TopicPartition

from pipeline.cli.which import own_map
from pipeline.settings import Settings

pytestmark = pytest.mark.services
LINKING_MAP = Path(__file__).parents[2] / "examples" / "company" / "map.yaml"


@pytest.fixture(scope="module")
def replayed(replayed: Replayed) -> Replayed:
    """One of these tests' own, with topics and a map and no touchpoints: other tests count those of the shared one."""
    own = replace(replayed, name=f"{replayed.name}-words")
    assert own.throughline("prepare", namespace=own.name).code == 0
    kept = own_map(settings_of(own))
    kept.parent.mkdir(parents=True)
    shutil.copy(own.shop.map, kept)
    return own


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
        "--map",
        LINKING_MAP,
        "--name",
        replayed.name,
    )
    assert done.code == 0, done.err
    settings = settings_of(replayed)
    event = last_of(settings, settings.topology.source("service"))
    assert event["type"] == "service.identity.unlinked"
    assert event["identities"] == {"email": "ann@example.com", "cookie": "k 1"}
    assert event["data"] == {"reason": "a family"}
    assert done.out == f"said: email=ann@example.com and cookie=k 1 are unlinked; touchpoint {event['id']}\n"


def test_the_second_of_one_kind_is_named_as_the_other(replayed: Replayed) -> None:
    both = ("email=a@b.c", "email=d@e.f", "--reason", "told by phone", "--name", replayed.name)
    done = replayed.throughline("identity", "link", *both, "--map", LINKING_MAP)
    assert done.code == 0, done.err
    settings = settings_of(replayed)
    event = last_of(settings, settings.topology.source("service"))
    assert event["type"] == "service.identity.linked"
    assert event["identities"] == {"email": "a@b.c"}
    assert event["data"] == {"reason": "told by phone", "other": {"kind": "email", "value": "d@e.f"}}


def test_the_time_that_is_meant_is_named_in_utc(replayed: Replayed, tmp_path: Path) -> None:
    both = ("email=ann@example.com", "cookie=k", "--reason", "a kiosk", "--name", replayed.name)
    at = ("--at", "2026-03-01T10:00:00+01:00")
    done = replayed.throughline("identity", "unlink", *both, *at, journey_map=LINKING_MAP, home=tmp_path)
    assert done.code == 0, done.err
    settings = settings_of(replayed)
    event = last_of(settings, settings.topology.source("service"))
    assert event["data"] == {"reason": "a kiosk", "at": "2026-03-01T09:00:00+00:00"}
    wrong = replayed.throughline("identity", "unlink", *both, "--at", "soon")
    assert wrong.code == 2
    assert "write an instant such as" in wrong.err


@pytest.mark.parametrize(
    ("one", "said"),
    [
        ("custmer_id=7", "no identifier kind 'custmer_id' (did you mean 'customer_id'?); it has cookie, "),
        ("phone=ask Ann", "phone=ask Ann is no possible phone number"),
        ("email=unknown", "email=unknown is blocked in the journey map"),
        ("order_id=7", "order_id=7 is a reference, which belongs to one person anyway; name two of cookie, "),
        ("email=Ann@Example.com", "email=Ann@Example.com and email=ann@example.com are the same identifier"),
    ],
)
@pytest.mark.parametrize("verb", ["link", "unlink"])
def test_a_word_that_the_pipeline_would_refuse_is_refused_at_once(
    replayed: Replayed,
    throughline: Throughline,
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
    one: str,
    said: str,
) -> None:
    for setting, value in replayed.throughline.settings.items():
        monkeypatch.setenv(setting, value)
    both = (one, "email=ann@example.com", "--reason", "x", "--name", replayed.name)
    done = throughline("identity", verb, *both, "--map", LINKING_MAP)
    assert (done.code, done.out) == (2, "")
    assert said in done.said


def test_a_word_is_held_against_the_map_that_the_replay_keeps(replayed: Replayed) -> None:
    both = ("email=a@b.c", "customer_id=anna", "--reason", "x", "--name", replayed.name)
    done = replayed.throughline("identity", "link", *both)
    assert (done.code, done.out) == (2, "")
    assert "the journey map has no identifier kind 'email'; it has customer_id, order_id" in done.said


def test_without_a_map_a_word_is_said_to_be_sent_and_not_to_hold(replayed: Replayed, tmp_path: Path) -> None:
    both = ("custmer_id=7", "email=a@b.c", "--reason", "x", "--name", replayed.name)
    done = replayed.throughline("identity", "unlink", *both, home=tmp_path)
    assert done.code == 0, done.err
    assert done.out.startswith("sent the word that custmer_id=7 and email=a@b.c are unlinked; touchpoint ")
    assert "so the pipeline decides whether these are identifiers; `throughline dlq list` has" in done.out


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
    assert "the journey map has no identifier kind 'fax'" in done.said
    assert "nothing was sent" in done.said
