"""`throughline shadow` beside a replay of the small shop, on real services: what it says, and that it leaves no trace."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from command_line import Done, Replayed, Throughline
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient
from small_shop import MAP

from pipeline.settings import Settings
from pipeline.shadow.report import ShadowReport
from pipeline.warehouse.client import Warehouse

pytestmark = pytest.mark.services

Shadow = Callable[..., Done]


@pytest.fixture
def settings(replayed: Replayed) -> Settings:
    own = {
        name.removeprefix("THROUGHLINE_").lower(): value
        for name, value in replayed.throughline.settings.items()
    }
    return Settings(**own, namespace=replayed.name)  # type: ignore[arg-type] - as texts, as from the environment


@pytest.fixture
def sooner(home: Path) -> Path:
    """The shop's map with half the time in a stage, and a promise more."""
    promise = """\
      dispatch:
        made_by: sales.order.placed
        due: {within: 24h}
        met_by: fulfilment.order.delivered
        owed_by: shop
    stages:
"""
    path = home / "sooner.yaml"
    path.write_text(MAP.replace("expected: 3d", "expected: 36h").replace("    stages:\n", promise), "utf-8")
    return path


@pytest.fixture
def shadow(throughline: Throughline, replayed: Replayed, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shadow]:
    """The command in this process, on the replay."""
    with monkeypatch.context() as patch:
        for name, value in replayed.throughline.settings.items():
            patch.setenv(name, value)
        yield lambda *arguments, name=replayed.name: throughline("shadow", *arguments, "--name", name)


def report_of(shadow: Shadow, new: Path, *arguments: object) -> dict[str, Any]:
    to = new.parent / "report.json"
    done = shadow("--map", new, "--json", to, *arguments)
    assert done.code == 0, done.err
    report: dict[str, Any] = json.loads(to.read_text("utf-8"))
    return report


@pytest.mark.parametrize("source", ["clickhouse", "kafka"])
def test_it_lists_what_would_differ_with_counts_and_examples(
    shadow: Shadow, sooner: Path, source: str
) -> None:
    done = shadow("--map", sooner, "--source", source)
    assert done.code == 0
    said = [" ".join(line.split()) for line in done.out.splitlines()]
    assert said[0] == f"6 touchpoints of {source}; as of 2018-05-07 12:00:00"
    assert "promise delivery all 4 4" in said
    assert "dispatch (new) all 0 4 +4" in said
    assert "opened 1 1" in said
    assert "resolved 1 2 +1" in said
    assert "promise dispatch: - → broken: 3, of 3 customers" in said
    assert any(line.startswith("2018-05-01 10:00:00 order o-1 person ") for line in said)
    assert "limit: 3 d → 1 d 12 h" in said
    assert said[-1] == (
        "3 of 3 customers would change: 3 in a verdict, 0 in facts alone, 0 only in who they are."
    )
    assert "6 touchpoints under both maps in " in done.said


def test_both_sources_come_to_the_same(shadow: Shadow, sooner: Path) -> None:
    in_warehouse, in_kafka = (report_of(shadow, sooner, "--source", each) for each in ("clickhouse", "kafka"))
    assert (in_warehouse.pop("source"), in_kafka.pop("source")) == ("clickhouse", "kafka")
    # what was refused is in Kafka alone, and other tests have sent such to this pipeline
    assert in_warehouse.pop("unreadable") <= in_kafka.pop("unreadable")
    assert in_warehouse == in_kafka


def test_the_persons_are_those_of_the_live_pipeline(shadow: Shadow, sooner: Path, settings: Settings) -> None:
    with closing(Warehouse.of(settings)) as warehouse:
        known = {str(person) for (person,) in warehouse.query("SELECT person_id FROM living_persons")}
    assert {each["person_id"] for each in report_of(shadow, sooner)["customers"]} == known


@pytest.mark.parametrize("source", ["clickhouse", "kafka"])
def test_from_an_instant_on_journeys_that_go_on_are_judged_whole(
    shadow: Shadow, sooner: Path, source: str
) -> None:
    report = report_of(shadow, sooner, "--from", "2018-05-05", "--source", source)
    assert (report["touchpoints"], report["earlier"]) == (2, 1)
    (stalls,) = [each for each in report["rules"] if each["rule"] == "on_its_way"]
    assert stalls["statuses"] == [{"status": "resolved", "live": 1, "new": 1}]
    earlier = report_of(shadow, sooner, "--until", "2018-05-04", "--source", source)
    assert (earlier["touchpoints"], earlier["as_of"]) == (4, "2018-05-04T00:00:00Z")


def test_the_report_is_of_its_contract(shadow: Shadow, sooner: Path) -> None:
    import msgspec

    report = report_of(shadow, sooner, "--examples", 1)
    assert msgspec.to_builtins(msgspec.convert(report, ShadowReport)) == report
    assert {len(change["examples"]) for change in report["changes"]} == {1}


def test_a_map_that_means_the_same_changes_nobody(shadow: Shadow, home: Path) -> None:
    same = home / "same.yaml"
    same.write_text(MAP.replace("name: small_shop", "name: small_shop\ntitle: Our shop"), "utf-8")
    done = shadow("--map", same, "--fail-on-change")
    assert done.code == 0
    assert done.out.splitlines()[-1] == "Nothing differs: no customer would change."


@pytest.mark.parametrize(("source", "notes"), [("clickhouse", 1), ("kafka", 0)])
def test_where_the_maps_differ_in_identifiers_the_warehouse_is_said_to_know_less(
    shadow: Shadow, home: Path, source: str, notes: int
) -> None:
    other = home / "other.yaml"
    other.write_text(MAP.replace("strength: 900", "strength: 900, case_sensitive: false"), "utf-8")
    report = report_of(shadow, other, "--source", source)
    assert len(report["notes"]) == notes
    assert all("--source kafka has them as they were sent" in note for note in report["notes"])


def test_fail_on_change_ends_with_1_if_a_customer_would_change(shadow: Shadow, sooner: Path) -> None:
    assert shadow("--map", sooner, "--fail-on-change").code == 1


def traces(settings: Settings) -> dict[str, Any]:
    """All that a live pipeline is made of, as it is now."""
    admin = AdminClient(settings.kafka_client)
    topics = admin.list_topics(timeout=10).topics
    reader = Consumer({**settings.kafka_client, "group.id": "traces"})
    try:
        ends = {
            (topic, number): reader.get_watermark_offsets(TopicPartition(topic, number), timeout=10)
            for topic, found in topics.items()
            for number in found.partitions
            # the broker's own: a reader that asks for the coordinator of a group writes nothing, but others may
            if topic.startswith(settings.namespace)
        }
    finally:
        reader.close()
    groups = {each.group_id for each in admin.list_consumer_groups().result().valid}
    asked = ConsumerGroupTopicPartitions(settings.topology.app)
    (offsets,) = admin.list_consumer_group_offsets([asked]).values()
    with closing(Warehouse.of(settings)) as warehouse:
        tables = warehouse.query(
            "SELECT table, sum(rows), count(), max(modification_time) FROM system.parts "
            "WHERE database = currentDatabase() AND active GROUP BY table ORDER BY table"
        )
    return {
        "topics": sorted(topics),
        "ends": ends,
        "groups": sorted(groups),
        "offsets": sorted(
            (each.topic, each.partition, each.offset) for each in offsets.result().topic_partitions
        ),
        "tables": [row[:2] for row in tables],
    }


@pytest.mark.parametrize("source", ["clickhouse", "kafka"])
def test_nothing_of_the_pipeline_is_touched(
    shadow: Shadow, sooner: Path, settings: Settings, source: str
) -> None:
    before = traces(settings)
    assert before["offsets"]
    assert before["tables"]
    assert shadow("--map", sooner, "--source", source, "--from", "2018-05-05").code == 0
    assert traces(settings) == before


def test_a_map_that_cannot_be_read_is_told_as_validate_tells_it(shadow: Shadow, home: Path) -> None:
    wrong = home / "wrong.yaml"
    wrong.write_text(MAP.replace("expected: 3d", "expected: 3"), "utf-8")
    done = shadow("--map", wrong)
    assert (done.code, done.out) == (2, "")
    assert "wrong.yaml:23: journeys.order.stages.on_its_way.expected" in done.said
    gone = shadow("--map", home / "gone.yaml")
    assert (gone.code, gone.out) == (2, "")
    assert "gone.yaml" in gone.said


def test_the_live_map_itself_is_refused(shadow: Shadow, replayed: Replayed) -> None:
    kept = replayed.throughline.folder / "home" / "replays" / replayed.name / "map.yaml"
    done = shadow("--map", kept)
    assert (done.code, done.out) == (2, "")
    assert (
        "is the live map itself, so nothing can differ; keep the map that the workers were started with"
        in done.said
    )


@pytest.mark.parametrize("source", ["clickhouse", "kafka"])
def test_a_time_without_touchpoints_is_told_with_the_newest(
    shadow: Shadow, sooner: Path, replayed: Replayed, source: str
) -> None:
    done = shadow("--map", sooner, "--from", "2019-01-01", "--source", source)
    assert (done.code, done.out) == (2, "")
    assert done.said.endswith(
        f"error: {source} has no touchpoint of the pipeline '{replayed.name}' from 2019-01-01T00:00:00+00:00; "
        "its newest is of 2018-05-07T12:00:00+00:00"
    )


def test_bounds_that_hold_nothing_are_refused(shadow: Shadow, sooner: Path) -> None:
    done = shadow("--map", sooner, "--from", "2018-05-05", "--until", "2018-05-04")
    assert done.code == 2
    assert "--until lies before --from" in done.said


def test_without_a_live_map_it_asks_which(
    shadow: Shadow, sooner: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THROUGHLINE_HOME", str(sooner.parent / "elsewhere"))
    done = shadow("--map", sooner)
    assert (done.code, done.out) == (2, "")
    assert done.said == (
        "error: which map does the pipeline run? it keeps none here; give it with --live MAP, or set "
        "THROUGHLINE_JOURNEY_MAP"
    )
