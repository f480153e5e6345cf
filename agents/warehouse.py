"""Published records → ClickHouse, and the aggregates of the buckets that they touched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from agents.deps import Deps
from pipeline.core.dead_letters import RefusedError, dead_letter, encode_headers
from pipeline.engine.stage import Record
from pipeline.engine.worker import create_sink
from pipeline.errors import ThroughlineError
from pipeline.topology import MAX_LETTER_BYTES
from pipeline.warehouse.buckets import BucketSink
from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.rows import Refuse
from pipeline.warehouse.sink import WarehouseSink
from schemas.dead_letter import ErrorCode

_FLUSH_SECONDS = 30.0


class NotDeliveredError(ThroughlineError):
    """What the warehouse stage had to send did not reach the broker; its batch is tried again."""


class _Sender:
    """Sends and waits: when a call has returned, the broker has it."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = {**options, "enable.idempotence": True, "message.max.bytes": MAX_LETTER_BYTES}
        self._producer = Producer(self._options)

    def send(
        self, topic: str, records: Sequence[tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]]
    ) -> None:
        problems: list[str] = []

        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                problems.append(error.str())

        try:
            for key, value, headers in records:
                self._produce(topic, value, key, headers, delivered)
            left = self._producer.flush(_FLUSH_SECONDS)
        except KafkaException as error:
            problems, left = [str(error)], 0
        if problems or left:
            # whatever it was, the next attempt begins with a producer that has no history
            self._producer = Producer(self._options)
            what = problems[0] if problems else f"{left} records are not there after {_FLUSH_SECONDS:.0f} s"
            raise NotDeliveredError(f"{topic}: {what}")

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


def register(app: Any, deps: Deps) -> None:
    topology, settings = deps.topology, deps.settings

    def warehouse_sink() -> WarehouseSink:
        sender = _Sender(settings.kafka_client)

        def touched(keys: Sequence[bytes]) -> None:
            sender.send(topology.buckets, [(key, b"", []) for key in keys])

        return WarehouseSink(
            Warehouse.of(settings),
            topology,
            touched,
            _refuse(sender, deps, "warehouse"),
            deps.metrics.inserted,
        )

    def bucket_sink() -> BucketSink:
        return BucketSink(Warehouse.of(settings), _refuse(_Sender(settings.kafka_client), deps, "buckets"))

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
