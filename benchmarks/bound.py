"""The bound of the pipeline benchmark: read every source record, decode it, produce it once; nothing else.

`python -m benchmarks.bound INDEX PROCESSES` is one of the processes; it prints how many records it moved in how many
seconds.
"""

from __future__ import annotations

import sys
import time

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition

from pipeline.engine.topic_spec import TopicSpec
from pipeline.settings import Settings

TOPIC = TopicSpec("bench.bound", 4)


def main() -> None:
    index, processes = map(int, sys.argv[1:])
    settings = Settings()
    reader = Consumer({**settings.kafka_client, "group.id": "bound", "enable.partition.eof": True})
    producer = Producer({**settings.kafka_client, "linger.ms": 20, "queue.buffering.max.messages": 1_000_000})
    topics = settings.topology.sources[index::processes]
    reader.assign([TopicPartition(topic, 0, 0) for topic in topics])
    decode, moved, ended, began = msgspec.json.Decoder().decode, 0, 0, time.monotonic()
    while ended < len(topics):
        for message in reader.consume(5000, 0.1):
            if message.error():
                ended += 1
            elif value := message.value():
                decode(value)
                producer.produce(TOPIC.name, value, message.key())
                moved += 1
        producer.poll(0)
    producer.flush()
    print(moved, time.monotonic() - began)
    reader.close()


if __name__ == "__main__":
    main()
