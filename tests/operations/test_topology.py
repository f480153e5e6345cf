"""Topics: each declared once, verifiable, and none shared by two pipelines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engine.opening import MAX_MESSAGE_BYTES
from pipeline.settings import NAME_PATTERN
from pipeline.topology import DOMAINS, MAX_INTERNAL_BYTES, MAX_LETTER_BYTES, MAX_RECORD_BYTES, Topology

NAMES = st.from_regex(NAME_PATTERN, fullmatch=True)


def names(topology: Topology) -> set[str]:
    """Everything that a pipeline calls its own on a cluster: topics and the consumer group."""
    return {spec.name for spec in topology.specs()} | {topology.app}


def test_every_topic_is_declared_once() -> None:
    declared = [spec.name for spec in Topology("may").specs()]
    assert len(declared) == len(set(declared)) == 2 * len(DOMAINS) + 13


def test_every_topic_that_has_a_name_is_declared() -> None:
    topology = Topology("may")
    named = {
        *topology.sources,
        topology.dead_letter,
        topology.identity,
        topology.links,
        topology.journeys,
        topology.stays,
        topology.enriched,
        topology.findings,
        topology.state,
        topology.buckets,
        *(topology.changelog("ingest", source) for source in topology.sources),
        topology.changelog("identity", topology.identity),
        topology.changelog("linker", topology.links),
        topology.changelog("journey", topology.journeys),
        topology.changelog("learner", topology.stays),
    }
    assert {spec.name for spec in topology.specs()} == named


def test_the_live_pipeline_has_the_names_of_the_design() -> None:
    topology = Topology()
    assert topology.sources[0] == f"touchpoints.{DOMAINS[0]}"
    assert topology.changelog("journey", topology.journeys) == "journey.journeys.touchpoints.changelog"
    assert topology.app == "throughline"


@given(NAMES)
def test_a_replay_shares_nothing_with_the_live_pipeline(name: str) -> None:
    assert not names(Topology(name)) & names(Topology())


@given(NAMES, NAMES)
def test_two_replays_share_nothing(one: str, other: str) -> None:
    if one != other:
        assert not names(Topology(one)) & names(Topology(other))


@pytest.mark.parametrize(
    "name", ["touchpoints", "ingest", "identity", "journey", "journeys", "throughline", "warehouse"]
)
def test_a_replay_named_as_a_part_of_a_topic_shares_nothing_either(name: str) -> None:
    assert not names(Topology(name)) & names(Topology())
    topology = Topology(name)
    changelogs = {topology.changelog("ingest", source) for source in topology.sources}
    assert len(changelogs) == len(DOMAINS)
    assert all(changelog.startswith(f"{name}.ingest.touchpoints.") for changelog in changelogs)


@given(NAMES)
def test_every_name_is_one_that_kafka_takes(name: str) -> None:
    for topic in names(Topology(name)):
        assert len(topic) <= 249
        assert set(topic) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-")


def test_state_has_as_many_partitions_as_its_input_and_is_compacted() -> None:
    topology = Topology(partitions=8, source_partitions=3, replication=2)
    specs = {spec.name: spec for spec in topology.specs()}
    for stage, topics in {
        "ingest": topology.sources,
        "identity": [topology.identity],
        "journey": [topology.journeys],
    }.items():
        for topic in topics:
            changelog = specs[topology.changelog(stage, topic)]
            assert changelog.partitions == specs[topic].partitions == (3 if stage == "ingest" else 8)
            assert changelog.config["cleanup.policy"] == "compact"
    assert {spec.replication for spec in specs.values()} == {2}


def test_a_dead_letter_has_room_for_the_largest_record_and_is_kept() -> None:
    specs = {spec.name: spec for spec in Topology().specs()}
    letters, source = specs["touchpoints.dead-letter"], specs["touchpoints.sales"]
    assert int(source.config["max.message.bytes"]) == MAX_RECORD_BYTES
    assert int(letters.config["max.message.bytes"]) == MAX_LETTER_BYTES >= MAX_RECORD_BYTES + 2**16
    assert (letters.partitions, letters.config["retention.ms"]) == (1, "-1")


def test_what_the_stages_write_may_be_as_large_as_a_producer_sends_it() -> None:
    topology = Topology()
    internal = {spec.name for spec in topology.specs()} - {*topology.sources, topology.dead_letter}
    limits = {spec.name: spec.config["max.message.bytes"] for spec in topology.specs()}
    assert {limits[name] for name in internal} == {str(MAX_INTERNAL_BYTES)}
    assert MAX_INTERNAL_BYTES == MAX_MESSAGE_BYTES
