"""Aggregates, recomputed per time bucket from the deduplicated base.

In: which buckets an insert touched, as records on `warehouse.buckets` keyed by bucket. Out: the rows of those
buckets in the aggregate tables. What always holds: when every touched bucket has been recomputed, an
aggregate equals the same query over its base with FINAL, however often and in whatever order blocks,
revisions and recomputations came; a group that vanished counts zero.

Why it is exact. A version is the server's clock, read before the statement that recomputes. An insert X sends
its bucket only after X is confirmed, so the recomputation that answers it reads the clock after X is visible.
The row that wins has the greatest version, so its clock was read no earlier and its statement has seen X as
well. This holds for any number of writers, and for one that froze and came back; the topic's keys only gather
the work. `docs/adr/0005-tables-and-keys.md` has the alternatives.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pipeline.ports import Record
from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.rows import Block

_HOUR = 3600
_DAY = 24 * _HOUR
_SECOND = 1_000_000
_LAST = (
    2**32 - 1
)  # seconds since 1970, of a DateTime: a statement that names another is refused again and again
_TOGETHER = 1000  # buckets a statement: far below ClickHouse's max_query_size of 256 KiB
_REST = 4.0  # times as long as the work took, so that a dense hour costs freshness and not the server,
_LONGEST_REST = 2.0  # seconds: whoever waits for the end of a replay waits for this too


@dataclass(frozen=True, slots=True)
class Aggregate:
    """`columns` of `table`, grouped by (bucket, *groups), from the base table's rows of one bucket.

    `begin` is the start of the bucket that holds `time`; as a function of the sorting key it lets ClickHouse
    read those buckets alone.
    """

    name: str
    table: str
    bucket: str
    seconds: int
    base: str
    time: str
    begin: str
    groups: tuple[str, ...]
    columns: dict[str, str]
    where: str = "true"

    def clock(self, starts: Sequence[int]) -> str:
        """The query for the version with which to recompute: the clock, or more if it was set back since."""
        return (
            f"SELECT greatest(toUInt64(toUnixTimestamp64Micro(now64(6))), max(version) + 1) "  # noqa: S608
            f"FROM {self.table} WHERE {self.bucket} IN ({_listed(starts)})"
        )

    def statement(self, starts: Sequence[int], version: int) -> str:
        """The INSERT that recomputes the buckets that begin at `starts` (seconds since 1970).

        The groups that are there already come in with nothing to count, so that one that has vanished is
        written as zero. Buckets are small: a second thread costs the server a sixth more, and is as fast.
        """
        within = _listed(starts)
        groups = ", ".join(self.groups)
        counted = ", ".join(f"{sql} AS {name}" for name, sql in self.columns.items())
        nothing = ", ".join(f"old.{name} * 0" for name in self.columns)
        sums = ", ".join(f"sum({name}) AS {name}" for name in self.columns)
        # every name and expression is a constant of this module, and the starts are integers
        return f"""
INSERT INTO {self.table} ({self.bucket}, {groups}, {", ".join(self.columns)}, version)
SELECT bucket, {groups}, {sums}, {version}
FROM
(
    SELECT {self.begin} AS bucket, {groups}, {counted}
    FROM {self.base} FINAL
    WHERE {self.begin} IN ({within}) AND {self.where}
    GROUP BY bucket, {groups}
    UNION ALL
    SELECT old.{self.bucket} AS bucket, {", ".join(f"old.{group}" for group in self.groups)}, {nothing}
    FROM {self.table} AS old
    WHERE old.{self.bucket} IN ({within})
)
GROUP BY bucket, {groups}
SETTINGS max_threads = 1"""  # noqa: S608

    def touched(self, block: Block) -> Iterable[bytes]:
        """The keys of the buckets in which a block of the base table has rows."""
        width = self.seconds * _SECOND
        starts = {instant // width for instant in block.columns[self.time]}
        return [f"{self.name}:{start * self.seconds}".encode() for start in sorted(starts)]


def _listed(starts: Sequence[int]) -> str:
    return ", ".join(map(str, starts))


TOUCHPOINTS = Aggregate(
    name="touchpoints",
    table="touchpoints_hourly",
    bucket="hour",
    seconds=_HOUR,
    base="touchpoints",
    time="time",
    begin="toStartOfHour(time)",
    groups=("domain", "type", "owner", "mapped"),
    columns={
        "touchpoints": "count()",
        "failures": "countIf(outcome = 'failure')",
    },
)
PROMISES = Aggregate(
    name="promises",
    table="promises_daily",
    bucket="day",
    seconds=_DAY,
    base="promises",
    time="made_at",
    begin="toStartOfDay(made_at)",
    groups=("rule", "journey_type", "owed_by", "made_by", "status"),
    columns={
        "promises": "count()",
        "met": "countIf(isNotNull(met_at))",
        "late_hours": "sumIf(ifNull(gap_hours, 0), gap_hours > 0)",
    },
    where="status != 'withdrawn'",
)
STALLS = Aggregate(
    name="stalls",
    table="stalls_daily",
    bucket="day",
    seconds=_DAY,
    base="stalls",
    time="entered_at",
    begin="toStartOfDay(entered_at)",
    groups=("stage", "journey_type", "owner", "status"),
    columns={
        "stalls": "count()",
        "ended": "countIf(isNotNull(left_at))",
        "dwell_seconds": "sum(ifNull(date_diff('microsecond', entered_at, left_at), 0)) / 1e6",
        "stuck_seconds": "sum(ifNull(date_diff('microsecond', since, left_at), 0)) / 1e6",
    },
    where="status != 'withdrawn'",
)
AGGREGATES = {aggregate.name: aggregate for aggregate in (TOUCHPOINTS, PROMISES, STALLS)}
_BY_BASE = {aggregate.base: aggregate for aggregate in AGGREGATES.values()}


def touched_buckets(blocks: Iterable[Block]) -> list[bytes]:
    """The keys of all buckets that inserting `blocks` has touched, each once: `<aggregate>:<start in
    seconds>`.
    """
    keys = (
        key
        for block in blocks
        if len(block) and block.table in _BY_BASE
        for key in _BY_BASE[block.table].touched(block)
    )
    return list(dict.fromkeys(keys))


class BucketSink:
    """The sink over `warehouse.buckets`: recomputes the buckets that are named by the records' keys.

    What `write` gets is coalesced, and so is what comes while it rests, four times as long as it worked and two
    seconds at most. When `write` has returned, its buckets are exact; so are all, once all records are consumed. A
    key that names no aggregate is left to `refused`.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        refused: Callable[[Record, str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._warehouse = warehouse
        self._refused = refused
        self._clock = clock
        self._worked = 0.0

    def write(self, records: Sequence[Record]) -> None:
        """Recompute every bucket that the records name. Raises WarehouseError; then nothing is to be
        acknowledged.
        """
        began, starts = self._clock(), self._read(records)
        for name, wanted in starts.items():
            ordered = sorted(wanted)
            for first in range(0, len(ordered), _TOGETHER):
                self._recompute(AGGREGATES[name], ordered[first : first + _TOGETHER])
        self._worked = self._clock() - began

    def rest(self) -> float:
        """Seconds to gather before the next call."""
        return min(_LONGEST_REST, self._worked * _REST)

    def close(self) -> None:
        self._warehouse.close()

    def _recompute(self, aggregate: Aggregate, starts: Sequence[int]) -> None:
        ((version,),) = self._warehouse.query(aggregate.clock(starts))
        self._warehouse.query(aggregate.statement(starts, version))

    def _read(self, records: Sequence[Record]) -> dict[str, set[int]]:
        starts: dict[str, set[int]] = {}
        for record in records:
            name, _, start = (record.key or b"").decode(errors="replace").partition(":")
            if name not in AGGREGATES or not start.isdecimal() or int(start) > _LAST:
                self._refused(
                    record, "the key names no bucket; it has to be an aggregate's name, a colon and its start"
                )
            else:
                starts.setdefault(name, set()).add(int(start))
        return starts
