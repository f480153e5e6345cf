"""Whether a pipeline has worked off everything it was given, seen from outside.

Every stage commits its outputs together with its input position, so work in flight always shows as a record that
some stage has not read. When no stage has an unread committed record, and none has appeared between two looks, the
pipeline is at rest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from pipeline.errors import ThroughlineError
from pipeline.operations.clients import explained, patiently, quiet
from pipeline.topology import Topology

_TIMEOUT = 10.0
_MANY = 1000
"""More unread offsets than transaction markers alone would make."""


@dataclass(frozen=True)
class Lag:
    """One input partition of a stage: next offset to read, end of what is committed, records in between at most."""

    topic: str
    partition: int
    position: int
    end: int

    @property
    def records(self) -> int:
        return max(0, self.end - self.position)


class NotCaughtUpError(ThroughlineError):
    """The pipeline did not come to rest in time."""

    exit_code = 1


class Watcher:
    """Looks at the lag of every stage of one pipeline. Close it when done, before the broker ends.

    Its questions raise KafkaProblemError when the broker does not answer.
    """

    def __init__(self, options: Mapping[str, Any], topology: Topology) -> None:
        self._options = options
        self._partitions = _inputs(topology)
        self._admin: AdminClient | None = AdminClient(quiet(options))
        self._reader = Consumer(
            quiet(
                options,
                group_id=topology.app,
                enable_auto_commit=False,
                isolation_level="read_committed",
                enable_partition_eof=True,
                fetch_wait_max_ms=10,  # an end is told once nothing has come for so long
                auto_offset_reset="earliest",
            )
        )

    def lags(self) -> list[Lag]:
        """The lag of every input partition; transaction markers may still count as one record each."""
        with explained(self._options, "asking how far the pipeline is"):
            return self._lags()

    def _lags(self) -> list[Lag]:
        ends = self._ends()
        committed = self._committed()
        return [
            Lag(each.topic, each.partition, max(each.offset, 0), ends[(each.topic, each.partition)])
            for each in committed
        ]

    def at_rest(self) -> bool:
        """No stage has an unread committed record, no transaction is open, and nothing appeared while looking."""
        with explained(self._options, "asking how far the pipeline is"):
            before = self._lags()
            if self._unread([lag for lag in before if lag.records]):
                return False
            ends = {(lag.topic, lag.partition): lag.end for lag in before}
            # a commit reaches the partitions one by one: the input may be read before the output can be
            return ends == self._ends(IsolationLevel.READ_UNCOMMITTED) == self._ends()

    def wait(
        self, limit: float, look: Callable[[list[Lag]], None] = lambda _: None, every: float = 0.5
    ) -> None:
        """Wait until the pipeline is at rest on two looks in a row; `look` sees the lags of each.

        Raises NotCaughtUpError after `limit` seconds.
        """
        end, calm = time.monotonic() + limit, 0
        while calm < 2:
            lags = self.lags()
            if time.monotonic() > end:
                raise NotCaughtUpError(_behind(lags, limit))
            look(lags)
            calm = calm + 1 if self.at_rest() else 0
            time.sleep(every)

    def wait_past(self, topics: Collection[str], limit: float, every: float = 0.5) -> None:
        """Wait until whatever is in `topics` now, in open transactions too, was read and acknowledged by its stage, or
        aborted. What comes meanwhile is not waited for.

        Raises NotCaughtUpError after `limit` seconds.
        """
        with explained(self._options, "asking how far the pipeline is"):
            wanted = {
                place: offset
                for place, offset in self._ends(IsolationLevel.READ_UNCOMMITTED).items()
                if place[0] in topics
            }
            end = time.monotonic() + limit
            while behind := self._behind(wanted):
                if time.monotonic() > end:
                    raise NotCaughtUpError(_behind(behind, limit))
                time.sleep(every)

    def _behind(self, wanted: Mapping[tuple[str, int], int]) -> list[Lag]:
        """The partitions in which something before the wanted offset is unread, or in an open transaction."""
        committed, ends = self._committed(), self._ends()
        lags = [
            Lag(each.topic, each.partition, max(each.offset, 0), wanted[each.topic, each.partition])
            for each in committed
            if (each.topic, each.partition) in wanted
        ]
        lags = [lag for lag in lags if lag.records]
        open_ones = [lag for lag in lags if ends[lag.topic, lag.partition] < lag.end]
        return open_ones or self._unread(lags)

    def close(self) -> None:
        self._reader.close()
        self._admin = None  # it has no other end: librdkafka ends with its last reference

    def _committed(self) -> list[TopicPartition]:
        return patiently(lambda: self._reader.committed(list(self._partitions), timeout=_TIMEOUT), _TIMEOUT)

    def _ends(self, isolation: IsolationLevel = IsolationLevel.READ_COMMITTED) -> dict[tuple[str, int], int]:
        return patiently(lambda: self._ends_now(isolation), _TIMEOUT)

    def _ends_now(self, isolation: IsolationLevel) -> dict[tuple[str, int], int]:
        assert self._admin is not None, "closed"
        wanted = {
            TopicPartition(each.topic, each.partition): OffsetSpec.latest() for each in self._partitions
        }
        found = self._admin.list_offsets(wanted, isolation_level=isolation, request_timeout=_TIMEOUT)
        ends = {(tp.topic, tp.partition): future.result().offset for tp, future in found.items()}
        if any(end < 0 for end in ends.values()):
            # the broker ended while it answered: this is no end, and not at rest
            raise KafkaException(KafkaError(KafkaError.LEADER_NOT_AVAILABLE))
        return ends

    def _unread(self, lags: list[Lag]) -> list[Lag]:
        """Those in which a committed record, and not only transaction markers, lies between the position and the end."""
        many = [lag for lag in lags if lag.records > _MANY]
        if many or not lags:
            return many
        asked = {(lag.topic, lag.partition): lag for lag in lags}
        self._reader.assign([TopicPartition(lag.topic, lag.partition, lag.position) for lag in lags])
        try:
            return self._with_records(asked)
        finally:
            self._reader.unassign()

    def _with_records(self, asked: dict[tuple[str, int], Lag]) -> list[Lag]:
        """Those of the assigned partitions whose next record lies before the end; and those that gave no answer in time."""
        found, deadline = [], time.monotonic() + _TIMEOUT
        while asked and time.monotonic() < deadline:
            message = self._reader.poll(0.2)
            if message is None:
                continue
            error = message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - the constant's public name
                continue
            lag = asked.pop((message.topic() or "", message.partition() or 0), None)
            if lag is not None and error is None:
                if (message.offset() or 0) < lag.end:
                    found.append(lag)
                self._reader.incremental_unassign([TopicPartition(lag.topic, lag.partition)])
        return [*found, *asked.values()]


def _behind(lags: list[Lag], limit: float) -> str:
    worst = max(lags, key=lambda lag: lag.records)
    return (
        f"the pipeline has not caught up after {limit:.0f} s: {sum(lag.records for lag in lags)} records are unread, "
        f"most of them ({worst.records}) in {worst.topic}/{worst.partition}; look at the workers' logs"
    )


def _inputs(topology: Topology) -> list[TopicPartition]:
    many: Iterable[str] = (
        topology.identity,
        topology.journeys,
        topology.enriched,
        topology.findings,
        topology.state,
        topology.buckets,
    )
    return [
        *(TopicPartition(t, p) for t in topology.sources for p in range(topology.source_partitions)),
        TopicPartition(topology.dead_letter, 0),
        TopicPartition(topology.links, 0),
        TopicPartition(topology.stays, 0),
        *(TopicPartition(t, p) for t in many for p in range(topology.partitions)),
    ]
