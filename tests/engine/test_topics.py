"""Topics on a real broker: created, verified, never altered."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator

import pytest

from pipeline.engine.clients import admin_options
from pipeline.engine.errors import TopicMismatchError, TopicMissingError
from pipeline.engine.topics import (
    TopicSpec,
    delete_topics,
    ensure_topics,
    existing_topics,
    require_topics,
    topic_ids,
)

pytestmark = [
    pytest.mark.services,
    pytest.mark.filterwarnings("ignore:read_text is deprecated:DeprecationWarning"),  # inside kafka-python
]


@pytest.fixture
def admin(kafka: str) -> dict[str, object]:
    return admin_options(kafka, {})


@pytest.fixture
def name(admin: dict[str, object]) -> Iterator[str]:
    name = f"t{uuid.uuid4().hex[:10]}"
    yield name
    delete_topics(admin, [name])


def test_what_is_missing_is_created_as_declared_and_only_once(admin: dict[str, object], name: str) -> None:
    spec = TopicSpec(name, 3, config={"cleanup.policy": "compact", "max.message.bytes": "2000000"})
    assert ensure_topics(admin, [spec]) == [name]
    assert ensure_topics(admin, [spec]) == []
    require_topics(admin, [spec])
    assert name in existing_topics(admin)


def test_a_worker_does_not_create_what_is_missing(admin: dict[str, object], name: str) -> None:
    with pytest.raises(
        TopicMissingError, match=rf"1 topic is missing in Kafka \({name}\); run `throughline prepare`"
    ):
        require_topics(admin, [TopicSpec(name, 1)])
    assert name not in existing_topics(admin)


@pytest.mark.parametrize("declared", [2, 8])
def test_another_number_of_partitions_is_refused_with_the_remedy(
    admin: dict[str, object], name: str, declared: int
) -> None:
    ensure_topics(admin, [TopicSpec(name, 4)])
    said = f"has 4 partitions, declared are {declared}, .* set the number to 4, or start the pipeline under a new name"
    for check in (ensure_topics, require_topics):
        with pytest.raises(TopicMismatchError, match=said):
            check(admin, [TopicSpec(name, declared)])


@pytest.mark.parametrize(
    ("option", "existing", "declared"),
    [
        ("retention.ms", "1000", "-1"),
        ("cleanup.policy", "delete", "compact"),
        ("max.message.bytes", "1000000", "2000000"),
    ],
)
def test_another_configuration_is_refused_with_the_command_that_mends_it(
    admin: dict[str, object], name: str, option: str, existing: str, declared: str
) -> None:
    ensure_topics(admin, [TopicSpec(name, 1, config={option: existing})])
    with pytest.raises(
        TopicMismatchError, match=f"has {option}={existing}, .* --add-config {option}={declared}`"
    ):
        ensure_topics(admin, [TopicSpec(name, 1, config={option: declared})])


def test_a_topic_that_is_made_anew_has_another_identity(admin: dict[str, object], name: str) -> None:
    ensure_topics(admin, [TopicSpec(name, 1)])
    before = topic_ids(admin, [name])
    assert delete_topics(admin, [name, f"{name}.not-there"]) == [name]
    assert topic_ids(admin, [name]) == {}
    ensure_topics(admin, [TopicSpec(name, 1)])
    assert before[name] != topic_ids(admin, [name])[name]


def test_a_broker_that_does_not_answer_is_named() -> None:
    """In a process of its own: kafka-python forgets its sockets when it cannot connect."""
    asked = (
        "from pipeline.engine import clients, topics\n"
        "topics._TIMEOUT_MS = 500\n"
        "topics.existing_topics(clients.admin_options('127.0.0.1:9', {}))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert "BrokerUnavailableError: Kafka at 127.0.0.1:9 can't be used" in ended.stderr
    assert "start it, or correct the address and the security options" in ended.stderr
