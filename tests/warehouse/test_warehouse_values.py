"""Value promises in the warehouse: the audit log has them, and they stop nothing."""

from __future__ import annotations

from published_records import TOPOLOGY, Consumed, figure, published

from pipeline.warehouse.readings import finding_readings
from pipeline.warehouse.rows import finding_blocks


def no_refusal(record: Consumed, why: str) -> None:
    raise AssertionError(f"{record} was refused: {why}")


def test_a_value_promise_goes_to_the_log_alone() -> None:
    broken = figure("f-1", "2018-05-01 09:00", "broken")
    records = published([broken], TOPOLOGY.findings)
    for blocks in (finding_blocks(records, no_refusal), finding_readings(records)):
        assert [(block.table, len(block)) for block in blocks] == [
            ("findings", 1),
            ("promises", 0),
            ("stalls", 0),
        ]
    columns = finding_blocks(records, no_refusal)[0].columns
    assert (columns["type"], columns["rule"], columns["status"]) == (
        ["value_promise"],
        ["consumption"],
        ["broken"],
    )
    assert columns["record"] == [broken.model_dump_json().encode()]
