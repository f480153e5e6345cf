"""A customer's time line in words: promises of an instant, promises of a figure, and stalls, beside the touchpoints."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from pipeline.cli.console import out
from pipeline.cli.journey import show_time_line
from pipeline.warehouse.queries import PromiseRow, StallRow, TimeLine, TouchpointRow, ValueRow

ANNA = UUID("8a000000-0000-8000-8000-00000000000a")


def at(day: int, hour: int = 9) -> datetime:
    return datetime(2018, 5, day, hour, tzinfo=UTC)


def figure(**changes: Any) -> ValueRow:
    """A consumption that an advertisement promised on the 1st and nobody has observed."""
    fields: dict[str, Any] = {
        "finding_id": "0123456789abcdef0123456789abcdef",
        "rule": "consumption",
        "kind": "at_most",
        "status": "made",
        "journey_id": "car:c-7",
        "made_at": at(1),
        "made_by": "marketing.ad.seen",
        "owed_by": "engines",
        "measured": "mean",
        "unit": "l/100km",
        "promised_from": 6.0,
        "promised_to": 6.0,
        "observed": None,
        "observations": 0,
        "gap": None,
        "observed_at": None,
        "closes_at": None,
        "closed_at": None,
        "cancelled_at": None,
        "revision": 0,
    }
    return ValueRow(**{**fields, **changes})


def stall(**changes: Any) -> StallRow:
    fields: dict[str, Any] = {
        "finding_id": "fedcba9876543210fedcba9876543210",
        "person_id": ANNA,
        "journey_id": "car:c-7",
        "stage": "repair",
        "owner": "workshop",
        "status": "opened",
        "entered_at": at(2),
        "since": at(3),
        "limit_seconds": 86_400.0,
        "left_at": None,
        "abandoned_at": None,
    }
    return StallRow(**{**fields, **changes})


def shown(**of: Any) -> list[str]:
    """The lines below the heading."""
    empty: dict[str, list[Any]] = {
        name: [] for name in ("touchpoints", "journeys", "promises", "values", "stalls")
    }
    with out.capture() as captured:
        show_time_line(TimeLine(ANNA, **{**empty, **of}))
    return [line.rstrip() for line in captured.get().splitlines()[1:]]


def test_a_promised_figure_says_what_was_promised_and_observed_and_how_far_off_it_was() -> None:
    broken = figure(status="broken", observed=7.8, observations=3, gap=0.3, observed_at=at(4, 8))
    assert shown(values=[broken]) == [
        "2018-05-04 08:00:00  promise consumption: broken, 30.0% worse     engines",
        "                       made 2018-05-01 09:00:00 by marketing.ad.seen (01234567)",
        "                       at most 6 l/100km, observed 7.8 l/100km (mean of 3)",
    ]


@pytest.mark.parametrize(
    ("changes", "became", "promised"),
    [
        ({}, "open", "at most 6 l/100km, nothing observed"),
        (
            {"status": "exceeded", "observed": 5.4, "observations": 1, "gap": -0.1},
            "exceeded, 10.0% better",
            "at most 6 l/100km, observed 5.4 l/100km (mean of 1)",
        ),
        (
            {"status": "kept", "observed": 6, "observations": 2, "gap": 0.0, "unit": "", "measured": "count"},
            "kept, as promised",
            "at most 6, observed 6 (count of 2)",
        ),
        (
            {"status": "broken", "kind": "range", "promised_from": 2, "observed": 7.5, "gap": 0.25},
            "broken, 25.0% worse",
            "from 2 to 6 l/100km, observed 7.5 l/100km (mean of 0)",
        ),
        ({"status": "lapsed"}, "lapsed", "at most 6 l/100km, nothing observed"),
    ],
)
def test_each_status_of_a_promised_figure_has_its_words(
    changes: dict[str, Any], became: str, promised: str
) -> None:
    first, _, last = shown(values=[figure(**changes)])
    assert first[21:].split("  ")[0] == f"promise consumption: {became}"
    assert last.strip() == promised


@pytest.mark.parametrize(
    ("changes", "day"),
    [
        ({}, 1),
        ({"closes_at": at(9)}, 9),
        ({"closes_at": at(9), "observed_at": at(5)}, 5),
        ({"closes_at": at(9), "observed_at": at(5), "closed_at": at(6)}, 6),
        ({"closes_at": at(9), "observed_at": at(5), "cancelled_at": at(7)}, 7),
    ],
)
def test_a_promised_figure_stands_where_it_was_settled_or_else_will_be(
    changes: dict[str, Any], day: int
) -> None:
    assert shown(values=[figure(**changes)])[0].startswith(f"2018-05-{day:02} 09:00:00")


def test_everything_stands_in_order_of_time_within_80_columns() -> None:
    seen = TouchpointRow(
        at(1),
        "marketing.ad.seen",
        "/ads",
        "1",
        "marketing",
        True,
        "",
        False,
        [],
        [],
        [],
        {"customer_id": "c"},
    )
    service = PromiseRow(
        "00ff00ff00ff00ff", "service", "broken", "car:c-7", at(1), "sales.car.sold", "workshop", at(6),
        at(7), None, 24.0, 2,
    )  # fmt: skip
    broken = figure(status="broken", observed=7.8, observations=3, gap=0.3, observed_at=at(4, 8))
    lines = shown(touchpoints=[seen], promises=[service], values=[broken], stalls=[stall()])
    assert [line[21:40].rstrip() for line in lines if line.startswith("2018-")] == [
        "marketing.ad.seen",
        "stuck in repair",
        "promise consumption",
        "promise service: br",
    ]
    assert max(map(len, lines)) <= 80


def test_a_stall_that_was_given_up_says_when_whether_or_not_it_was_left() -> None:
    given_up = {"status": "abandoned", "abandoned_at": at(5)}
    assert shown(stalls=[stall(**given_up)])[1:] == [
        "                       entered 2018-05-02 09:00:00, still there (fedcba98)",
        "                       given up 2018-05-05 09:00:00",
    ]
    assert shown(stalls=[stall(**given_up, left_at=at(8))])[1:] == [
        "                       entered 2018-05-02 09:00:00, left 2018-05-08 09:00:00 (fedcba98)",
        "                       given up 2018-05-05 09:00:00",
    ]
