"""A shadow report as a person reads it."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from pipeline.cli.shadow_text import show_report
from pipeline.shadow.report import (
    Change,
    Customer,
    Example,
    PersonChange,
    Persons,
    RuleCounts,
    ShadowReport,
    Side,
    StatusCount,
)

MOVED = Example(
    "order",
    "o-[7]",
    "p-1",
    "2026-03-01T09:00:00Z",
    {
        "status": "kept",
        "due_at": "2026-03-04T09:00:00Z",
        "gap_hours": -16.5166666667,
        "limit_seconds": 259200.0,
    },
    {"status": "kept", "due_at": "2026-03-03T09:00:00Z", "gap_hours": 7.48333333333, "limit_seconds": 7.5},
)
REPORT = ShadowReport(
    source="kafka",
    since=datetime(2026, 3, 1, tzinfo=UTC),
    as_of=datetime(2026, 3, 8, tzinfo=UTC),
    touchpoints=1200,
    earlier=30,
    unreadable=2,
    left_out=4,
    live=Side(map="live.yaml", touchpoints=1230, unmapped=1, persons=5, refused={}),
    new=Side(map="new.yaml", touchpoints=1220, unmapped=0, persons=4, refused={"no_identity": 10}),
    rules=[
        RuleCounts("stall", "picking", "live", [StatusCount("opened", 7, 0)]),
        RuleCounts("promise", "delivery", "both", [StatusCount("kept", 3, 3)]),
        RuleCounts("journey", "ticket", "new", []),
    ],
    changes=[
        Change(
            "promise",
            "delivery",
            "kept",
            "kept",
            {"due_at": 3, "gap_hours": 1, "limit_seconds": 1},
            3,
            1,
            [MOVED],
        )
    ],
    persons=Persons(
        joined=1,
        split=0,
        renamed=0,
        joined_examples=[PersonChange([f"p-{number}" for number in range(6)], ["p-1"])],
        split_examples=[],
    ),
    customers=[Customer("p-2", 1, 0), Customer("p-1", 0, 3), Customer("p-3", 0, 0)],
    notes=["a topic has lost records"],
)


def test_everything_that_a_report_says_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    show_report(REPORT)
    said = [re.sub(" +", " ", line).strip() for line in capsys.readouterr().out.splitlines()]
    first, *others = [line for line in said if line]
    assert first == (
        "1,200 touchpoints of kafka from 2026-03-01 00:00:00 on, 30 earlier ones of the same journeys; "
        "as of 2026-03-08 00:00:00"
    )
    assert others == [
        "live live.yaml: 1,230 touchpoints, 1 unmapped, 5 persons",
        "new new.yaml: 1,220 touchpoints, 0 unmapped, 4 persons, 10 refused for no_identity",
        "2 records are left out: every map refuses them",
        "4 conclusions are left out: of journeys that have no touchpoint since",
        "rule live new difference",
        "journey ticket (new) all 0 0",
        "promise delivery all 3 3",
        "kept 3 3",
        "stall picking (removed) all 7 0 -7",
        "opened 7 0 -7",
        "promise delivery: kept as before, with another due_at, gap, limit: 3, of 1 customer",
        "2026-03-01 09:00:00 order o-[7] person p-1",
        "due_at: 2026-03-04 09:00:00 → 2026-03-03 09:00:00",
        "gap: 16 h 31 min early → 7 h 29 min late",
        "limit: 3 d → 7.5 s",
        "persons: 1 who were several, 0 who become several, 0 under another id",
        "p-0 + p-1 + p-2 + p-3 + 2 more → p-1",
        "3 of 4 customers would change: 1 in a verdict, 1 in facts alone, 1 only in who they are.",
        "note: a topic has lost records",
    ]
