"""Golden records: these published bytes are these rows, down to the types.

After a wanted change, `THROUGHLINE_UPDATE_GOLDEN=1 pytest tests/warehouse/test_warehouse_golden.py` writes
the rows anew; read the difference before you commit it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import pytest
from published_records import TOPOLOGY, Consumed

from pipeline.core import outputs
from pipeline.warehouse import wire
from pipeline.warehouse.buckets import AGGREGATES, BucketSink
from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.sink import WarehouseSink

GOLDEN = Path(__file__).parent / "golden"
TOPICS = {"enriched": TOPOLOGY.enriched, "findings": TOPOLOGY.findings, "state": TOPOLOGY.state}
TABLES = {
    "touchpoints": "id",
    "touchpoints_resolved": "id",
    "findings": "finding_id, revision",
    "promises": "finding_id",
    "promise_ledger": "finding_id",
    "value_promises": "finding_id",
    "stalls": "finding_id",
    "journeys": "journey_id",
    "living_persons": "person_id",
    "persons": "person_id",
    "person_overrides": "identifier",
    "identity_links": "one, other, version",
    "links": "one, other",
    "identifiers": "identifier",
    "learned_limits": "of, rule, segment, day",
    "stage_counts": "stage, partition, name",
    **{
        aggregate.table: f"{aggregate.bucket}, {', '.join(aggregate.groups)}"
        for aggregate in AGGREGATES.values()
    },
}

VIEWS = {"touchpoints_resolved", "living_persons", "links", "promise_ledger"}


def golden_records() -> list[Consumed]:
    return [
        Consumed(topic, n, line)
        for name, topic in TOPICS.items()
        for n, line in enumerate((GOLDEN / f"{name}.jsonl").read_bytes().splitlines())
    ]


@pytest.mark.services
def test_golden_records_become_the_golden_rows(warehouse: Warehouse) -> None:
    keys: list[bytes] = []
    sink = WarehouseSink(warehouse, TOPOLOGY, keys.extend, lambda _, reason: pytest.fail(reason))
    sink.write(golden_records())
    BucketSink(warehouse, lambda _, reason: pytest.fail(reason)).write(
        [Consumed(TOPOLOGY.buckets, n, b"", key=key) for n, key in enumerate(keys)]
    )

    aggregates = {aggregate.table for aggregate in AGGREGATES.values()}
    found = {}
    for table, order in TABLES.items():
        moving = "version" if table in aggregates else "ingested_at"
        final = "" if table in VIEWS else "FINAL"
        rows, columns = warehouse.columns(f"SELECT * EXCEPT({moving}) FROM {table} {final} ORDER BY {order}")
        found[table] = {
            # the embedded server leaves the zone of a DateTime out
            "columns": {name: kind.replace("DateTime('UTC')", "DateTime") for name, kind in columns},
            "rows": [[str(value).removesuffix("+00:00") for value in row] for row in rows],
        }

    file = GOLDEN / "rows.json"
    if os.environ.get("THROUGHLINE_UPDATE_GOLDEN"):
        file.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    assert found == json.loads(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("published", "read"),
    [
        ([outputs.Event, outputs.Attribution], wire.EnrichedTouchpoint),
        ([outputs.JourneyContext], wire.JourneyContext),
        ([outputs.PromiseDetail], wire.PromiseDetail),
        ([outputs.StallDetail], wire.StallDetail),
        ([outputs.ValueDetail], wire.ValueDetail),
        ([outputs.LearnedDetail], wire.LearnedDetail),
        ([outputs.ForecastDetail], wire.ForecastDetail),
    ],
)
def test_what_the_journey_stage_publishes_has_every_field_that_is_read(
    published: list[type[msgspec.Struct]], read: type[msgspec.Struct]
) -> None:
    asked = {field.name for field in msgspec.structs.fields(read)}

    assert asked <= {field.name for part in published for field in msgspec.structs.fields(part)}
