"""The identity benchmark's own computation of who is who: alone, and against a pipeline on real services."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from contextlib import closing
from itertools import groupby
from pathlib import Path

import pytest

from benchmarks.identified import ADDRESS, COOKIE, CUSTOMER, KINDS, Touch, touchpoints, without_identities
from benchmarks.identity import measure
from benchmarks.who_is_who import Offline, compare
from benchmarks.whole_job import COMPANY
from pipeline.operations.pipelines import create
from pipeline.settings import Settings
from pipeline.warehouse.client import Warehouse

CUSTOMERS, LATE, BORROWED = 300, 0.2, 0.2
ANN, BERT = 0, KINDS
"""The first identifiers of two customers."""


def offline(customers: int, coming: Iterable[Touch]) -> Offline:
    made = Offline(customers)
    for touch in coming:
        made.add(touch)
    return made


def touch(time: int, *identifiers: int) -> Touch:
    return Touch(time, time, "sales.session.identified", identifiers[0] // KINDS, identifiers)


def test_an_address_stays_with_the_first_customer_number_in_time_in_whatever_order_they_come() -> None:
    anns = touch(1, ANN + CUSTOMER, ANN + ADDRESS)
    berts = touch(2, BERT + CUSTOMER, ANN + ADDRESS)
    alone = touch(3, ANN + ADDRESS)
    assert list(offline(2, [anns, berts, alone]).persons()[0]) == [0, 1, 0]
    assert list(offline(2, [alone, berts, anns]).persons()[0]) == [0, 1, 0]
    assert offline(2, [anns, berts, alone]).persons()[1] == 1, "and the other link is refused"


def test_a_late_link_joins_what_came_before_it() -> None:
    seen, signed_up = touch(1, ANN + COOKIE), touch(2, ANN + ADDRESS, ANN + COOKIE)
    logged_in = touch(3, ANN + CUSTOMER, ANN + ADDRESS)
    assert list(offline(1, [seen, logged_in]).persons()[0]) == [0, 1]
    assert list(offline(1, [seen, logged_in, signed_up]).persons()[0]) == [0, 0, 0]


def test_an_address_that_came_to_a_customer_number_by_way_of_a_cookie_takes_no_other() -> None:
    coming = [
        touch(1, ANN + CUSTOMER, ANN + COOKIE),
        touch(2, BERT + ADDRESS, ANN + COOKIE),
        touch(3, BERT + CUSTOMER, BERT + ADDRESS),
    ]
    assert list(offline(2, coming).persons()[0]) == [0, 0, 2]


def test_late_is_what_comes_behind_everything_else_of_its_customer() -> None:
    coming = list(touchpoints(CUSTOMERS, LATE))
    assert [each.arrival for each in coming] == sorted(each.arrival for each in coming)
    for _, life in groupby(sorted(coming, key=lambda each: each.customer), lambda each: each.customer):
        told = list(life)
        end = max(each.time for each in told)
        assert all(each.arrival > end for each in told if each.arrival != each.time)
    linking = [each for each in coming if len(each.identifiers) > 1]
    late = sum(each.arrival != each.time for each in linking)
    assert LATE / 2 < late / len(linking) < LATE * 2
    assert not any(each.arrival != each.time for each in coming if len(each.identifiers) == 1)


def test_without_identities_the_same_touchpoints_come_in_the_same_order() -> None:
    coming = list(touchpoints(CUSTOMERS, LATE))
    bare = [without_identities(each) for each in coming]
    assert [each._replace(identifiers=()) for each in bare] == [
        each._replace(identifiers=()) for each in coming
    ]
    assert {len(each.identifiers) for each in bare} == {1}


@pytest.mark.services
def test_pipeline_and_offline_computation_agree_and_a_touchpoint_that_was_moved_is_told(
    kafka: str, clickhouse: str, tmp_path: Path
) -> None:
    settings = Settings(
        home=tmp_path,
        kafka=kafka,
        clickhouse=clickhouse,
        metrics_port=0,
        namespace=f"idbench-{uuid.uuid4().hex[:6]}",
        clock="replay",
        partitions=2,
        journey_map=COMPANY,
    )
    create(settings)
    found = measure(settings, 1, CUSTOMERS, touchpoints(CUSTOMERS, LATE, BORROWED))
    assert found.verdict.equal, str(found.verdict)
    assert found.verdict.refused[0] > CUSTOMERS * BORROWED / 2, "no rule was broken, so that nothing is shown"
    assert found.moved > CUSTOMERS, "nobody was stitched together, so that nothing is shown"
    assert found.linker.size > 0
    again = offline(CUSTOMERS, touchpoints(CUSTOMERS, LATE, BORROWED))
    persons, _ = again.persons()
    moved = next(number for number, least in enumerate(persons) if 0 < least < number)
    with closing(Warehouse.of(settings)) as warehouse:
        move(warehouse, moved, to_that_of=0)
        verdict = compare(again, warehouse)
    assert not verdict.equal
    assert list(verdict.differing) == [moved]


def move(warehouse: Warehouse, number: int, *, to_that_of: int) -> None:
    """Have a touchpoint belong to the person of another one."""
    ((person,),) = warehouse.query(
        "SELECT person_id FROM touchpoints_resolved WHERE id = %(id)s", {"id": f"{to_that_of:010}"}
    )
    warehouse.query(
        "INSERT INTO touchpoints SELECT * REPLACE "
        "(toUUID(%(person)s) AS person_id, '' AS identifier, version + 1 AS version) "
        "FROM touchpoints FINAL WHERE id = %(id)s",
        {"person": str(person), "id": f"{number:010}"},
    )
