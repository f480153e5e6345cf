"""Commands beside a pipeline that exists: a replay of the small shop on the shared services."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from command_line import Done, Replayed, Throughline
from confluent_kafka import Producer
from small_shop import FIGURES, ORDERS

from pipeline.core.dead_letters import RefusedError, dead_letter, encode_headers
from pipeline.engine.topics import delete_topics
from pipeline.imports.importer import Importer
from pipeline.operations.dead_letters import read_letters
from pipeline.settings import Settings
from schemas.dead_letter import ErrorCode

pytestmark = pytest.mark.services


class Refused:
    """A record as a stage refuses it."""

    def __init__(self, topic: str, value: bytes) -> None:
        self.topic, self.partition, self.offset, self.timestamp = topic, 0, 7, 1_525_168_800_000
        self.key, self.value = b"o-9", value
        self.headers = (("content-type", b"application/cloudevents+json"),)


def settings_of(replayed: Replayed) -> Settings:
    own = {
        name.removeprefix("THROUGHLINE_").lower(): value
        for name, value in replayed.throughline.settings.items()
    }
    return Settings(**own, namespace=replayed.name)  # type: ignore[arg-type] - as texts, as from the environment


@pytest.fixture(scope="module")
def with_letters(replayed: Replayed) -> Replayed:
    """Two dead letters: of a source, and of a topic within the pipeline."""
    settings = settings_of(replayed)
    producer = Producer(settings.kafka_client)
    for topic, code in (
        (settings.topology.source("sales"), "wrong_type"),
        (settings.topology.state, "invalid_value"),
    ):
        record = Refused(topic, b'{"id": [1]}')
        letter = dead_letter(
            record, RefusedError(ErrorCode(code), "data.[x]", "it is [bold], write text"), "ingest"
        )
        headers = encode_headers(record.headers, letter)
        producer.produce(settings.topology.dead_letter, record.value, record.key, headers=headers)
    assert producer.flush(20) == 0
    producer.close()
    return replayed


@pytest.fixture
def here(throughline: Throughline, replayed: Replayed, monkeypatch: pytest.MonkeyPatch) -> Throughline:
    """Commands in this process, with the settings of the replay; more settings by name."""
    for name, value in replayed.throughline.settings.items():
        monkeypatch.setenv(name, value)

    def call(*arguments: object, **settings: object) -> Done:
        with monkeypatch.context() as patch:
            for name, value in settings.items():
                patch.setenv(f"THROUGHLINE_{name.upper()}", str(value))
            return throughline(*arguments)

    return call


def test_a_replay_prints_the_summary_that_a_run_prints(replayed: Replayed) -> None:
    assert replayed.summary == FIGURES


def test_a_replay_that_exists_is_refused_and_keeps_its_map(replayed: Replayed) -> None:
    shop, name = replayed.shop, replayed.name
    kept = replayed.throughline.folder / "home" / "replays" / name / "map.yaml"
    before = kept.read_bytes()
    text = shop.map.read_text("utf-8")
    try:
        shop.map.write_text(text.replace("expected: 3d", "expected: 4d"), "utf-8")
        done = replayed.throughline("replay", *shop.arguments, "--name", name)
    finally:
        shop.map.write_text(text, "utf-8")
    assert (done.code, done.out) == (2, "")
    assert done.said.endswith(
        f"error: a pipeline named '{name}' exists already; give --fresh to remove it first, or choose another --name"
    )
    assert kept.read_bytes() == before


def test_a_replay_that_exists_is_refused_before_its_tables_are_read(
    here: Throughline, replayed: Replayed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Importer, "events", lambda *_: pytest.fail("the tables are read"))
    done = here("replay", *replayed.shop.arguments, "--name", replayed.name)
    assert (done.code, done.out) == (2, "")
    assert f"a pipeline named '{replayed.name}' exists already" in done.said


def test_tables_of_which_nothing_can_be_made_do_not_take_the_place_of_an_earlier_replay(
    here: Throughline, replayed: Replayed, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "orders.csv").write_text(ORDERS.splitlines()[0] + "\n", "utf-8")
    given = [*replayed.shop.arguments[:-1], str(tmp_path / "empty")]
    done = here("replay", *given, "--name", replayed.name, "--fresh")
    assert (done.code, done.out) == (2, "")
    assert "the mapping makes no touchpoint of these tables" in done.said
    assert here("journey", "anna", "--name", replayed.name).code == 0


@pytest.mark.slow
def test_a_fresh_replay_takes_the_place_of_the_earlier_one(here: Throughline, replayed: Replayed) -> None:
    shop, name = replayed.shop, f"{replayed.name}-again"
    first = here("replay", *shop.arguments, "--name", name, "--workers", 1, "--as-of", "2018-05-04")
    assert first.code == 0
    assert "touchpoints 4 " in first.out
    assert "after as of 2" in first.out
    again = here("replay", *shop.arguments, "--name", name, "--workers", 1, "--fresh", "--json")
    assert again.code == 0
    assert json.loads(again.out) == FIGURES


def test_a_journey_is_shown_by_any_identifier_within_80_columns(
    here: Throughline, replayed: Replayed
) -> None:
    by_person = here("journey", "anna", "--name", replayed.name)
    by_order = here("journey", "o-4", "--name", replayed.name)
    assert by_person.code == by_order.code == 0
    assert by_person.out == by_order.out
    assert "3 touchpoints, 2 journeys" in by_person.out
    assert "promise delivery: kept, 38.0 h early" in by_person.out
    assert "order o-4: open, in on_its_way since 2018-05-07 12:00:00" in by_person.out
    assert max(map(len, by_person.out.splitlines())) <= 80
    times = [line[:19] for line in by_person.out.splitlines() if line.startswith("2018-")]
    assert times == sorted(times)


def test_a_finding_on_the_time_line_is_explained(here: Throughline, replayed: Replayed) -> None:
    shown = here("journey", "anna", "--name", replayed.name).out
    [finding] = re.findall(r"delivery: kept.*\n.*\(([0-9a-f]{8})\)", shown)
    done = here("explain", finding, "--name", replayed.name)
    assert done.code == 0
    assert re.search(r"^promise delivery of order o-\d: kept$", done.out, re.MULTILINE)
    assert "due at the instant in data.promised of the touchpoint that made it" in done.out
    assert re.search(r"settled at .*, 1 d 14 h early: kept$", done.out, re.MULTILINE)
    # made and kept in one batch, it was never told as made
    assert re.search(
        r"revision 0: (made|kept), (before any time was told|when time had come to 2018-)", done.out
    )


def test_a_stall_is_explained_by_what_the_clock_did(here: Throughline, replayed: Replayed) -> None:
    shown = here("journey", "cleo", "--name", replayed.name).out
    [finding] = re.findall(r"stuck in on_its_way.*\n.*\(([0-9a-f]{8})\)", shown)
    done = here("explain", finding, "--name", replayed.name)
    assert "longer than 3 d is a stall; owned by carriers" in done.out
    assert "2018-05-01 12:00 to " in done.out.partition("What the clock did")[2]
    assert re.search(r"nothing has settled it, and time has come to .*: opened$", done.out, re.MULTILINE)


def test_a_finding_of_another_map_is_said_to_be_one(
    here: Throughline, replayed: Replayed, tmp_path: Path
) -> None:
    shown = here("journey", "cleo", "--name", replayed.name).out
    [finding] = re.findall(r"stuck in on_its_way.*\n.*\(([0-9a-f]{8})\)", shown)
    other = tmp_path / "other.yaml"
    other.write_text(replayed.shop.map.read_text("utf-8").replace("on_its_way:", "under_way:"), "utf-8")
    done = here("explain", finding, "--name", replayed.name, "--map", other)
    assert (done.code, done.out) == (2, "")
    assert "other.yaml has no stage 'on_its_way' in journeys of type 'order'" in done.said


@pytest.mark.parametrize(
    ("finding", "said"),
    [
        ("o-7", "'o-7' is no finding's id: that has 32 hex digits, of which the first 6 will do"),
        ("0123456789", "no finding in"),
    ],
)
def test_a_finding_that_is_not_there_is_said_to_be_none(
    here: Throughline, replayed: Replayed, finding: str, said: str
) -> None:
    done = here("explain", finding, "--name", replayed.name)
    assert (done.code, done.out) == (2, "")
    assert said in done.said
    assert "`throughline journey CUSTOMER` shows those of a customer" in done.said


def test_somebody_who_is_stuck_is_shown_as_stuck(here: Throughline, replayed: Replayed) -> None:
    done = here("journey", "cleo", "--name", replayed.name)
    assert [re.sub(r"[0-9a-f]{8}\)$", "…)", line.rstrip()) for line in done.out.splitlines()[1:]] == [
        "  order o-3: open, in on_its_way since 2018-05-01 12:00:00",
        "2018-05-01 12:00:00  sales.order.placed                           shop",
        "                       → on_its_way",
        "2018-05-04 12:00:00  stuck in on_its_way                          carriers",
        "                       entered 2018-05-01 12:00:00, still there (…)",
        "2018-05-05 00:00:00  promise delivery: broken                     carriers",
        "                       made 2018-05-01 12:00:00 by sales.order.placed (…)",
    ]


def test_a_customer_whom_nobody_knows_is_told(here: Throughline, replayed: Replayed) -> None:
    done = here("journey", "[dora]", "--name", replayed.name)
    assert (done.code, done.out) == (2, "")
    database = settings_of(replayed).database
    assert done.said == (
        f"error: no touchpoint in {database} carries the identifier '[dora]'; "
        "give its value alone, as in the source system"
    )


@pytest.mark.parametrize(
    "command",
    [
        "journey anna",
        "explain 0123456789abcdef",
        "status",
        "dlq list",
        "dlq show 0",
        "dlq replay --all",
        "shadow --map {map}",
        "shadow --map {map} --source kafka",
        "identity show customer_id=anna",
        "identity explain customer_id=anna order_id=o-1",
        "identity link customer_id=anna customer_id=bert --reason x",
        "identity import {map}",
        "identity squash",
        "identity squash --dry-run",
    ],
)
def test_a_name_that_no_replay_has_is_told_with_those_that_there_are(
    here: Throughline, replayed: Replayed, command: str
) -> None:
    misspelt = f"{replayed.name[:-1]}-"
    done = here(*command.format(map=replayed.shop.map).split(), "--name", misspelt)
    assert (done.code, done.out) == (2, "")
    told, _, known = done.said.partition("; there are: ")
    assert told == f"error: there is no replay named '{misspelt}'"
    assert replayed.name in known.split(", ")


def test_status_shows_every_stage_and_what_is_unread(here: Throughline, replayed: Replayed) -> None:
    done = here("status", "--name", replayed.name, "--seconds", "0.1")
    assert done.code == 0
    stages = [line.split()[0] for line in done.out.splitlines()[1:8]]
    assert stages == ["ingest", "identity", "linker", "journey", "learner", "warehouse", "buckets"]
    assert "identity and journey read marks of time too" in done.out
    nobody = f"no worker of '{replayed.name}' answers"
    assert f"watermarks are not known: {nobody} (THROUGHLINE_METRICS_PORT is 0)" in done.out


def test_dead_letters_are_listed_with_code_path_origin_and_message(
    here: Throughline, with_letters: Replayed
) -> None:
    done = here("dlq", "list", "--name", with_letters.name)
    assert done.code == 0
    listed = " ".join(done.out.split())
    assert "0 wrong_type data.[x] it is [bold], write text" in listed
    assert f"{with_letters.name}.touchpoints.sales, partition 0, offset 7" in listed
    assert "1 invalid_value" in listed
    assert listed.endswith("2 dead letters")
    assert max(map(len, done.out.splitlines())) <= 80
    few = here("dlq", "list", "--name", with_letters.name, "--limit", 1)
    assert few.out.splitlines()[-1] == "2 dead letters, the first 1 shown"
    one_code = here("dlq", "list", "--name", with_letters.name, "--code", "invalid_value")
    assert one_code.out.splitlines()[-1] == "1 dead letters"
    assert "wrong_type" not in one_code.out


def test_a_dead_letter_is_shown_with_its_bytes(here: Throughline, with_letters: Replayed) -> None:
    done = here("dlq", "show", 0, "--name", with_letters.name)
    assert done.code == 0
    assert done.out.splitlines() == [
        "wrong_type at data.[x]: it is [bold], write text",
        f"from {with_letters.name}.touchpoints.sales, partition 0, offset 7, written 2018-05-01T10:00:00+00:00",
        "key b'o-9', headers [('content-type', b'application/cloudevents+json')]",
        "11 bytes:",
        '{"id": [1]}',
    ]


def test_a_dead_letter_that_is_not_there_is_told(here: Throughline, with_letters: Replayed) -> None:
    name = ["--name", with_letters.name]
    shown = here("dlq", "show", 99, *name)
    assert (shown.code, shown.out) == (2, "")
    assert shown.said == "error: there is no dead letter 99; `throughline dlq list` shows those there are"
    replayed = here("dlq", "replay", 0, 99, *name)
    assert (replayed.code, replayed.out) == (2, "")
    assert "there is no dead letter 99; `throughline dlq list` shows those there are" in replayed.said


def test_dlq_replay_says_what_it_needs(here: Throughline, with_letters: Replayed, tmp_path: Path) -> None:
    replay = ("dlq", "replay", "--name", with_letters.name)
    assert "name the letters, or give --code or --all" in here(*replay).said
    fixed = tmp_path / "fixed.json"
    several = here(*replay, 0, 1, "--corrected", fixed)
    assert "file" in several.said
    assert "does not exist" in several.said
    fixed.write_text("{}", "utf-8")
    several = here(*replay, 0, 1, "--corrected", fixed)
    assert several.code == 2
    assert "--corrected takes exactly one letter" in several.said


def test_a_letter_from_within_the_pipeline_is_not_sent_again(
    here: Throughline, with_letters: Replayed
) -> None:
    replay = ("dlq", "replay", "--name", with_letters.name)
    done = here(*replay, 1)
    assert (done.code, done.out) == (2, "")
    assert "dead letter 1 came from " in done.said
    assert "which is no source of this pipeline; internal records are not sent again" in done.said
    everything = here(*replay, "--all")
    assert (everything.code, everything.out) == (0, "1 sent again\n")
    assert everything.said == "1 came from within the pipeline and are not sent again"


def test_reading_letters_leaves_them_where_they_are(with_letters: Replayed) -> None:
    settings = settings_of(with_letters)
    for _ in range(2):
        letters = list(read_letters(settings.kafka_client, settings.topology))
        assert [(each.offset, each.key) for each in letters] == [(0, b"o-9"), (1, b"o-9")]
    assert letters[0].letter.time == datetime(2018, 5, 1, 10, tzinfo=UTC)


def test_prepare_makes_what_is_missing_and_is_content_with_what_is_there(
    here: Throughline, replayed: Replayed
) -> None:
    name = f"{replayed.name}-new"
    first = here("prepare", namespace=name)
    assert first.code == 0
    assert "31 topics as declared, 31 of them new" in first.out
    assert f"database throughline_{name.replace('-', '_')}: 0001_base_tables" in first.out
    again = here("prepare", namespace=name)
    assert again.code == 0
    assert "31 topics as declared, 0 of them new" in again.out
    assert "nothing to apply" in again.out
    other = here("prepare", namespace=name, partitions=8)
    assert (other.code, other.out) == (2, "")
    assert "has 4 partitions, declared are 8" in other.said


def test_a_worker_with_a_missing_topic_names_it_and_what_to_run(replayed: Replayed) -> None:
    settings = settings_of(replayed).model_copy(update={"namespace": f"{replayed.name}-gap"})
    replayed.throughline("prepare", namespace=settings.namespace)
    delete_topics(settings.kafka_admin, [settings.topology.journeys])
    done = replayed.throughline("worker", namespace=settings.namespace, journey_map=replayed.shop.map)
    assert done.code == 3
    assert (
        f"1 topic is missing in Kafka ({settings.topology.journeys}); "
        "run `throughline prepare` (or `throughline up`)" in done.said
    )


def test_a_worker_whose_metrics_port_is_taken_says_which_setting_to_change(replayed: Replayed) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        done = replayed.throughline(
            "worker", namespace=replayed.name, journey_map=replayed.shop.map, metrics_port=port
        )
    assert done.code == 2
    assert f"can't serve metrics on 127.0.0.1:{port} (Address already in use); " in done.said
    assert "set THROUGHLINE_METRICS_PORT to a free port, or to 0" in done.said


def test_a_simulation_for_a_pipeline_that_is_not_there_says_what_to_run(
    here: Throughline, replayed: Replayed
) -> None:
    done = here("simulate", "--to", "sim", "--customers", 1, "--send", namespace="nobody")
    assert (done.code, done.out) == (2, "")
    assert "run `throughline prepare` (or `throughline up`)" in done.said
