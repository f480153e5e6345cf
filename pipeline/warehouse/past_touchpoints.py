"""Past touchpoints out of the warehouse: rows of `touchpoints` in, the events that they were out, in order of time.

An event is what the pipeline accepted of it: id, source, type, time, subject, outcome, data, and its identifiers in the
form that the live map gives them, those too that it does not name. The rest of what was sent is not in the warehouse:
`sequence`, blank and blocked values, other extension attributes, and whatever was refused.

Rows are read page by page, each page a query that begins behind the last row, so that neither side holds more than one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from pipeline.core.instants import moment
from pipeline.core.messages import Micros
from pipeline.shadow.past import PastTouchpoint
from pipeline.warehouse.client import Warehouse

PAGE = 20_000
_BETWEEN = """time >= fromUnixTimestamp64Micro(%({0})s, 'UTC') AND time <= fromUnixTimestamp64Micro(%({1})s, 'UTC')"""
_ROWS = f"""
SELECT toUnixTimestamp64Micro(time), source, id, type, subject, outcome, identities, data
FROM touchpoints FINAL
WHERE {_BETWEEN.format("time", "last")}
    AND (time, source, id) > (fromUnixTimestamp64Micro(%(time)s, 'UTC'), %(source)s, %(id)s)
    AND ({{}})
ORDER BY time, source, id
LIMIT %(page)s"""  # noqa: S608 - made of constants
_SHARES = (
    f"""{{0}} IN (SELECT {{0}} FROM touchpoints WHERE {_BETWEEN.format("from", "until")} AND {{0}} != '')"""  # noqa: S608
)
_NEWEST = "SELECT toUnixTimestamp64Micro(max(time)), count() FROM touchpoints"
_IDENTITY = "identities."


class PastInWarehouse:
    """The warehouse of one pipeline. What comes in while it is read and is newer than all that was there is left out."""

    name = "clickhouse"
    unreadable = 0

    def __init__(self, warehouse: Warehouse, page: int = PAGE) -> None:
        self._warehouse, self._page = warehouse, page
        ((newest, count),) = warehouse.query(_NEWEST)
        self._newest: Micros = newest if count else -1

    def read(self, first: Micros | None, last: Micros | None) -> Iterator[PastTouchpoint]:
        """Raises WarehouseError."""
        return self._pages("1", {"time": first or 0, "last": self._bounded(last)})

    def read_earlier(
        self, first: Micros, last: Micros | None, sharing: Sequence[str] | None
    ) -> Iterator[PastTouchpoint]:
        """ClickHouse looks for the shared values. Raises WarehouseError."""
        asked: dict[str, Any] = {"time": 0, "last": first - 1, "from": first, "until": self._bounded(last)}
        if sharing is None:
            return self._pages("1", asked)
        conditions = []
        for number, field in enumerate(sharing):
            column = field
            if field.startswith(_IDENTITY):
                column = f"identities[%(kind_{number})s]"
                asked[f"kind_{number}"] = field.removeprefix(_IDENTITY)
            conditions.append(_SHARES.format(column))
        return self._pages(" OR ".join(conditions) or "0", asked)

    def notes(self) -> list[str]:
        return []

    def _pages(self, condition: str, bounds: Mapping[str, Any]) -> Iterator[PastTouchpoint]:
        sql = _ROWS.format(condition)
        # no row has an empty source, so the first page begins at `time` itself
        asked = {**bounds, "source": "", "id": "", "page": self._page}
        while rows := self._warehouse.query(sql, asked):
            yield from map(past, rows)
            asked["time"], asked["source"], asked["id"] = rows[-1][:3]
            if len(rows) < self._page:
                return

    def _bounded(self, last: Micros | None) -> Micros:
        return self._newest if last is None else min(last, self._newest)


class _Event(msgspec.Struct, omit_defaults=True):
    specversion: str
    id: str
    source: str
    type: str
    time: Any
    identities: dict[str, str]
    data: msgspec.Raw
    subject: str | None = None
    outcome: str | None = None


_encode = msgspec.json.Encoder().encode


def past(row: tuple[Any, ...]) -> PastTouchpoint:
    """The event of (microseconds, source, id, type, subject, outcome, identities, data)."""
    time, source, touchpoint_id, kind, subject, outcome, identities, data = row
    event = _Event(
        "1.0",
        touchpoint_id,
        source,
        kind,
        moment(time),
        identities,
        msgspec.Raw(data.encode()),
        subject or None,
        outcome or None,
    )
    return PastTouchpoint(time, _encode(event))
