"""The whole pipeline in memory: from CloudEvents to a summary."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from journey_world import APPROVED, CALLED_OFF, DELIVERED, PLACED, SHIPPED, SHOP, at, plan_of, us
from learned_world import shop as learning_shop
from value_world import fuel

from pipeline.core.dead_letters import TooManyDeadLettersError
from pipeline.core.run import MemoryPipeline, Published, Result, RunConfig, run
from pipeline.core.summary import (
    FindingCount,
    PromiseCounts,
    StallCounts,
    ValuePromiseCounts,
    promise_counts,
    stall_counts,
    value_promise_counts,
)

NOW = us("2026-06-01 00:00")


@dataclass(frozen=True)
class Sent:
    domain: str
    value: bytes
    key: bytes | None = None


def event(when: str, kind: str, name: str, order: str, customer: str | None = None, **data: Any) -> Sent:
    identities = {"order_id": order} | ({"customer_id": customer} if customer else {})
    content = {
        "specversion": "1.0",
        "id": name,
        "source": "shop",
        "type": kind,
        "time": at(when).isoformat(),
        "identities": identities,
        "data": data,
    }
    return Sent(kind.partition(".")[0], msgspec.json.encode(content))


def run_shop(records: Iterable[Sent], as_of: str = "2026-04-01 00:00", **config: Any) -> Result:
    return run(plan_of(SHOP), records, RunConfig("a test's key", NOW, **config), us(as_of))


RECORDS = [
    event("2026-03-01 09:00", PLACED, "1", "7", "ann", due="2026-03-05T09:00:00Z"),
    event("2026-03-01 10:00", APPROVED, "2", "7"),
    event("2026-03-02 09:00", SHIPPED, "3", "7"),
    event("2026-03-20 09:00", DELIVERED, "4", "7"),
    event("2026-03-02 09:00", DELIVERED, "5", "8"),
    event("2026-03-01 09:00", PLACED, "6", "8", "ann", due="2026-03-05T09:00:00Z"),
    event("2026-03-01 09:00", PLACED, "7", "9", "bob", due="2026-03-05T09:00:00Z"),
    event("2026-03-02 09:00", CALLED_OFF, "8", "9"),
    event("2026-03-10 09:00", "social.post.written", "9", "9"),
    event("2026-03-31 18:00", PLACED, "10", "10", "eve", due="2026-04-05T09:00:00Z"),
    event("2026-03-15 18:00", SHIPPED, "11", "10"),
]


@pytest.mark.parametrize("partitions", [1, 4])
def test_a_run_sums_up_what_became_of_everything(partitions: int) -> None:
    bad = Sent("sales", b'{"id": 1')
    summary = run_shop([*RECORDS, RECORDS[0], bad], partitions=partitions, batch_records=3).summary
    assert (summary.as_of, summary.touchpoints, summary.persons) == (at("2026-04-01 00:00"), 11, 3)
    assert (summary.unmapped, summary.dead_letters, summary.duplicates) == (1, 1, 1)
    assert (summary.rejected_rows, summary.after_as_of) == (None, None)
    assert summary.promises == {
        "delivery": PromiseCounts(kept=1, broken_then_met=1, open=1, cancelled=1),
        "approval": PromiseCounts(kept=1, broken=2, open=1),
    }
    assert summary.stalls == {
        "in_transit": StallCounts(opened=2, resolved=1, open=1, declared=2),
        "on_hold": StallCounts(),
    }


def test_a_runs_order_does_not_matter() -> None:
    assert run_shop(reversed(RECORDS)).summary == run_shop(RECORDS).summary


def test_a_run_of_nothing_has_a_summary_of_zeros() -> None:
    summary = run_shop([]).summary
    assert (summary.touchpoints, summary.persons) == (0, 0)
    assert summary.promises == {"delivery": PromiseCounts(), "approval": PromiseCounts()}


def test_time_goes_as_far_as_it_is_told_to() -> None:
    early = run_shop(RECORDS[:2], as_of="2026-03-05 09:00").summary
    late = run_shop(RECORDS[:2], as_of="2026-03-05 09:00:00.000001").summary
    assert (early.promises["delivery"].open, late.promises["delivery"].broken) == (1, 1)


def test_a_run_of_bad_records_stops_and_says_why() -> None:
    with pytest.raises(TooManyDeadLettersError):
        run_shop([Sent("sales", b"nonsense")] * 3000)


def test_a_summary_is_written_in_the_order_that_people_read() -> None:
    written = msgspec.json.decode(run_shop(RECORDS).summary.to_json())
    assert list(written) == [
        "as_of",
        "touchpoints",
        "persons",
        "unmapped",
        "dead_letters",
        "rejected_rows",
        "after_as_of",
        "duplicates",
        "promises",
        "value_promises",
        "stalls",
    ]
    assert written["promises"]["delivery"] == {
        "kept": 1,
        "broken_then_met": 1,
        "broken": 0,
        "open": 1,
        "cancelled": 1,
    }


def test_counts_leave_out_what_was_withdrawn_and_what_the_map_does_not_know() -> None:
    plan = plan_of(SHOP)
    counted = [
        FindingCount("promise", "delivery", "withdrawn", False, 5),
        FindingCount("promise", "delivery", "made", False, 2),
        FindingCount("promise", "delivery", "at_risk", False, 3),
        FindingCount("promise", "forgotten", "kept", True, 7),
        FindingCount("stall", "in_transit", "withdrawn", False, 5),
        FindingCount("stall", "in_transit", "opened", False, 2),
        FindingCount("stall", "forgotten", "opened", False, 2),
    ]
    assert promise_counts(plan, counted) == {"delivery": PromiseCounts(open=5), "approval": PromiseCounts()}
    assert stall_counts(plan, counted) == {
        "in_transit": StallCounts(opened=2, open=2, declared=2),
        "on_hold": StallCounts(),
    }


def test_promised_figures_are_counted_by_what_became_of_them() -> None:
    plan = plan_of(fuel())
    statuses = ("made", "kept", "exceeded", "broken", "lapsed", "cancelled", "withdrawn")
    counted = [FindingCount("value_promise", "figure", each, False, 2**n) for n, each in enumerate(statuses)]
    counted += [
        FindingCount("value_promise", "forgotten", "kept", False, 99),
        FindingCount("promise", "figure", "kept", False, 99),
    ]
    assert value_promise_counts(plan, counted) == {
        "figure": ValuePromiseCounts(made=63, open=1, kept=2, exceeded=4, broken=8, lapsed=16, cancelled=32)
    }


def test_stalls_are_counted_by_the_limit_that_fired_and_a_learned_limit_is_one() -> None:
    plan = plan_of(learning_shop(expected=None))
    counted = [
        FindingCount("stall", "in_transit", "opened", False, 1, "learned"),
        FindingCount("stall", "in_transit", "escalated", False, 2, "declared"),
        FindingCount("stall", "in_transit", "resolved", False, 4, "learned"),
        FindingCount("stall", "in_transit", "abandoned", False, 8, "learned"),
        FindingCount("stall", "in_transit", "withdrawn", False, 16, "learned"),
    ]
    assert stall_counts(plan, counted) == {
        "in_transit": StallCounts(opened=15, open=3, resolved=4, declared=2, learned=13)
    }
    assert stall_counts(plan, []) == {"in_transit": StallCounts()}


def test_a_run_counts_promised_figures_and_stalls_by_learned_limits() -> None:
    journey_map = learning_shop(
        expected=None, learned={"quantile": 0.9, "times": 2, "least": 10}, warn_at=[0.5]
    )
    journey_map["journeys"]["order"]["promises"]["one_parcel"] = {
        "kind": "at_most",
        "made_by": PLACED,
        "promised": {"value": 1},
        "measure": {"count": SHIPPED},
        "window": "20d",
        "owed_by": "logistics",
    }
    records = [
        event(f"2026-03-{day:02} 09:00", kind, f"{kind} {order}", f"{order}", "ann")
        for order in range(12)
        for day, kind in ((1, PLACED), (2, SHIPPED), (3, DELIVERED))
    ]
    records += [
        event("2026-03-10 09:00", PLACED, "p", "stuck", "bob"),
        event("2026-03-10 10:00", SHIPPED, "s", "stuck", "bob"),
        event("2026-03-11 10:00", SHIPPED, "s again", "stuck", "bob"),
        event("2026-03-29 09:00", PLACED, "late", "late", "eve"),
    ]
    found = run(plan_of(journey_map), records, RunConfig("a test's key", NOW), us("2026-04-01 00:00"))
    assert found.summary.value_promises == {
        "one_parcel": ValuePromiseCounts(made=14, kept=12, broken=1, open=1)
    }
    assert found.summary.stalls == {"in_transit": StallCounts(opened=1, open=1, learned=1)}


class Revisions(Published):
    """Keeps every revision."""

    def __init__(self) -> None:
        super().__init__(keeps_enriched=False)
        self.told: list[tuple[str, str]] = []

    def finding(self, key: bytes, value: bytes) -> None:
        said = msgspec.json.decode(value)
        self.told.append((said["rule"], said["status"]))


@pytest.mark.parametrize("partitions", [1, 3])
def test_time_waits_for_what_is_forwarded_along_every_kind_of_reference(partitions: int) -> None:
    """Of the kinds that are there by default: a session is a parcel's, this a ticket's, that an order's."""
    order: dict[str, Any] = {**SHOP["journeys"]["order"], "key": "data.order"}
    revisions = Revisions()
    config = RunConfig("a test's key", NOW, partitions=partitions)
    pipeline = MemoryPipeline(plan_of({**SHOP, "journeys": {"order": order}}), config, published=revisions)

    def feed(when: str, kind: str, name: str, identities: dict[str, str], **data: str) -> None:
        told = msgspec.json.decode(event(when, kind, name, "").value)
        sent = {**told, "identities": identities, "data": {"order": "7", **data}}
        pipeline.feed(kind.partition(".")[0], msgspec.json.encode(sent))

    due = "2026-03-05T09:00:00Z"
    address = {"email": "ann@example.com"}
    feed("2026-02-01 09:00", "sales.order.looked_at", "0", {**address, "customer_id": "ann"})
    feed("2026-03-01 09:00", PLACED, "1", {**address, "order_id": "7"}, due=due)
    for name, one, other in (("2", "order", "ticket"), ("3", "ticket", "parcel"), ("4", "parcel", "session")):
        feed("2026-03-01 10:00", "sales.order.looked_at", name, {f"{one}_id": "7", f"{other}_id": "7"})
    pipeline.tick(us("2026-03-02 00:00"))
    pipeline.drain()
    feed("2026-03-04 09:00", DELIVERED, "5", {"session_id": "7"})
    pipeline.tick(us("2026-03-10 00:00"))
    while waiting := pipeline.waiting():
        for queue in waiting:
            pipeline.step(queue, 1)
    told = [status for rule, status in revisions.told if rule == "delivery"]
    assert (set(told), told[-1]) == ({"made", "kept"}, "kept")


def test_what_is_unmapped_does_not_hang_on_which_of_two_contents_came_first() -> None:
    contents = [
        event("2026-03-01 09:00", kind, "1", "7", "ann", due="2026-03-05T09:00:00Z")
        for kind in (PLACED, "sales.order.looked_at")
    ]
    [one, other] = [run_shop(order).summary for order in (contents, contents[::-1])]
    assert (one.touchpoints, one.unmapped) == (other.touchpoints, other.unmapped)
    assert one.promises == other.promises
