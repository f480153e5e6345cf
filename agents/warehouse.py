"""Published records → ClickHouse, and the aggregates of the buckets that they touched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from agents.deps import Deps
from pipeline.core.dead_letters import RefusedError, dead_letter, encode_headers
from pipeline.engine.clients import logged
from pipeline.engine.errors import StopWorker
from pipeline.engine.worker import create_sink
from pipeline.errors import ThroughlineError
from pipeline.ports import Record
from pipeline.topology import MAX_LETTER_BYTES
from pipeline.warehouse.buckets import BucketSink
from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.rows import Refuse
from pipeline.warehouse.sink import WarehouseSink
from schemas.dead_letter import ErrorCode

_FLUSH_SECONDS = 30.0
_PROPAGATION_MS = 5000
_REMEDIES = {
    KafkaError.UNKNOWN_TOPIC_OR_PART: "create it with `throughline prepare`",
    KafkaError._UNKNOWN_TOPIC: "create it with `throughline prepare`",  # noqa: SLF001 - librdkafka's own codes begin so
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "grant the user of THROUGHLINE_KAFKA_OPTIONS to write to it",
}
"""Of errors that no repetition mends."""


class NotDeliveredError(ThroughlineError):
    """What the warehouse stage had to send did not reach the broker; its batch is tried again."""


class _Sender:
    """Sends and waits: when a call has returned, the broker has it.

    Raises NotDeliveredError, and StopWorker with the remedy if another try would end in the same way.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = {
            **logged(options),
            "enable.idempotence": True,
            "message.max.bytes": MAX_LETTER_BYTES,
            # a missing topic shall be known before a flush gives up: each producer waits so long anew
            "topic.metadata.propagation.max.ms": _PROPAGATION_MS,
        }
        self._producer = Producer(self._options)

    def send(
        self, topic: str, records: Sequence[tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]]
    ) -> None:
        problems: list[Exception] = []

        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                problems.append(_problem(topic, error))

        try:
            for key, value, headers in records:
                self._produce(topic, value, key, headers, delivered)
            left = self._producer.flush(_FLUSH_SECONDS)
        except KafkaException as error:
            problems.append(_problem(topic, error.args[0]))
            left = 0
        except BufferError:  # what fills the queue could not be sent for as long as a flush takes
            left = len(self._producer)
        if problems or left:
            # whatever it was, the next attempt begins with a producer that has no history
            self._producer = Producer(self._options)
            late = f"{topic}: {left} records are not there after {_FLUSH_SECONDS:.0f} s"
            raise problems[0] if problems else NotDeliveredError(late)

    def _produce(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        headers: list[tuple[str, bytes | None]],
        delivered: Callable[[KafkaError | None, Message], None],
    ) -> None:
        try:
            self._producer.produce(topic, value, key, headers=headers, on_delivery=delivered)
        except BufferError:
            self._producer.flush(_FLUSH_SECONDS)
            self._producer.produce(topic, value, key, headers=headers, on_delivery=delivered)


def _problem(topic: str, error: KafkaError) -> ThroughlineError:
    remedy = _REMEDIES.get(error.code())
    if remedy is None:
        return NotDeliveredError(f"{topic}: {error.str()}")
    return StopWorker(f"the Kafka topic {topic!r} can't be written to ({error.str()}); {remedy}")


def register(app: Any, deps: Deps) -> None:
    topology, settings = deps.topology, deps.settings
    database = Warehouse.of(settings)  # here, because settings that name none are no reason to try again

    def warehouse_sink() -> WarehouseSink:
        sender = _Sender(settings.kafka_client)

        def touched(keys: Sequence[bytes]) -> None:
            sender.send(topology.buckets, [(key, b"", []) for key in keys])

        return WarehouseSink(
            database,
            topology,
            touched,
            _refuse(sender, deps, "warehouse"),
            deps.metrics.inserted,
        )

    def bucket_sink() -> BucketSink:
        return BucketSink(database, _refuse(_Sender(settings.kafka_client), deps, "buckets"))

    published = [topology.enriched, topology.findings, topology.state, topology.dead_letter]
    create_sink(app, "warehouse", published, warehouse_sink)
    create_sink(app, "buckets", [topology.buckets], bucket_sink)


def _refuse(sender: _Sender, deps: Deps, stage: str) -> Refuse:
    def refuse(record: Record, reason: str) -> None:
        deps.metrics.count(stage, {f"dead_letters.{ErrorCode.INVALID_VALUE}": 1})
        letter = dead_letter(record, RefusedError(ErrorCode.INVALID_VALUE, "", reason), stage)
        sender.send(
            deps.topology.dead_letter, [(record.key, record.value, encode_headers(record.headers, letter))]
        )

    return refuse
