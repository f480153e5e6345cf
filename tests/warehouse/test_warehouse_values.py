"""Value promises in the warehouse: the log has every revision, their own table the last."""

from __future__ import annotations

import pytest
from published_records import TOPOLOGY, figure, published

from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.sink import WarehouseSink


@pytest.mark.services
def test_a_value_promise_goes_to_the_log_and_its_last_revision_to_its_table(warehouse: Warehouse) -> None:
    records = published(
        [figure("f-1", "2018-05-01 09:00"), figure("f-1", "2018-05-01 09:00", "broken", 1)], TOPOLOGY.findings
    )
    sink = WarehouseSink(warehouse, TOPOLOGY, lambda _: None, lambda _, reason: pytest.fail(reason))
    sink.write(records)
    assert warehouse.query("SELECT type, revision, status FROM findings FINAL ORDER BY revision") == [
        ("value_promise", 0, "made"),
        ("value_promise", 1, "broken"),
    ]
    assert warehouse.query(
        "SELECT rule, kind, status, made_by, owed_by, promised_to, observed, unit, gap FROM value_promises FINAL"
    ) == [("consumption", "at_most", "broken", "marketing.ad.seen", "engines", 6.0, 7.8, "l/100km", 0.3)]
    assert warehouse.query("SELECT count() FROM promises") == [(0,)]
