"""The broker is Kafka itself: it starts, keeps what it was given, and says what is wrong."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from embedded_services import free_port

from pipeline.embedded.errors import FolderUnusableError, PortTakenError, StartFailedError
from pipeline.embedded.kafka import CLUSTER_ID, EmbeddedKafka

pytestmark = pytest.mark.services
SILENT = {"log_level": 0}


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    broker = EmbeddedKafka(tmp_path_factory.mktemp("kafka"), free_port(), free_port())
    broker.start()
    yield broker
    broker.stop()


def create(broker: EmbeddedKafka, topic: str, **config: str) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap, **SILENT})
    for done in admin.create_topics([NewTopic(topic, 1, 1, config=config)]).values():
        done.result(30)


def send(broker: EmbeddedKafka, topic: str, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap, "message.max.bytes": 16_000_000, **SILENT})
    errors = []
    producer.produce(topic, value, on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(30) == 0
    assert errors == [None]


def read(broker: EmbeddedKafka, topic: str, count: int) -> list[bytes]:
    settings = {
        "bootstrap.servers": broker.bootstrap,
        "group.id": "test",
        "fetch.message.max.bytes": 16_000_000,
    }
    consumer = Consumer({**settings, **SILENT})
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        values = [record.value() for record in consumer.consume(count, 30)]
    finally:
        consumer.close()
    return values


def test_records_stay_after_a_stop_and_after_a_kill(kafka: EmbeddedKafka) -> None:
    create(kafka, "kept")
    send(kafka, "kept", b"one")
    kafka.stop()
    assert not kafka.alive()
    kafka.start()
    send(kafka, "kept", b"two")
    kafka.kill()
    kafka.start()
    assert read(kafka, "kept", 2) == [b"one", b"two"]


def test_a_dead_letter_of_12_megabytes_passes(kafka: EmbeddedKafka) -> None:
    large = os.urandom(12 * 1024 * 1024)
    create(kafka, "large", **{"max.message.bytes": str(16_000_000)})
    send(kafka, "large", large)
    assert read(kafka, "large", 1) == [large]


def test_a_topic_that_nobody_declared_is_an_error(kafka: EmbeddedKafka) -> None:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap, **SILENT})
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "message.timeout.ms": 2000, **SILENT})
    producer.produce("nobody", b"x")
    producer.flush(10)
    assert "nobody" not in admin.list_topics(timeout=10).topics


def test_transactions_work(kafka: EmbeddedKafka) -> None:
    create(kafka, "exact")
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": "t", **SILENT})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce("exact", b"aborted")
    producer.abort_transaction(30)
    producer.begin_transaction()
    producer.produce("exact", b"committed")
    producer.commit_transaction(30)
    assert read(kafka, "exact", 1) == [b"committed"]


def test_the_broker_listens_on_loopback_only(kafka: EmbeddedKafka) -> None:
    for other in {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {
        "127.0.0.1"
    }:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((other, kafka.port), timeout=2)


@pytest.mark.parametrize("which", ["port", "controller"])
def test_a_taken_port_is_named_with_its_holder_and_the_setting(folder: Path, which: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        taken = holder.getsockname()[1]
        ports = (taken, free_port()) if which == "port" else (free_port(), taken)
        wanted = rf"127.0.0.1:{taken}: the port is taken by process {os.getpid()} .*change THROUGHLINE_KAFKA"
        with pytest.raises(PortTakenError, match=wanted):
            EmbeddedKafka(folder, *ports).start()


def test_a_folder_of_another_cluster_is_refused_untouched(folder: Path) -> None:
    meta = folder / "data" / "meta.properties"
    meta.parent.mkdir(parents=True)
    said = "node.id=1\nversion=1\ncluster.id=AAAAAAAAAAAAAAAAAAAAAA\n"
    meta.write_text(said)
    wanted = (
        rf"says cluster.id=AAAAAAAAAAAAAAAAAAAAAA where Throughline's Kafka has {CLUSTER_ID}.*move it away"
    )
    with pytest.raises(FolderUnusableError, match=wanted):
        EmbeddedKafka(folder, free_port(), free_port()).start()
    assert meta.read_text() == said


def test_a_folder_of_something_else_is_refused_untouched(folder: Path) -> None:
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "notes.txt").write_text("mine")
    with pytest.raises(FolderUnusableError, match=r"holds files but no meta\.properties"):
        EmbeddedKafka(folder, free_port(), free_port()).start()
    assert [file.name for file in (folder / "data").iterdir()] == ["notes.txt"]


def test_a_path_that_means_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FolderUnusableError, match=", has a meaning of its own"):
        EmbeddedKafka(tmp_path / "a,b", free_port(), free_port()).start()


def test_a_folder_is_served_once(kafka: EmbeddedKafka) -> None:
    with pytest.raises(FolderUnusableError, match="works in it"):
        EmbeddedKafka(kafka.folder, free_port(), free_port()).start()


def test_a_broker_that_cannot_start_says_its_last_words(folder: Path) -> None:
    broker = EmbeddedKafka(folder, free_port(), free_port(), heap_mb=512)
    broker.start()
    broker.stop()
    broker.heap_mb = 1
    with pytest.raises(
        StartFailedError, match=rf"(?s)Kafka ended with exit code 1 .*{re.escape(str(broker.log))}.*heap"
    ):
        broker.start()
