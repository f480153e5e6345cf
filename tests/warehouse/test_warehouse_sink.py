"""The sink over a real warehouse: whatever is written twice, late or badly, the tables say the truth."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import pytest
from published_records import (
    ANNA,
    BERT,
    ORDER_7,
    TOPOLOGY,
    Consumed,
    at,
    identified,
    journey,
    letter,
    linked,
    override,
    person,
    promise,
    published,
    stall,
    touchpoint,
)

from pipeline.ports import Record
from pipeline.warehouse.buckets import AGGREGATES, TOUCHPOINTS, Aggregate, BucketSink
from pipeline.warehouse.client import Warehouse, WarehouseRefusedError
from pipeline.warehouse.sink import WarehouseSink

pytestmark = pytest.mark.services

BASE = {
    "touchpoints": "time, source, id",
    "findings": "opened_at, finding_id, revision",
    "promises": "made_at, finding_id",
    "stalls": "entered_at, finding_id",
    "journeys": "journey_id",
    "persons": "person_id",
    "person_overrides": "born_person_id, identifier",
    "identity_links": "one, other, version",
    "identifiers": "identifier",
    "dead_letters": "time, topic, partition, offset",
}


class Stage:
    """The warehouse stage and the buckets stage, with what they send in between."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        self.touched: list[bytes] = []
        self.refused: list[tuple[Record, str]] = []
        self.inserted: Counter[str] = Counter()
        self._sink = WarehouseSink(
            warehouse,
            TOPOLOGY,
            self.touched.extend,
            lambda record, reason: self.refused.append((record, reason)),
            lambda table, rows, _: self.inserted.update({table: rows}),
        )
        self._buckets = BucketSink(warehouse, lambda record, reason: self.refused.append((record, reason)))

    def write(self, records: Sequence[Record]) -> None:
        self._sink.write(records)

    def aggregate(self) -> None:
        """Consume every bucket that was touched."""
        keys, self.touched[:] = list(self.touched), []
        self._buckets.write([Consumed(TOPOLOGY.buckets, n, b"", key=key) for n, key in enumerate(keys)])

    def tables(self) -> dict[str, list[tuple[object, ...]]]:
        """Every base table, deduplicated, less when rows came and their place in the topic."""
        return {
            table: self.warehouse.query(f"SELECT * EXCEPT(ingested_at) FROM {table} FINAL ORDER BY {key}")
            for table, key in BASE.items()
        }


@pytest.fixture
def stage(warehouse: Warehouse) -> Stage:
    return Stage(warehouse)


def some_of_everything() -> list[Consumed]:
    return [
        *published(
            [
                touchpoint(str(n), f"2018-05-02 1{n}:00", outcome="failure" if n % 2 else None)
                for n in range(5)
            ],
            TOPOLOGY.enriched,
        ),
        *published(
            [
                promise("p-1", "2018-05-01 09:00"),
                promise("p-1", "2018-05-01 09:00", "broken", 1, met_hours_late=3),
                promise("p-2", "2018-05-01 10:00"),
                stall("s-1", "2018-05-02 10:00"),
                stall("s-1", "2018-05-02 10:00", "resolved", 1, stuck_hours=5),
            ],
            TOPOLOGY.findings,
        ),
        *published(
            [journey(), journey(1, touchpoints=5), person(ANNA, 5), person(BERT, 0, 3)], TOPOLOGY.state
        ),
        *published([override(BERT, "email:00", ANNA)], TOPOLOGY.state, 10),
        *published(
            [linked("a:1", "b:2"), linked("a:1", "b:2", 1), identified("a:1", ANNA, "b:2")],
            TOPOLOGY.state,
            20,
        ),
        letter(0, b"\xff{"),
    ]


def test_every_record_is_a_row_and_the_last_revision_stands(stage: Stage) -> None:
    stage.write(some_of_everything())

    rows = {table: len(rows) for table, rows in stage.tables().items()}
    assert rows == {
        "touchpoints": 5,
        "findings": 5,
        "promises": 2,
        "stalls": 1,
        "journeys": 1,
        "persons": 2,
        "person_overrides": 1,
        "identity_links": 2,
        "identifiers": 1,
        "dead_letters": 1,
    }
    assert stage.warehouse.query(
        "SELECT status, revision, gap_hours FROM promises FINAL ORDER BY finding_id"
    ) == [
        ("broken", 1, 3.0),
        ("made", 0, None),
    ]
    assert stage.warehouse.query("SELECT touchpoints FROM journeys FINAL") == [(5,)]
    assert stage.refused == []
    assert stage.inserted["touchpoints"] == 5


@pytest.mark.parametrize("seed", range(3))
def test_a_block_written_again_with_its_rows_in_any_order_changes_nothing(stage: Stage, seed: int) -> None:
    records = some_of_everything()
    stage.write(records)
    stage.aggregate()
    once = stage.tables() | aggregates(stage.warehouse)

    stage.write(records)
    random.Random(seed).shuffle(records)
    stage.write(records)
    stage.aggregate()

    twice = stage.tables() | aggregates(stage.warehouse)
    assert {table for table in once if twice[table] != once[table]} == set()


def test_an_older_revision_that_comes_late_does_not_return(stage: Stage) -> None:
    stage.write(published([promise("p", "2018-05-01 09:00", "kept", 2)], TOPOLOGY.findings, 7))
    stage.write(published([promise("p", "2018-05-01 09:00", "at_risk", 1)], TOPOLOGY.findings, 3))

    assert stage.warehouse.query("SELECT status FROM promises FINAL") == [("kept",)]
    assert stage.warehouse.query("SELECT revision, status FROM findings FINAL ORDER BY revision") == [
        (1, "at_risk"),
        (2, "kept"),
    ]


def test_a_merge_moves_rows_to_the_winner_and_leaves_none_behind(stage: Stage) -> None:
    stage.write(
        [
            *published(
                [
                    touchpoint("1", "2018-05-02 10:00", person_id=str(ORDER_7), identifier="order_id:7"),
                    touchpoint("2", "2018-05-02 11:00"),
                ],
                TOPOLOGY.enriched,
            ),
            *published([stall("s", "2018-05-02 10:00", person_id=str(ORDER_7))], TOPOLOGY.findings),
            *published(
                [journey(person_id=str(ORDER_7)), person(ORDER_7, 1), person(ANNA, 1)], TOPOLOGY.state
            ),
        ]
    )
    stage.write(
        [
            *published(
                [stall("s", "2018-05-02 10:00", revision=1, person_id=str(ANNA))], TOPOLOGY.findings, 50
            ),
            *published(
                [
                    journey(1, person_id=str(ANNA)),
                    person(ORDER_7, 0, 1),
                    person(ANNA, 2, 1),
                    override(ORDER_7, "order_id:7", ANNA),
                ],
                TOPOLOGY.state,
                50,
            ),
        ]
    )

    ask = stage.warehouse.query
    assert ask("SELECT id, person_id FROM touchpoints_resolved ORDER BY id") == [("1", ANNA), ("2", ANNA)]
    assert ask("SELECT born_person_id FROM touchpoints_resolved ORDER BY id") == [(ORDER_7,), (ANNA,)]
    assert ask("SELECT person_id FROM stalls FINAL") == [(ANNA,)]
    assert ask("SELECT person_id FROM journeys FINAL") == [(ANNA,)]
    assert ask("SELECT person_id, touchpoints FROM living_persons") == [(ANNA, 2)]


def test_the_last_override_in_the_topic_stands_even_of_what_has_moved_less_often(stage: Stage) -> None:
    stage.write(published([touchpoint("1", "2018-05-02 10:00", person_id=str(ORDER_7))], TOPOLOGY.enriched))
    identifier = touchpoint("1", "2018-05-02 10:00").identifier
    first = published([override(ORDER_7, identifier, ANNA, 2)], TOPOLOGY.state, 1)
    stage.write(first)
    stage.write(published([override(ORDER_7, identifier, BERT, 1)], TOPOLOGY.state, 2))
    stage.write(first)  # a retry

    assert stage.warehouse.query("SELECT person_id FROM touchpoints_resolved") == [(BERT,)]


def test_the_first_override_of_a_topic_counts(stage: Stage) -> None:
    born = touchpoint("1", "2018-05-02 10:00", person_id=str(ORDER_7))
    stage.write(published([born], TOPOLOGY.enriched))
    stage.write(published([override(ORDER_7, born.identifier, ANNA)], TOPOLOGY.state, 0))

    assert stage.warehouse.query("SELECT person_id FROM touchpoints_resolved") == [(ANNA,)]


def test_bad_rows_are_found_and_refused_and_all_others_are_stored(stage: Stage) -> None:
    events = [touchpoint(str(n), "2018-05-02 10:00") for n in range(40)]
    for bad in (7, 8, 31):
        events[bad] = touchpoint(str(bad), "1969-12-31 23:00")

    stage.write(published(events, TOPOLOGY.enriched, 100))

    assert [(record.offset, "time_since_1970" in reason) for record, reason in stage.refused] == [
        (107, True),
        (108, True),
        (131, True),
    ]
    assert stage.warehouse.query("SELECT count() FROM touchpoints FINAL") == [(37,)]
    # no aggregate can hold the hour of a refused row: its bucket would be tried again and again
    assert stage.touched == [b"touchpoints:1525255200"]
    stage.aggregate()
    assert stage.warehouse.query("SELECT touchpoints FROM touchpoints_hourly FINAL") == [(37,)]


def test_a_finding_that_two_tables_refuse_is_refused_once(stage: Stage) -> None:
    stage.write(published([promise("p", "1969-12-31 23:00")], TOPOLOGY.findings))

    assert len(stage.refused) == 1


def test_a_value_that_does_not_fit_its_column_is_refused_without_the_server(stage: Stage) -> None:
    stage.write(
        published([person(ANNA, 2**40), person(BERT, 1)], TOPOLOGY.state)
        + published([touchpoint("1", "2018-05-02 10:00")], TOPOLOGY.enriched)
    )

    assert [record.offset for record, _ in stage.refused] == [0]
    assert stage.warehouse.query("SELECT person_id FROM persons FINAL") == [(BERT,)]
    assert stage.warehouse.query("SELECT count() FROM touchpoints") == [(1,)]


def test_a_call_of_which_nothing_can_be_read_refuses_all_and_touches_nothing(stage: Stage) -> None:
    topics = (TOPOLOGY.enriched, TOPOLOGY.findings, TOPOLOGY.state)

    stage.write([Consumed(topic, n, b"not json") for n, topic in enumerate(topics)])

    assert [record.topic for record, _ in stage.refused] == list(topics)
    assert stage.touched == []


def test_a_missing_table_stops_the_call_instead_of_refusing_every_row(empty_warehouse: Warehouse) -> None:
    empty_warehouse.create_database()
    stage = Stage(empty_warehouse)

    with pytest.raises(WarehouseRefusedError, match="throughline migrate") as caught:
        stage.write(published([touchpoint("1", "2018-05-02 10:00")], TOPOLOGY.enriched))

    assert caught.value.code == 60
    assert stage.refused == stage.touched == []


def test_rows_of_more_months_than_clickhouse_allows_by_default_are_stored(stage: Stage) -> None:
    first = at("1990-01-15 00:00")
    events = [
        touchpoint(str(n), (first + timedelta(days=31 * n)).strftime("%Y-%m-%d %H:%M")) for n in range(150)
    ]

    stage.write(published(events, TOPOLOGY.enriched))

    assert stage.warehouse.query("SELECT count(), uniqExact(toYYYYMM(time)) FROM touchpoints") == [(150, 150)]


# aggregates


def aggregates(warehouse: Warehouse) -> dict[str, list[tuple[object, ...]]]:
    """Every aggregate table as a reader sees it, less versions and empty groups."""
    found = {}
    for aggregate in AGGREGATES.values():
        keys = ", ".join((aggregate.bucket, *aggregate.groups))
        first = next(iter(aggregate.columns))
        found[aggregate.table] = warehouse.query(
            f"SELECT * EXCEPT(version) FROM {aggregate.table} FINAL WHERE {first} > 0 ORDER BY {keys}"
        )
    return found


def test_a_group_that_vanished_counts_zero(stage: Stage) -> None:
    stage.write(published([promise("p", "2018-05-01 09:00", "at_risk")], TOPOLOGY.findings))
    stage.aggregate()
    stage.write(
        published([promise("p", "2018-05-01 09:00", "kept", 1, met_hours_late=-4)], TOPOLOGY.findings, 1)
    )
    stage.aggregate()

    found = stage.warehouse.query(
        "SELECT status, promises, met, late_hours FROM promises_daily FINAL ORDER BY status"
    )
    assert found == [("at_risk", 0, 0, 0.0), ("kept", 1, 1, 0.0)]


def test_a_withdrawn_finding_counts_nowhere(stage: Stage) -> None:
    stage.write(published([stall("s", "2018-05-01 09:00")], TOPOLOGY.findings))
    stage.aggregate()
    stage.write(published([stall("s", "2018-05-01 09:00", "withdrawn", 1)], TOPOLOGY.findings, 1))
    stage.aggregate()

    assert stage.warehouse.query("SELECT sum(stalls) FROM stalls_daily FINAL") == [(0,)]


def test_the_figures_of_an_hour_and_a_day(stage: Stage) -> None:
    stage.write(
        published(
            [
                touchpoint("1", "2018-05-02 10:00", outcome="failure"),
                touchpoint("2", "2018-05-02 10:59"),
                touchpoint("3", "2018-05-02 11:00", mapped=False, owner=None),
            ],
            TOPOLOGY.enriched,
        )
        + published(
            [
                promise("p-1", "2018-05-01 09:00", "broken", met_hours_late=3),
                promise("p-2", "2018-05-01 10:00", "broken", met_hours_late=1.5),
                promise("p-3", "2018-05-01 11:00", "broken"),
                stall("s-1", "2018-05-02 10:00", "resolved", stuck_hours=5),
                stall("s-2", "2018-05-02 11:00", "resolved", stuck_hours=1),
                stall("s-3", "2018-05-02 12:00"),
            ],
            TOPOLOGY.findings,
        )
    )
    stage.aggregate()

    ask = stage.warehouse.query
    assert ask(
        "SELECT toHour(hour), owner, mapped, touchpoints, failures "
        "FROM touchpoints_hourly FINAL ORDER BY hour"
    ) == [(10, "logistics", True, 2, 1), (11, "", False, 1, 0)]
    assert ask("SELECT status, promises, met, late_hours FROM promises_daily FINAL") == [
        ("broken", 3, 2, 4.5)
    ]
    assert ask(
        "SELECT status, stalls, ended, dwell_seconds / 3600, stuck_seconds / 3600 "
        "FROM stalls_daily FINAL ORDER BY status"
    ) == [("opened", 1, 0, 0.0, 0.0), ("resolved", 2, 2, 54.0, 6.0)]


def test_a_bucket_is_recomputed_even_if_the_servers_clock_was_set_back(stage: Stage) -> None:
    stage.write(published([touchpoint("1", "2018-05-02 10:00")], TOPOLOGY.enriched))
    stage.aggregate()
    future = 2**62
    stage.warehouse.query(
        f"INSERT INTO touchpoints_hourly SELECT * REPLACE ({future} AS version) FROM touchpoints_hourly FINAL"
    )
    stage.write(published([touchpoint("2", "2018-05-02 10:01")], TOPOLOGY.enriched, 1))
    stage.aggregate()

    assert stage.warehouse.query("SELECT touchpoints, version FROM touchpoints_hourly FINAL") == [
        (2, future + 1)
    ]


def test_a_recomputation_that_was_overtaken_does_not_bring_the_past_back(stage: Stage) -> None:
    stage.write(published([touchpoint("1", "2018-05-02 10:00")], TOPOLOGY.enriched))
    start = [int(at("2018-05-02 10:00").timestamp())]
    ((earlier,),) = stage.warehouse.query(TOUCHPOINTS.clock(start))
    stage.write(published([touchpoint("2", "2018-05-02 10:01")], TOPOLOGY.enriched, 1))
    stage.aggregate()

    stage.warehouse.query("ALTER TABLE touchpoints DELETE WHERE id = '2' SETTINGS mutations_sync = 1")
    stage.warehouse.query(
        TOUCHPOINTS.statement(start, earlier)
    )  # sees one touchpoint, as if it had read long ago

    assert stage.warehouse.query("SELECT touchpoints FROM touchpoints_hourly FINAL") == [(2,)]


def test_a_key_that_names_no_bucket_is_refused_and_the_others_are_recomputed(stage: Stage) -> None:
    stage.write(published([touchpoint("1", "2018-05-02 10:00")], TOPOLOGY.enriched))
    no_buckets = [b"touchpoints:soon", b"weather:0", b"", b"touchpoints:-3600", b"touchpoints:4294969200"]
    stage.touched += no_buckets
    stage.aggregate()

    assert [record.key for record, _ in stage.refused] == no_buckets
    assert stage.warehouse.query("SELECT touchpoints FROM touchpoints_hourly FINAL") == [(1,)]


def test_more_buckets_than_fit_into_one_statement_are_all_recomputed(stage: Stage) -> None:
    first = at("2017-01-01 00:30")
    events = [
        touchpoint(str(n), (first + timedelta(hours=n)).strftime("%Y-%m-%d %H:%M")) for n in range(2300)
    ]
    stage.write(published(events, TOPOLOGY.enriched))
    stage.aggregate()

    assert stage.warehouse.query("SELECT count(), sum(touchpoints) FROM touchpoints_hourly FINAL") == [
        (2300, 2300)
    ]


@pytest.mark.parametrize("aggregate", AGGREGATES.values(), ids=AGGREGATES)
def test_a_recomputation_takes_one_of_the_server_s_threads(aggregate: Aggregate) -> None:
    assert aggregate.statement([0], 1).endswith("SETTINGS max_threads = 1")


def test_recomputing_rests_four_times_as_long_as_it_worked_but_not_for_ever() -> None:
    class Time:
        """A clock, and a warehouse each of whose answers takes `cost` seconds on it; a call asks two."""

        now, cost = 0.0, 0.125

        def query(self, _: str) -> list[tuple[int]]:
            self.now += self.cost
            return [(1,)]

    time = Time()
    sink = BucketSink(time, lambda *_: None, lambda: time.now)  # type: ignore[arg-type]
    record = Consumed(TOPOLOGY.buckets, 0, b"", key=b"touchpoints:3600")

    sink.write([record, record])
    assert sink.rest() == 1.0
    time.cost = 8.0
    sink.write([record])
    assert sink.rest() == 2.0
