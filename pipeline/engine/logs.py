"""What the broker says of a partition's log: its bounds and its topic's identity.

Read uncommitted on purpose: an end that leaves out an open transaction would let recovery stop before
records that are committed behind it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, NamedTuple, cast

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, OffsetSpec

from pipeline.engine.errors import BrokerUnavailableError, TopicMissingError

_MISSING_SECONDS = 3.0
"""A broker that has just started knows no topic for a moment."""


class Bounds(NamedTuple):
    """Offsets: of the first record kept, and behind the last one."""

    start: int
    end: int


class Logs:
    """Questions to the broker; every call blocks for at most `timeout` seconds. Thread-safe."""

    def __init__(self, options: Mapping[str, Any], timeout: float = 15.0) -> None:
        self._admin = AdminClient(dict(options))
        self._timeout = timeout

    def bounds(self, topic: str, partition: int) -> Bounds:
        return Bounds(
            self._offset(topic, partition, OffsetSpec.earliest()),
            self._offset(topic, partition, OffsetSpec.latest()),
        )

    def topic_id(self, topic: str) -> str:
        """The broker's identity of the topic: another one after the topic was deleted and made anew."""

        def ask() -> Future[Any]:
            asked = self._admin.describe_topics(TopicCollection([topic]), request_timeout=self._timeout)
            return cast("Future[Any]", asked[topic])

        return str(self._answer(topic, ask).topic_id)

    def deletion_retention(self, topic: str) -> int:
        """For how many milliseconds a compacted topic keeps its deletions."""
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)

        def ask() -> Future[Any]:
            asked = self._admin.describe_configs([resource], request_timeout=self._timeout)
            return cast("Future[Any]", asked[resource])

        return int(self._answer(topic, ask)["delete.retention.ms"].value)

    def _offset(self, topic: str, partition: int, spec: OffsetSpec) -> int:
        def ask() -> Future[Any]:
            (future,) = self._admin.list_offsets(
                {TopicPartition(topic, partition): spec},
                isolation_level=IsolationLevel.READ_UNCOMMITTED,
                request_timeout=self._timeout,
            ).values()
            return cast("Future[Any]", future)

        offset = int(self._answer(topic, ask).offset)
        if offset < 0:
            # librdkafka says -1001, and no error, when the broker dies while it answers; taken for an end it would make
            # a changelog look empty
            raise BrokerUnavailableError(
                f"Kafka did not say where the log of {topic}-{partition} begins and ends; check that it is running"
            )
        return offset

    def _answer(self, topic: str, ask: Callable[[], Future[Any]]) -> Any:
        self._admin.poll(0)  # what it has logged meanwhile
        patience = time.monotonic() + _MISSING_SECONDS
        while True:
            try:
                return ask().result(self._timeout + 5)
            except KafkaException as error:
                unknown = error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART
                if not unknown:
                    raise BrokerUnavailableError(
                        f"Kafka does not answer for the topic {topic!r} ({error.args[0].str()}); "
                        "check that it is running"
                    ) from error
                if time.monotonic() > patience:
                    raise TopicMissingError(
                        f"the Kafka topic {topic!r} does not exist; "
                        "run `throughline prepare` (or `throughline up`)"
                    ) from error
                time.sleep(0.2)
