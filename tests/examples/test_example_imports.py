"""The examples' mappings, on the real tables: every row becomes what its data set's description says."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from example_data import Example

from pipeline.core.instants import micros
from pipeline.maps import load_map

pytestmark = pytest.mark.data


def decoded(example: Example) -> list[dict[str, Any]]:
    return [msgspec.json.decode(event.value) for event in example.events]


def test_olist_becomes_the_touchpoints_that_its_description_counts(olist: Example) -> None:
    events = decoded(olist)
    assert Counter(event["type"] for event in events) == {
        "sales.order.placed": 8135,
        "billing.payment.approved": 7989,
        "fulfilment.order.handed_over": 6353,
        "fulfilment.order.delivered": 5170,
        "sales.item.ordered": 8365,
        "survey.review.answered": 8225,
    }
    assert len(events) == olist.report.events == 44_237
    assert len({(event["source"], event["id"]) for event in events}) == 44_237
    assert olist.report.newest == micros(datetime(2018, 10, 22, 3, 33, 14, tzinfo=UTC))
    assert (olist.report.rejected_rows, olist.report.repeated_ids, olist.report.after_as_of) == (0, 0, 0)


def test_only_the_purchase_of_olist_knows_its_person(olist: Example) -> None:
    events = decoded(olist)
    kinds = {(event["type"], tuple(sorted(event["identities"]))) for event in events}
    purchase = ("sales.order.placed", ("customer_id", "order_id"))
    assert {identities for _, identities in kinds - {purchase}} == {("order_id",)}
    placed = [event["identities"]["customer_id"] for event in events if event["type"] == purchase[0]]
    assert len(placed) == 8135
    assert len(set(placed)) == 8016


def test_the_loans_log_becomes_one_touchpoint_a_row(loans: Example) -> None:
    events = decoded(loans)
    assert len(events) == loans.report.rows == 262_200
    assert len({event["identities"]["application_id"] for event in events}) == 13_087
    assert loans.report.newest == micros(datetime(2012, 3, 14, 15, 4, 54, 681000, tzinfo=UTC))
    assert (loans.report.rejected_rows, loans.report.repeated_ids) == (0, 0)


def test_steps_of_a_loan_at_the_same_instant_keep_the_order_of_the_log(loans: Example) -> None:
    last: dict[tuple[str, str], int] = {}
    ties = 0
    for event in decoded(loans):
        instant = (event["identities"]["application_id"], event["time"])
        ties += instant in last
        assert int(event["sequence"]) > last.get(instant, -1)
        last[instant] = int(event["sequence"])
    assert ties > 1000


def test_every_type_of_an_example_is_declared_in_its_map(olist: Example, loans: Example) -> None:
    for example in (olist, loans):
        types = {event["type"] for event in decoded(example)}
        assert types == set(load_map(example.folder / "map.yaml").touchpoints)
