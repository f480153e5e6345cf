"""What the warehouse stage sends: there when the call has returned, or an error and a fresh start."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from agents import warehouse
from agents.warehouse import NotDeliveredError, _Sender
from pipeline.engine.errors import StopWorker
from pipeline.settings import Settings
from pipeline.warehouse.client import WarehouseError

KEYS = [(b"one", b"", []), (b"two", b"", [])]
Answer = Callable[[bytes], KafkaError | None]


class FakeProducer:
    """Delivers when it is flushed. `script` says of each producer in turn what becomes of a key: nothing, or an
    error; `room` is what fits into the queue.
    """

    script: list[Answer]
    made: list[FakeProducer]
    room = 10

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        self.delivers = self.script.pop(0) if self.script else everything
        self.stuck = False
        self.delivered: list[bytes] = []
        self._queue: list[tuple[bytes, Callable[[KafkaError | None, Any], None]]] = []
        self.made.append(self)

    def produce(self, topic: str, value: bytes, key: bytes, headers: Any, on_delivery: Any) -> None:
        if len(self._queue) == self.room:
            raise BufferError
        self._queue.append((key, on_delivery))

    def __len__(self) -> int:
        return len(self._queue)

    def flush(self, timeout: float) -> int:
        queue, self._queue = self._queue, []
        for key, told in queue:
            error = self.delivers(key)
            if error is None:
                self.delivered.append(key)
            told(error, None)
        return 0


def everything(_: bytes) -> KafkaError | None:
    return None


def not_two(key: bytes) -> KafkaError | None:
    return KafkaError(KafkaError._MSG_TIMED_OUT) if key == b"two" else None


@pytest.fixture
def producers(monkeypatch: pytest.MonkeyPatch) -> list[FakeProducer]:
    """All that were made."""
    monkeypatch.setattr(FakeProducer, "script", [], raising=False)
    monkeypatch.setattr(FakeProducer, "made", [], raising=False)
    monkeypatch.setattr(warehouse, "Producer", FakeProducer)
    return FakeProducer.made


def test_what_was_sent_is_there_when_the_call_returns(producers: list[FakeProducer]) -> None:
    _Sender({}).send("buckets", KEYS)
    assert producers[0].delivered == [b"one", b"two"]
    assert producers[0].options["enable.idempotence"] is True


def test_one_record_that_was_not_delivered_is_an_error_that_names_the_topic(
    producers: list[FakeProducer],
) -> None:
    FakeProducer.script = [not_two]
    with pytest.raises(NotDeliveredError, match=r"buckets: .*timed out"):
        _Sender({}).send("buckets", KEYS)


def test_an_error_does_not_outlive_its_attempt(producers: list[FakeProducer]) -> None:
    """An idempotent producer that has lost a record may refuse all that follow."""
    FakeProducer.script = [not_two]
    sender = _Sender({"client.id": "w"})
    with pytest.raises(NotDeliveredError):
        sender.send("buckets", KEYS)
    sender.send("buckets", KEYS)
    first, second = producers
    assert second.delivered == [b"one", b"two"]
    assert second.options == first.options


def test_records_that_are_not_there_in_time_are_an_error(
    producers: list[FakeProducer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeProducer, "flush", lambda self, timeout: 2)
    with pytest.raises(NotDeliveredError, match="2 records are not there after 30 s"):
        _Sender({}).send("buckets", KEYS)
    assert len(producers) == 2


def test_a_producer_that_refuses_is_an_error_and_a_fresh_start(
    producers: list[FakeProducer], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(self: FakeProducer, *_: object, **more: object) -> None:
        raise KafkaException(KafkaError(KafkaError._FATAL))

    monkeypatch.setattr(FakeProducer, "produce", refuses)
    with pytest.raises(NotDeliveredError, match="buckets: "):
        _Sender({}).send("buckets", KEYS)
    assert len(producers) == 2


def test_a_full_queue_is_emptied_and_nothing_of_it_is_lost(
    producers: list[FakeProducer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeProducer, "room", 1)
    _Sender({}).send("buckets", KEYS)
    assert producers[0].delivered == [b"one", b"two"]


def test_a_queue_that_stays_full_because_the_broker_is_away_is_an_error_to_try_again(
    producers: list[FakeProducer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sink would take the client's own BufferError for a defect, and stop."""
    monkeypatch.setattr(FakeProducer, "room", 1)
    monkeypatch.setattr(FakeProducer, "flush", lambda self, timeout: len(self))
    with pytest.raises(NotDeliveredError, match="buckets: 1 records are not there after 30 s"):
        _Sender({}).send("buckets", KEYS)
    assert len(producers) == 2


LASTING = [
    (KafkaError.UNKNOWN_TOPIC_OR_PART, "throughline prepare"),
    (KafkaError._UNKNOWN_TOPIC, "throughline prepare"),
    (KafkaError.TOPIC_AUTHORIZATION_FAILED, "grant the user of THROUGHLINE_KAFKA_OPTIONS"),
]


@pytest.mark.parametrize(("code", "remedy"), LASTING)
def test_what_no_repetition_mends_stops_the_worker_with_the_remedy(
    producers: list[FakeProducer], code: int, remedy: str
) -> None:
    FakeProducer.script = [lambda key: KafkaError(code)]
    with pytest.raises(StopWorker, match=f"the Kafka topic 'buckets' can't be written to .*{remedy}"):
        _Sender({}).send("buckets", KEYS)


@pytest.mark.parametrize(("code", "remedy"), LASTING)
def test_so_it_does_when_the_client_knows_it_before_it_sends(
    producers: list[FakeProducer], monkeypatch: pytest.MonkeyPatch, code: int, remedy: str
) -> None:
    def refuses(self: FakeProducer, *_: object, **more: object) -> None:
        raise KafkaException(KafkaError(code))

    monkeypatch.setattr(FakeProducer, "produce", refuses)
    with pytest.raises(StopWorker, match=remedy):
        _Sender({}).send("buckets", KEYS)


@pytest.mark.services
def test_a_topic_that_a_real_broker_does_not_have_stops_the_worker(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Well before a flush gives up: the next try has a new producer, which would begin to wait anew."""
    monkeypatch.setattr(warehouse, "_FLUSH_SECONDS", warehouse._FLUSH_SECONDS / 2)
    sender = _Sender({"bootstrap.servers": kafka, "log_level": 2})
    with pytest.raises(
        StopWorker, match=r"the Kafka topic 'never\.made' can't be written to .*throughline prepare"
    ):
        sender.send("never.made", KEYS)


def test_an_address_that_names_no_clickhouse_is_told_when_the_worker_is_made_and_not_at_each_write() -> None:
    deps = SimpleNamespace(settings=Settings(clickhouse="nowhere"), topology=None)
    with pytest.raises(WarehouseError, match="THROUGHLINE_CLICKHOUSE is 'nowhere'"):
        warehouse.register(None, deps)  # type: ignore[arg-type]


def test_a_broker_that_is_not_there_is_an_error_and_not_silence() -> None:
    sender = _Sender({"bootstrap.servers": "127.0.0.1:9", "message.timeout.ms": 300, "log_level": 2})
    with pytest.raises(NotDeliveredError, match=r"buckets: .*timed out"):
        sender.send("buckets", KEYS)
