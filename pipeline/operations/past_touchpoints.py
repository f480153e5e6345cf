"""Past touchpoints out of the source topics: everything that was sent, as it was sent, as long as it is kept.

Read committed, from the oldest record of each partition to the end that it had at the start. The reader is assigned its
partitions and joins no group; it commits nothing, and makes no topic.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from pipeline.core.binary import structured
from pipeline.core.dead_letters import RefusedError
from pipeline.core.ingest import TICK_HEADER
from pipeline.core.instants import DAY, micros
from pipeline.core.messages import Micros
from pipeline.core.validation import read_event
from pipeline.operations.clients import KafkaProblemError, explained, patiently, quiet
from pipeline.shadow.past import PastTouchpoint
from pipeline.topology import MAX_RECORD_BYTES, Topology

_TIMEOUT = 10.0
_AT_ONCE = 500
Partition = tuple[str, int]


class PastInKafka:
    """The source topics of one pipeline, up to where they end now. Raises KafkaProblemError. Close it when done."""

    name = "kafka"

    def __init__(self, options: Mapping[str, Any], topology: Topology) -> None:
        self.unreadable = 0
        self._options = options
        self._reader = Consumer(
            quiet(
                options,
                group_id=f"shadow-{time.time_ns()}",  # the client wants one; nobody joins it
                enable_auto_commit=False,
                enable_auto_offset_store=False,
                allow_auto_create_topics=False,
                isolation_level="read_committed",
                enable_partition_eof=True,
                fetch_message_max_bytes=MAX_RECORD_BYTES,
            )
        )
        self._bounds: dict[Partition, tuple[int, int]] = {}
        self._begins: dict[Partition, int] = {}
        try:
            self._look(topology)
        except BaseException:
            self.close()
            raise

    def read(self, first: Micros | None, last: Micros | None) -> Iterator[PastTouchpoint]:
        """Every partition from its beginning, whatever the bounds: event time is in no index of a topic."""
        self.unreadable = 0
        for message in self._messages():
            past = self._past(message)
            if (
                past is not None
                and (first is None or past.time >= first)
                and (last is None or past.time <= last)
            ):
                yield past

    def read_earlier(
        self,
        first: Micros,
        last: Micros | None,  # noqa: ARG002 - nothing of a topic can be looked up
        sharing: Sequence[str] | None,  # noqa: ARG002
    ) -> Iterator[PastTouchpoint]:
        """All that are earlier."""
        return self.read(None, first - 1)

    def notes(self) -> list[str]:
        """Which topics no longer hold their oldest records."""
        found = []
        for (topic, number), (first, end) in self._bounds.items():
            if first == 0:
                continue
            begins = self._begins.get((topic, number))
            holds = "holds none" if begins is None or first == end else f"begins with those of {_day(begins)}"
            found.append(
                f"{topic}/{number} has lost records to retention and {holds}; --source clickhouse reaches further"
            )
        return found

    def close(self) -> None:
        self._reader.close()

    def _look(self, topology: Topology) -> None:
        for topic in topology.sources:
            with explained(self._options, f"reading {topic}"):
                for number in range(topology.source_partitions):
                    asked = partial(
                        self._reader.get_watermark_offsets, TopicPartition(topic, number), timeout=_TIMEOUT
                    )
                    self._bounds[topic, number] = patiently(asked, _TIMEOUT)

    def _messages(self) -> Iterator[Message]:
        """The committed records within the bounds. A partition is done at its end, or where nothing committed is left."""
        left = {place for place, (first, end) in self._bounds.items() if first < end}
        self._reader.assign([TopicPartition(*place, self._bounds[place][0]) for place in sorted(left)])
        heard = time.monotonic()
        while left:
            messages = self._reader.consume(_AT_ONCE, 0.2)
            if messages:
                heard = time.monotonic()
            elif time.monotonic() - heard > _TIMEOUT:
                raise KafkaProblemError(
                    f"the source topics did not answer within {_TIMEOUT:.0f} s; is the broker up?"
                )
            for message in messages:
                place = (message.topic() or "", message.partition() or 0)
                error = message.error()
                if error is not None:
                    if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - the constant's public name
                        raise KafkaProblemError(f"reading {place[0]}: {error.str()}")
                    left.discard(place)
                elif place in left:
                    end = self._bounds[place][1]
                    if (message.offset() or 0) < end:
                        yield message
                    if (message.offset() or 0) >= end - 1:
                        left.discard(place)
        self._reader.unassign()

    def _past(self, message: Message) -> PastTouchpoint | None:
        headers, value = message.headers() or [], message.value() or b""
        recorded = message.timestamp()[1] * 1000
        self._begins.setdefault((message.topic() or "", message.partition() or 0), recorded)
        if any(name == TICK_HEADER for name, _ in headers):
            return None
        try:
            event = structured(headers, value)
            at = micros(read_event(event).time)
        except RefusedError:
            at = -1
        if not 0 <= at <= recorded + DAY:  # what ingest refuses, whatever the map
            self.unreadable += 1
            return None
        return PastTouchpoint(at, event)


def _day(instant: Micros) -> str:
    return datetime.fromtimestamp(instant / 1e6, UTC).strftime("%Y-%m-%d")
