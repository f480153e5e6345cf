"""Squashing: no answer changes, whatever happens before, between any two of its statements, and after."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from moving_world import MovingWorld, Sinks, answers, belongs_to, rightful, rows
from published_records import ANNA, BERT, ORDER_7, TOPOLOGY, Consumed, override, published, touchpoint

from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.migrate import migrate
from pipeline.warehouse.queries import persons_of, time_line
from pipeline.warehouse.squash import Squashed, preview, squash

pytestmark = pytest.mark.services

STATEMENTS = 8
"""Of a squash of two months: take and count, count and rewrite twice, count and delete, forget; not the last."""
EMPTY = {"person_overrides": 0, "squashed_overrides": 0}
IDENTIFIER = touchpoint("1", "2018-05-02 10:00").identifier


class KilledError(Exception):
    """Nothing of the job goes on."""


class Watched(Warehouse):
    """A connection to the database of another; `before` is called before each of its statements."""

    def __init__(self, other: Warehouse, before: Callable[[int], None]) -> None:
        super().__init__(other.address, other.database)
        self._before = before
        self.asked = 0

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        self._before(self.asked)
        self.asked += 1
        return super().query(sql, parameters)


@pytest.fixture
def twin(clickhouse: str) -> Iterator[Warehouse]:
    """A database in which nothing is ever squashed."""
    other = Warehouse(clickhouse, f"test_{uuid.uuid4().hex[:12]}")
    migrate(other)
    yield other
    other.drop_database()
    other.close()


def nothing_to_wait_for() -> None:
    pass


def squash_watched(
    warehouse: Warehouse, before: Callable[[int], None], together: int = 1000
) -> tuple[Squashed, int]:
    """Squash by way of a connection of its own; also how many statements that took."""
    watched = Watched(warehouse, before)
    try:
        return squash(watched, nothing_to_wait_for, nothing_to_wait_for, together), watched.asked
    finally:
        watched.close()


def write(warehouse: Warehouse, *records: Consumed) -> None:
    Sinks(warehouse).write(records)


def born(name: str = "1", offset: int = 0, partition: int = 0, **changes: object) -> Consumed:
    """A touchpoint that was published before it was known whose order it was about."""
    (record,) = published(
        [touchpoint(name, "2018-05-02 10:00", person_id=str(ORDER_7), **changes)], "", offset
    )
    return Consumed(TOPOLOGY.enriched, record.offset, record.value, record.key, partition)


def moved(owner: uuid.UUID, offset: int) -> Consumed:
    return published([override(ORDER_7, IDENTIFIER, owner, 1)], TOPOLOGY.state, offset)[0]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1])
def test_every_answer_is_that_of_a_warehouse_without_squashes_between_any_two_statements(
    warehouse: Warehouse, twin: Warehouse, seed: int
) -> None:
    world = MovingWorld(seed, Sinks(warehouse), Sinks(twin))
    squashed = Squashed()

    def meanwhile(_: int) -> None:
        """The sinks go on writing: what is new, or what they have written before."""
        if world.dice.random() < 0.3:
            world.live(3)
        world.deliver()
        world.retry()
        assert answers(warehouse) == answers(twin)
        assert belongs_to(warehouse) == rightful(world)

    for _ in range(2):
        world.live(40)
        done, _ = squash_watched(warehouse, meanwhile)
        squashed += done
        meanwhile(0)

    assert squashed.overrides > 10, "hardly anything moved"
    assert squashed.touchpoints > 20
    assert len(squashed.months) == 2


def test_the_overrides_are_gone_and_the_touchpoints_say_themselves_whose_they_are(
    warehouse: Warehouse,
) -> None:
    world = MovingWorld(7, Sinks(warehouse))
    world.live(60)
    world.deliver()
    coming = preview(warehouse)

    done, _ = squash_watched(warehouse, lambda _: None, together=3)

    assert done == coming
    assert done.overrides > 6, "all at once"
    assert rows(warehouse, EMPTY) == EMPTY
    assert belongs_to(warehouse) == rightful(world)
    assert squash(warehouse, nothing_to_wait_for, nothing_to_wait_for) == preview(warehouse) == Squashed()


@pytest.mark.parametrize("statement", range(STATEMENTS))
def test_it_may_be_killed_before_any_statement_and_begun_again(warehouse: Warehouse, statement: int) -> None:
    world = MovingWorld(statement, Sinks(warehouse))
    world.live(40)
    world.deliver()

    def kill(number: int) -> None:
        if number >= statement:
            raise KilledError

    with pytest.raises(KilledError):
        squash_watched(warehouse, kill)
    assert belongs_to(warehouse) == rightful(world)
    world.retry()
    squash_watched(warehouse, lambda _: None)
    assert belongs_to(warehouse) == rightful(world)
    assert rows(warehouse, ["person_overrides"]) == {"person_overrides": 0}


@pytest.mark.parametrize("statement", range(STATEMENTS))
def test_another_that_runs_between_two_statements_does_no_harm(warehouse: Warehouse, statement: int) -> None:
    world = MovingWorld(20 + statement, Sinks(warehouse))
    world.live(40)
    world.deliver()

    def another(number: int) -> None:
        if number == statement:
            world.live(10)
            world.deliver()
            squash_watched(warehouse, lambda _: None)
        assert belongs_to(warehouse) == rightful(world)

    _, asked = squash_watched(warehouse, another)

    assert belongs_to(warehouse) == rightful(world)
    assert asked > statement, "the other never ran"


def test_an_override_that_came_before_its_touchpoint_waits_for_it(warehouse: Warehouse) -> None:
    write(warehouse, moved(ANNA, 3))

    squash(warehouse, lambda: write(warehouse, born()), nothing_to_wait_for)

    assert rows(warehouse, EMPTY) == EMPTY
    assert belongs_to(warehouse) == {"1": ANNA}


def test_nothing_is_deleted_when_the_touchpoints_do_not_come(warehouse: Warehouse) -> None:
    write(warehouse, moved(ANNA, 3))

    def too_late() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        squash(warehouse, too_late, nothing_to_wait_for)

    assert rows(warehouse, EMPTY) == {**EMPTY, "person_overrides": 1}


def test_whoever_asked_before_has_time_to_read_the_overrides_of_what_is_rewritten(
    warehouse: Warehouse,
) -> None:
    write(warehouse, born(), moved(ANNA, 3))
    seen = []

    def settle() -> None:
        seen.extend(warehouse.query("SELECT moved_to FROM touchpoints FINAL"))
        seen.extend(warehouse.query("SELECT person_id FROM person_overrides FINAL"))

    squash(warehouse, nothing_to_wait_for, settle)

    assert seen == [(ANNA,), (ANNA,)]
    assert rows(warehouse, EMPTY) == EMPTY


def test_a_scalar_that_stands_in_a_question_twice_is_evaluated_once(warehouse: Warehouse) -> None:
    """By it the view `touchpoints_resolved` reads one of its halves, and never both or none."""
    once = "(SELECT count() + rand64() FROM person_overrides)"

    found = warehouse.query(f"SELECT * FROM (SELECT {once} AS said UNION ALL SELECT {once})")

    assert len(found) == 2
    assert found[0] == found[1]


def test_what_is_inserted_once_more_brings_no_earlier_person_back(warehouse: Warehouse) -> None:
    first, second = moved(ANNA, 3), moved(BERT, 4)
    write(warehouse, born(), first)
    write(warehouse, born())
    assert squash(warehouse, nothing_to_wait_for, nothing_to_wait_for) == Squashed(1, 1, frozenset({201805}))
    write(warehouse, second)
    squash(warehouse, nothing_to_wait_for, nothing_to_wait_for)

    write(warehouse, born())
    assert belongs_to(warehouse) == {"1": BERT}
    write(warehouse, first)
    assert belongs_to(warehouse) == {"1": BERT}
    assert persons_of(warehouse, "c-1") == [BERT]
    assert [len(time_line(warehouse, each).touchpoints) for each in (ORDER_7, ANNA, BERT)] == [0, 0, 1]
    assert squash(warehouse, nothing_to_wait_for, nothing_to_wait_for) == Squashed(overrides=1)
    assert rows(warehouse, EMPTY) == EMPTY
    assert belongs_to(warehouse) == {"1": BERT}


def test_what_moved_back_stays_there_when_its_first_move_is_inserted_once_more(warehouse: Warehouse) -> None:
    there = moved(ANNA, 3)
    write(warehouse, born(), there, moved(ORDER_7, 4))
    squash(warehouse, nothing_to_wait_for, nothing_to_wait_for)
    assert rows(warehouse, EMPTY) == EMPTY

    write(warehouse, there)

    assert belongs_to(warehouse) == {"1": ORDER_7}


@pytest.mark.parametrize(("offset", "partition"), [(5, 4), (6, 0)])
def test_a_later_publication_replaces_what_was_squashed(
    warehouse: Warehouse, offset: int, partition: int
) -> None:
    write(warehouse, born(offset=5, partition=3), moved(ANNA, 2**30))
    squash(warehouse, nothing_to_wait_for, nothing_to_wait_for)

    write(warehouse, born(offset=offset, partition=partition, outcome="failure"))
    write(warehouse, born(offset=5, partition=3))

    assert warehouse.query("SELECT outcome FROM touchpoints FINAL") == [("failure",)]


def test_rows_from_before_there_was_a_squash_are_squashed_too(warehouse: Warehouse) -> None:
    write(warehouse, born(offset=5))
    warehouse.query("CREATE TABLE old AS touchpoints")
    warehouse.query("INSERT INTO old SELECT * REPLACE (5 * 1024 AS version) FROM touchpoints")
    warehouse.query("TRUNCATE TABLE touchpoints")
    warehouse.query("INSERT INTO touchpoints SELECT * FROM old")
    for offset, owner in enumerate((ANNA, BERT)):
        write(warehouse, moved(owner, offset))
        squash(warehouse, nothing_to_wait_for, nothing_to_wait_for)
        warehouse.query("INSERT INTO touchpoints SELECT * FROM old")  # by a worker that is not yet replaced
        assert belongs_to(warehouse) == {"1": owner}

    write(warehouse, born(offset=6, outcome="failure"))

    assert warehouse.query("SELECT outcome FROM touchpoints FINAL") == [("failure",)]


def test_a_rewritten_row_expires_when_the_one_it_was_made_of_would_have(warehouse: Warehouse) -> None:
    write(warehouse, born(), moved(ANNA, 3))
    warehouse.query("CREATE TABLE old AS touchpoints")
    warehouse.query(
        "INSERT INTO old SELECT * REPLACE (toDateTime('2020-01-01', 'UTC') AS ingested_at) FROM touchpoints"
    )
    warehouse.query("TRUNCATE TABLE touchpoints")
    warehouse.query("INSERT INTO touchpoints SELECT * FROM old")

    squash(warehouse, nothing_to_wait_for, nothing_to_wait_for)

    assert warehouse.query("SELECT toYear(ingested_at), moved_to FROM touchpoints FINAL") == [(2020, ANNA)]
