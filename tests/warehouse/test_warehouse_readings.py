"""ClickHouse reads published records as this process would: row for row, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from laws import examples
from published_records import (
    ANNA,
    BERT,
    CLOCK,
    FORECAST,
    LEARNED,
    LEDGER,
    ORDER_7,
    TOPOLOGY,
    Consumed,
    counts,
    figure,
    identified,
    journey,
    learned,
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
from pipeline.warehouse.buckets import touched_buckets
from pipeline.warehouse.client import BadDataError, Warehouse
from pipeline.warehouse.readings import finding_readings, state_readings, touchpoint_readings
from pipeline.warehouse.rows import Block, finding_blocks, state_blocks, touchpoint_blocks
from pipeline.warehouse.sink import WarehouseSink
from schemas.enriched import JourneyContext
from schemas.state import StageVisit

TABLES = {
    "touchpoints": "time, source, id, version",
    "findings": "opened_at, finding_id, revision, version",
    "promises": "made_at, finding_id, revision",
    "value_promises": "made_at, finding_id, revision",
    "stalls": "entered_at, finding_id, revision",
    "journeys": "journey_id, version",
    "persons": "person_id, version",
    "person_overrides": "born_person_id, identifier, version",
    "identity_links": "one, other, version",
    "identifiers": "identifier, version",
    "learned_limits": "of, rule, segment, day, version",
    "stage_counts": "stage, partition, name, version",
}
WAYS: dict[str, tuple[Callable[..., list[Block]], Callable[..., list[Block]]]] = {
    TOPOLOGY.enriched: (touchpoint_readings, touchpoint_blocks),
    TOPOLOGY.findings: (finding_readings, finding_blocks),
    TOPOLOGY.state: (state_readings, state_blocks),
}


def no_refusal(record: Record, reason: str) -> None:
    raise AssertionError(f"{record.offset}: {reason}")


def stored(warehouse: Warehouse, blocks: Iterable[Block]) -> dict[str, list[tuple[Any, ...]]]:
    """What the tables hold, row by row, when they were empty and got these blocks."""
    for table in TABLES:
        warehouse.query(f"TRUNCATE TABLE {table}")
    for block in blocks:
        warehouse.send(block.statement, list(block.columns.values()))
    return {
        table: warehouse.query(f"SELECT * EXCEPT(ingested_at) FROM {table} ORDER BY {order}")
        for table, order in TABLES.items()
    }


def require_the_same(warehouse: Warehouse, records: dict[str, Sequence[Record]]) -> None:
    read = stored(warehouse, [block for topic, some in records.items() for block in WAYS[topic][0](some)])
    made = stored(
        warehouse, [block for topic, some in records.items() for block in WAYS[topic][1](some, no_refusal)]
    )
    assert read == made


def context(name: str, **stages: list[str]) -> JourneyContext:
    return JourneyContext.model_validate(
        {"journey_id": name, "journey_type": name, "journey_key": "7", "stages": [], **stages}
    )


def records_of_every_shape() -> dict[str, Sequence[Record]]:
    parcels = [
        touchpoint("1", "1970-01-01 00:00", subject="", outcome="failure"),
        touchpoint("2", "2299-12-31 23:59:59.999999", journeys=[], owner=None, mapped=False, late=True),
        touchpoint(
            "3",
            "2018-05-02 10:00:00.000001",
            journeys=[
                context("a", stages=["x", "y"], entered=["y"]),
                context("b"),
                context("c", left=["z"]),
            ],
        ),
        touchpoint("4", "2018-05-02 10:00", data=None, identities={"email": "ö\"\\\u0001\u2028 '{}[]"}),
        touchpoint("5", "2018-05-02 10:00", subject="\t\n😀\x00", data={"a": [1.0, 1e300, "\\u0000"]}),
    ]
    findings = [
        promise("p-1", "2018-05-01 09:00"),
        promise("p-2", "2018-05-01 09:00:00.5", "broken", 2**32 - 1, met_hours_late=1 / 3),
        promise("p-3", "2018-05-01 09:00", "kept", 1, met_hours_late=-4, evidence=[]),
        stall("s-1", "2018-05-02 10:00"),
        stall("s-2", "2018-05-02 10:00", "resolved", 1, stuck_hours=5, evidence=["/a#1", "/b#2"]),
        stall("s-7", "2018-05-02 10:00", "abandoned", given_up_hours=2.5),
        promise("p-4", "2018-05-01 09:00", "broken", 7, detail=LEDGER),
        promise("p-5", "2018-05-01 09:00", detail={"clock": {**CLOCK["clock"], "paused_at": None}}),
        promise("p-6", "2018-05-01 09:00", "at_risk", detail={"forecast": FORECAST}),
        promise(
            "p-7", "2018-05-01 09:00", detail={"forecast": {**FORECAST, "probability": 0, "segment": None}}
        ),
        stall("s-3", "2018-05-02 10:00", "escalated", detail=CLOCK),
        stall("s-4", "2018-05-02 10:00", detail={"learned": LEARNED}),
        stall("s-5", "2018-05-02 10:00", detail={"learned": {**LEARNED, "high_seconds": None}}),
        stall(
            "s-6", "2018-05-02 10:00", detail={"learned": {**LEARNED, "ended": 2**32 - 1, "segment": None}}
        ),
        figure("v-1", "2018-05-02 10:00", "broken", 3),
        figure(
            "v-2",
            "2018-05-02 10:00",
            detail={
                "kind": "range",
                "made_at": "2018-05-02T10:00:00Z",
                "made_by": "a.b.c",
                "owed_by": "x",
                "basis": "habit",
                "measured": "duration",
                "observations": 0,
                "started_at": "2018-05-02T10:00:00.5Z",
                "closes_at": "2018-05-03T10:00:00Z",
                "per": "ö",
                "attributes": {"region": "north"},
                "tolerance": 0.05,
            },
        ),
    ]
    visits = [StageVisit.model_validate({"stage": s, "entered_at": "2018-05-02T10:00:00.25Z"}) for s in "ab"]
    states = [
        *(journey(), journey(2**60, stages=visits, ended_at="2018-05-03T00:00:00Z", status="completed")),
        *(person(ANNA, 2), person(BERT, 0, 3), override(ORDER_7, "order_id:7", ANNA, 4)),
        *(linked("a:1", "b:2"), linked("a:1", "b:2", 2**60, status="refused", rule="shared", persons=[])),
        linked(
            "a:1",
            "b:3",
            status="unlinked",
            said_at="2018-05-03T00:00:00.5Z",
            said_source="/d",
            said_id="w",
            said_one=False,
        ),
        linked("a:1", "b:4", linked_at=None, linked_source=None, linked_id=None, said_one=True),
        *(identified("a:1", ANNA, "a:1"), identified("a:1", BERT, "b:2", 2**60, shared=True)),
        *(counts(3, 5, late=2, duplicates=2**40), counts(1)),
        learned("in_transit", "2018-05-02", 60),
        learned(
            "delivery", "2018-05-02", 0, 2**60, of="promise", segment="ö", limit_seconds=None, percentiles=[]
        ),
    ]
    return {
        TOPOLOGY.enriched: published(parcels, TOPOLOGY.enriched, 2**40),
        TOPOLOGY.findings: published(findings, TOPOLOGY.findings),
        TOPOLOGY.state: [*published(states, TOPOLOGY.state), Consumed(TOPOLOGY.state, 99, None)],
    }


@pytest.mark.services
def test_clickhouse_reads_every_shape_of_record_as_the_row_that_is_made_here(warehouse: Warehouse) -> None:
    require_the_same(warehouse, records_of_every_shape())


@pytest.mark.services
def test_what_a_contract_lets_out_has_its_default(warehouse: Warehouse) -> None:
    bare = touchpoint("1", "2018-05-02 10:00", journeys=[], data=None)
    left_out = {"subject", "outcome", "data", "journeys"}
    promised, stuck = promise("p", "2018-05-01 09:00"), stall("s", "2018-05-02 10:00")
    optional = {
        "detail": {
            "kind",
            "met_at",
            "cancelled_at",
            "gap_hours",
            "forecast",
            "limit_kind",
            "learned",
            "left_at",
            "abandoned_at",
        }
    }
    nobody = person(BERT, 0)
    require_the_same(
        warehouse,
        {
            TOPOLOGY.enriched: [
                Consumed(TOPOLOGY.enriched, 0, bare.model_dump_json(exclude=left_out).encode())
            ],
            TOPOLOGY.findings: [
                Consumed(TOPOLOGY.findings, n, said.model_dump_json(exclude=optional).encode())
                for n, said in enumerate((promised, stuck))
            ],
            TOPOLOGY.state: [
                Consumed(TOPOLOGY.state, 0, nobody.model_dump_json(exclude={"first_at", "last_at"}).encode())
            ],
        },
    )
    assert warehouse.query("SELECT kind, break_probability, forecast_ended FROM promises") == [
        ("deadline", None, 0)
    ]
    assert warehouse.query(
        "SELECT limit_kind, segment, limit_ended, limit_low_seconds, limit_high_seconds FROM stalls"
    ) == [("declared", "", 0, None, None)]


TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)


@pytest.mark.services
@settings(
    max_examples=examples(25),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "id": TEXTS.filter(bool),
                "subject": st.none() | TEXTS,
                "identities": st.dictionaries(TEXTS.filter(bool), TEXTS.filter(bool), min_size=1, max_size=3),
                "data": st.none()
                | st.dictionaries(TEXTS, st.floats(allow_nan=False, allow_infinity=False) | TEXTS),
                "journeys": st.lists(
                    st.builds(context, TEXTS.filter(bool), stages=st.lists(TEXTS.filter(bool), max_size=2)),
                    max_size=3,
                ),
            }
        ),
        min_size=1,
        max_size=5,
    )
)
def test_whatever_a_touchpoint_says_is_read_as_it_stands(
    warehouse: Warehouse, said: list[dict[str, Any]]
) -> None:
    events = [touchpoint(**{"time": "2018-05-02 10:00", **fields}) for fields in said]
    require_the_same(warehouse, {TOPOLOGY.enriched: published(events, TOPOLOGY.enriched)})


class Watched(Warehouse):
    """Keeps the statements to which blocks were sent."""

    def __init__(self, other: Warehouse) -> None:
        super().__init__(other.address, other.database)
        self.sent: list[str] = []

    def send(self, sql: str, columns: Sequence[Sequence[Any]]) -> None:
        super().send(sql, columns)
        self.sent.append(sql)

    def ways(self) -> dict[str, str]:
        """By table, whether its records were read by the server or made rows here."""
        return {sql.split()[2]: "read" if " input(" in sql else "made" for sql in self.sent}


def sink_of(warehouse: Warehouse, refused: Callable[[Record, str], None] = no_refusal) -> WarehouseSink:
    return WarehouseSink(warehouse, TOPOLOGY, lambda _: None, refused)


@pytest.mark.services
def test_nothing_is_made_rows_here_that_clickhouse_can_read(warehouse: Warehouse) -> None:
    watched = Watched(warehouse)

    sink_of(watched).write(
        [record for some in records_of_every_shape().values() for record in some] + [letter(0)]
    )

    assert watched.ways() == dict.fromkeys(TABLES, "read") | {
        "stage_counts": "made",
        "learned_limits": "made",
        "dead_letters": "made",
    }
    watched.close()


@pytest.mark.services
def test_a_record_that_only_clickhouse_cannot_read_is_stored_all_the_same(warehouse: Warehouse) -> None:
    data = b'{"n":1e999}'
    good, bad = published(
        [touchpoint(name, "2018-05-02 10:00", data=None) for name in ("good", "bad")], TOPOLOGY.enriched
    )
    odd = Consumed(TOPOLOGY.enriched, 1, (bad.value or b"").replace(b'"data":null', b'"data":' + data))
    watched = Watched(warehouse)

    with pytest.raises(BadDataError):
        stored(warehouse, touchpoint_readings([good, odd]))
    assert warehouse.query("SELECT count() FROM touchpoints") == [(0,)]
    sink_of(watched).write([good, odd])

    assert watched.ways() == {"touchpoints": "made"}
    assert warehouse.query("SELECT id, data FROM touchpoints ORDER BY id") == [
        ("bad", data.decode()),
        ("good", "null"),
    ]
    watched.close()


@pytest.mark.services
@pytest.mark.parametrize(
    "block",
    [
        *state_readings(published([person(ANNA, 2**32)], TOPOLOGY.state)),
        *state_readings(published([linked("a:1", "b:2", 2**64)], TOPOLOGY.state)),
        *state_readings(published([identified("a:1", ANNA, "a:1", 2**64)], TOPOLOGY.state)),
        *state_readings(published([journey(2**64)], TOPOLOGY.state)),
        *finding_readings(published([promise("p", "2018-05-01 09:00", "made", 2**32)], TOPOLOGY.findings))[
            1:
        ],
    ],
    ids=lambda block: f"{block.table} {len(block)}",
)
def test_a_number_that_does_not_fit_is_bad_data_and_no_default(warehouse: Warehouse, block: Block) -> None:
    if len(block):
        with pytest.raises(BadDataError):
            warehouse.send(block.statement, list(block.columns.values()))
    assert warehouse.query(f"SELECT count() FROM {block.table}") == [(0,)]


@pytest.mark.parametrize(
    ("topic", "value"),
    [
        (TOPOLOGY.enriched, b"{"),
        (TOPOLOGY.enriched, None),
        (
            TOPOLOGY.enriched,
            touchpoint("1", "2018-05-02 10:00").model_dump_json().replace("true", "1").encode(),
        ),
        (TOPOLOGY.findings, b"{}"),
        (
            TOPOLOGY.findings,
            promise("p", "2018-05-01 09:00").model_dump_json().replace("warning", "").encode()[:-1],
        ),
        (TOPOLOGY.state, b'{"kind":"weather"}'),
    ],
)
def test_no_block_is_made_of_records_of_which_one_is_none(topic: str, value: bytes | None) -> None:
    (good, *_) = records_of_every_shape()[topic]
    with pytest.raises(msgspec.DecodeError):
        WAYS[topic][0]([good, Consumed(topic, 1, value)])


def test_the_buckets_touched_are_those_of_the_rows_that_are_made_here() -> None:
    for topic, records in records_of_every_shape().items():
        read, made = WAYS[topic]
        assert touched_buckets(read(records)) == touched_buckets(made(records, no_refusal))
