"""Feeding the source topics: whoever replays or simulates writes through here.

Records go to `touchpoints.<domain>` as they are. A *tick* is a promise of the writer, told to every source partition:
everything before this instant has been sent. It is how silence is told from absence when time is not the wall clock's.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from pipeline.core.ingest import tick_headers
from pipeline.errors import ThroughlineError
from pipeline.operations.clients import quiet
from pipeline.ports import Headers
from pipeline.topology import MAX_RECORD_BYTES, Topology

_FLUSH_SECONDS = 60.0


class SourceNotWritableError(ThroughlineError):
    """A record could not be delivered to a source topic."""


class SourceWriter:
    """Writes to the source topics of one pipeline.

    Leaving the context waits until all of it is delivered, and closes the connection; after an error it only closes.
    """

    def __init__(self, options: Mapping[str, Any], topology: Topology) -> None:
        self._topology = topology
        self._topics = {domain: topology.source(domain) for domain in topology.domains}
        self._problem: KafkaError | None = None
        self._producer = Producer(
            quiet(
                options,
                enable_idempotence=True,
                linger_ms=20,
                compression_type="lz4",
                message_max_bytes=MAX_RECORD_BYTES,
                queue_buffering_max_messages=200_000,
                queue_buffering_max_kbytes=65_536,
                message_timeout_ms=30_000,
            )
        )

    def send(self, domain: str, key: bytes | None, value: bytes, headers: Headers = ()) -> None:
        """Queue one record; a full queue waits for the broker."""
        self._produce(self._topics[domain], value, key, headers)

    def tick(self, instant: int) -> None:
        """Tell every source partition that everything before `instant` (µs since 1970) has been sent."""
        headers = tick_headers(instant)
        for topic in self._topics.values():
            for partition in range(self._topology.source_partitions):
                self._produce(topic, b"", None, headers, partition)

    def flush(self) -> None:
        """Wait until everything queued is on the broker. Raises SourceNotWritableError if some is not."""
        left = self._producer.flush(_FLUSH_SECONDS)
        self._check()
        if left:
            raise SourceNotWritableError(
                f"{left} records are still not on the broker after {_FLUSH_SECONDS:.0f} s"
            )

    def _produce(
        self,
        topic: str,
        value: bytes,
        key: bytes | None,
        headers: Headers,
        partition: int = -1,
    ) -> None:
        while True:
            try:
                self._producer.produce(
                    topic, value, key, partition, headers=list(headers), on_delivery=self._delivered
                )
                self._producer.poll(0)
                return
            except BufferError:
                self._producer.poll(0.1)
                self._check()
            except KafkaException as error:
                raise SourceNotWritableError(f"{topic}: {error}") from error

    def _delivered(self, error: KafkaError | None, message: Message) -> None:  # noqa: ARG002 - librdkafka's signature
        if error is not None and self._problem is None:
            self._problem = error

    def _check(self) -> None:
        if self._problem is not None:
            raise SourceNotWritableError(
                f"the broker has not taken a record ({self._problem.str()}); `throughline status` says whether it answers"
            )

    def __enter__(self) -> SourceWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.flush()
            else:
                self._producer.purge()
        finally:
            self._producer.close()
