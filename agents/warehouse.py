"""Published records → ClickHouse, and the aggregates of the buckets that they touched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from confluent_kafka import KafkaException, Producer

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
        self._producer = Producer(
            {**options, "enable.idempotence": True, "message.max.bytes": MAX_LETTER_BYTES}
        )

    def send(
        self, topic: str, records: Sequence[tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]]
    ) -> None:
        try:
            for key, value, headers in records:
                self._producer.produce(topic, value, key, headers=headers)
            left = self._producer.flush(_FLUSH_SECONDS)
        except (BufferError, KafkaException) as error:
            raise NotDeliveredError(f"{topic}: {error}") from error
        if left:
            raise NotDeliveredError(
                f"{topic}: {left} records are not on the broker after {_FLUSH_SECONDS:.0f} s"
            )


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
