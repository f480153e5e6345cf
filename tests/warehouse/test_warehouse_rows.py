"""Records become rows exactly, and what can't be read is told."""

from __future__ import annotations

import re
from datetime import date
from typing import get_args

import msgspec
import pytest
from published_records import (
    ANNA,
    BERT,
    FORECAST,
    LEARNED,
    TOPOLOGY,
    Consumed,
    at,
    counts,
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
from pydantic import BaseModel

from pipeline.core.instants import micros
from pipeline.ports import Record
from pipeline.warehouse import wire
from pipeline.warehouse.buckets import touched_buckets
from pipeline.warehouse.rows import (
    VALUE_BYTES,
    Block,
    dead_letter_blocks,
    finding_blocks,
    state_blocks,
    touchpoint_blocks,
)
from schemas import enriched, finding, state

NOT_KEPT = {"journey_type", "journey_key"}  # of a touchpoint's journey: both are part of its id


def no_refusal(record: Record, reason: str) -> None:
    raise AssertionError(f"{record.offset}: {reason}")


def row(block: Block, index: int = 0) -> dict[str, object]:
    return {name.strip("`"): values[index] for name, values in block.columns.items()}


@pytest.mark.parametrize(
    ("struct", "model", "left_out"),
    [
        (wire.EnrichedTouchpoint, enriched.EnrichedTouchpoint, set()),
        (wire.JourneyContext, enriched.JourneyContext, NOT_KEPT),
        (wire.PromiseFinding, finding.PromiseFinding, {"type"}),
        (wire.StallFinding, finding.StallFinding, {"type"}),
        (wire.ValueFinding, finding.ValueFinding, {"type"}),
        (wire.ValueDetail, finding.ValueDetail, set()),
        (wire.PromiseDetail, finding.PromiseDetail, set()),
        (wire.StallDetail, finding.StallDetail, set()),
        (wire.ClockDetail, finding.ClockDetail, set()),
        (wire.RevisionDetail, finding.RevisionDetail, {"judged_by"}),
        (wire.WarningDetail, finding.WarningDetail, {"share", "at"}),
        (wire.EscalationDetail, finding.EscalationDetail, {"at"}),
        (wire.PartsDetail, finding.PartsDetail, set()),
        (wire.LearnedDetail, finding.LearnedDetail, {"quantile", "times", "learned_at"}),
        (wire.ForecastDetail, finding.ForecastDetail, {"threshold", "learned_at"}),
        (wire.JourneyState, state.JourneyState, {"kind"}),
        (wire.StageVisit, state.StageVisit, set()),
        (wire.PersonState, state.PersonState, {"kind"}),
        (wire.PersonOverride, state.PersonOverride, {"kind"}),
        (wire.LearnedState, state.LearnedState, {"kind"}),
        (wire.StageCounts, state.StageCounts, {"kind"}),
    ],
)
def test_the_wire_has_the_fields_of_the_contract_and_asks_for_no_more(
    struct: type[msgspec.Struct], model: type[BaseModel], left_out: set[str]
) -> None:
    fields = {field.name: field for field in msgspec.structs.fields(struct)}

    assert set(fields) == set(model.model_fields) - left_out
    for name, field in fields.items():
        if not model.model_fields[name].is_required():
            assert not field.required, f"{name} may be absent"


def test_every_type_of_finding_is_known() -> None:
    union = get_args(finding.Finding)[0]

    assert {model.__name__ for model in get_args(union)} == {kind.__name__ for kind in get_args(wire.Finding)}


def test_every_kind_of_state_is_known() -> None:
    union = get_args(state.StateRecord)[0]

    assert {model.__name__ for model in get_args(union)} == {
        kind.__name__ for kind in get_args(wire.StateRecord)
    }


def test_a_touchpoint_becomes_one_row_that_says_the_same() -> None:
    event = touchpoint("t-1", "2018-05-02 10:00:00.123456", outcome="success", subject="parcel 9")
    (record,) = published([event], TOPOLOGY.enriched, first_offset=41)

    (block,) = touchpoint_blocks([record], no_refusal)

    assert row(block) == {
        "time": micros(at("2018-05-02 10:00:00.123456")),
        "source": "/carrier",
        "id": "t-1",
        "type": "fulfilment.parcel.handed_over",
        "domain": "fulfilment",
        "owner": "logistics",
        "mapped": True,
        "late": False,
        "subject": "parcel 9",
        "outcome": "success",
        "person_id": ANNA,
        "identifier": "customer_id:" + "0a" * 16,
        "identities": {"order_id": "o-7", "customer_id": "c-1"},
        "data": '{"weight":1.5,"city":"São Paulo"}'.encode(),
        "journey_ids": ("order:o-7",),
        "stages": ("in_transit",),
        "stages_entered": ("in_transit",),
        "stages_left": ("packing",),
        "version": (41 * 1024) << 64,
    }


def test_the_stages_of_all_journeys_of_a_touchpoint_stand_together() -> None:
    order, account = (
        enriched.JourneyContext(
            journey_id=name, journey_type=name, journey_key="7", stages=[name + "_in"], entered=[name + "_in"]
        )
        for name in ("order", "account")
    )

    (block,) = touchpoint_blocks(
        published([touchpoint("t", "2018-05-02 10:00", journeys=[order, account])], TOPOLOGY.enriched),
        no_refusal,
    )

    assert row(block)["journey_ids"] == ("order", "account")
    assert row(block)["stages"] == row(block)["stages_entered"] == ("order_in", "account_in")
    assert row(block)["stages_left"] == ()


def test_thousands_of_touchpoints_stay_in_order_less_the_unreadable() -> None:
    records = published([touchpoint(str(n), "2018-05-02 10:00") for n in range(1201)], TOPOLOGY.enriched)
    records[500] = Consumed(TOPOLOGY.enriched, 500, b"{")
    refused: list[int] = []

    (block,) = touchpoint_blocks(records, lambda record, _: refused.append(record.offset))

    assert refused == [500]
    assert block.columns["id"] == [str(n) for n in range(1201) if n != 500]
    assert [record.offset for record in block.records] == [n for n in range(1201) if n != 500]


def test_what_a_touchpoint_lacks_is_empty() -> None:
    bare = touchpoint("t", "2018-05-02 10:00", owner=None, mapped=False, journeys=[], data=None)

    (block,) = touchpoint_blocks(published([bare], TOPOLOGY.enriched), no_refusal)

    assert {name: row(block)[name] for name in ("owner", "subject", "outcome", "journey_ids", "data")} == {
        "owner": "",
        "subject": "",
        "outcome": "",
        "journey_ids": (),
        "data": b"null",
    }


def test_a_promise_goes_to_the_log_and_to_the_promises() -> None:
    broken = promise("p-1", "2018-05-01 09:00", "broken", revision=2, met_hours_late=3)

    log, promises, stalls, _ = finding_blocks(published([broken], TOPOLOGY.findings), no_refusal)

    assert (len(log), len(promises), len(stalls)) == (1, 1, 0)
    assert row(log)["revision"] == 2
    assert row(log)["rule"] == row(promises)["rule"] == "delivery"
    assert row(promises)["met_at"] == micros(at("2018-05-03 12:00"))
    assert row(promises)["gap_hours"] == 3.0
    assert row(promises)["cancelled_at"] is None
    assert row(log)["record"] == broken.model_dump_json().encode()


def test_a_stall_goes_to_the_log_and_to_the_stalls() -> None:
    log, promises, stalls, _ = finding_blocks(
        published([stall("s-1", "2018-05-02 10:00")], TOPOLOGY.findings), no_refusal
    )

    assert (len(log), len(promises), len(stalls)) == (1, 0, 1)
    assert row(stalls)["stage"] == "in_transit"
    assert row(stalls)["since"] == micros(at("2018-05-03 10:00"))
    assert row(stalls)["left_at"] is None


def test_a_learned_limit_says_of_whom_and_how_many_and_how_sure() -> None:
    learned = stall("s-1", "2018-05-02 10:00", detail={"learned": LEARNED})
    unsure = stall(
        "s-2", "2018-05-02 10:00", detail={"learned": {**LEARNED, "segment": None, "high_seconds": None}}
    )

    _, _, stalls, _ = finding_blocks(published([learned, unsure], TOPOLOGY.findings), no_refusal)

    columns = ("limit_kind", "segment", "limit_ended", "limit_low_seconds", "limit_high_seconds")
    assert [tuple(row(stalls, n)[name] for name in columns) for n in range(2)] == [
        ("learned", "Ögun's", 412, 79_200.25, 93_600.0),
        ("learned", "", 412, 79_200.25, None),
    ]


def test_a_forecast_of_nought_is_not_the_want_of_one() -> None:
    foretold, sure, plain = (
        promise("p-1", "2018-05-01 09:00", detail={"forecast": FORECAST}),
        promise("p-2", "2018-05-01 09:00", detail={"forecast": {**FORECAST, "probability": 0}}),
        promise("p-3", "2018-05-01 09:00"),
    )

    _, promises, *_ = finding_blocks(published([foretold, sure, plain], TOPOLOGY.findings), no_refusal)

    assert promises.columns["break_probability"] == [0.125, 0.0, None]
    assert promises.columns["forecast_ended"] == [1_302, 1_302, 0]


def test_each_state_goes_to_its_table_and_a_tombstone_to_none() -> None:
    records = [
        *published(
            [
                journey(),
                person(ANNA, 2),
                override(BERT, "email:00", ANNA),
                linked("a:1", "b:2"),
                identified("a:1", ANNA, "b:2"),
                learned("in_transit", "2018-05-02", 60),
                counts(3, 5, late=2),
            ],
            TOPOLOGY.state,
        ),
        Consumed(TOPOLOGY.state, 9, None, key=b"person:gone"),
    ]

    journeys, persons, overrides, links, identifiers, limits, counted = state_blocks(records, no_refusal)

    assert row(journeys)["stages.stage"] == ("in_transit",)
    assert row(journeys)["stages.entered_at"] == (micros(at("2018-05-02 10:00")),)
    assert row(persons)["touchpoints"] == 2
    assert row(overrides)["person_id"] == ANNA
    assert (row(links)["linked_id"], row(links)["persons"], row(links)["rule"]) == ("1", (ANNA, ANNA), "")
    assert row(identifiers)["named_by"] == "b:2"
    assert row(overrides)["version"] == 2 * 1024 + 1  # where it is in the topic
    assert row(counted) == {"stage": "journey", "partition": 3, "name": "late", "count": 2, "version": 5}
    assert (row(limits)["day"], row(limits)["segment"], row(limits)["ended"]) == (date(2018, 5, 2), "", 60)
    blocks = (journeys, persons, overrides, links, identifiers, limits, counted)
    assert [len(block) for block in blocks] == [1] * 7


def test_each_count_of_a_stage_is_a_row_that_knows_its_record() -> None:
    records = published([counts(0, late=2, duplicates=7), counts(1), counts(2, late=1)], TOPOLOGY.state)

    *_, counted = state_blocks(records, no_refusal)

    assert list(zip(counted.columns["partition"], counted.columns["name"], strict=True)) == [
        (0, "late"),
        (0, "duplicates"),
        (2, "late"),
    ]
    assert counted.records == [records[0], records[0], records[2]]


def test_a_person_without_touchpoints_has_no_first_and_no_last() -> None:
    _, persons, *_ = state_blocks(published([person(ANNA, 0)], TOPOLOGY.state), no_refusal)

    assert row(persons)["first_at"] is row(persons)["last_at"] is None


def test_a_dead_letter_keeps_its_reason_and_the_start_of_its_bytes() -> None:
    (block,) = dead_letter_blocks([letter(77, b"\xff" * (VALUE_BYTES + 5), "2018-05-02 10:00:00.123")])

    assert row(block) == {
        "time": 1525255200123,
        "topic": "touchpoints.sales",
        "partition": 0,
        "offset": 77,
        "stage": "ingest",
        "code": "malformed_json",
        "path": "data",
        "message": "not JSON",
        "key": b"k\xfe",
        "value": b"\xff" * VALUE_BYTES,
        "bytes": VALUE_BYTES + 5,
        "version": 77 * 1024,
    }


def test_a_dead_letter_without_its_reasons_is_still_a_row() -> None:
    (block,) = dead_letter_blocks(
        [Consumed(TOPOLOGY.dead_letter, 3, b"x", headers=(("throughline-error-code", b"?"),))]
    )

    kept = row(block)
    assert (kept["code"], kept["topic"], kept["offset"]) == ("unexpected", TOPOLOGY.dead_letter, 3)
    assert "not the headers of a dead letter" in str(kept["message"])


@pytest.mark.parametrize("timestamp", [-(2**63), 2**63 - 1])
def test_a_stray_of_an_impossible_time_is_still_a_row(timestamp: int) -> None:
    (block,) = dead_letter_blocks([Consumed(TOPOLOGY.dead_letter, 3, b"x", timestamp=timestamp)])
    assert row(block)["code"] == "unexpected"


def test_a_dead_letter_without_a_value_is_counted_as_well() -> None:
    (block,) = dead_letter_blocks([letter(77, value=None)])
    kept = row(block)
    assert (kept["code"], kept["value"], kept["bytes"]) == ("malformed_json", b"", 0)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"{", "not a record of journeys.findings: Input data was truncated"),
        (b"{}", "missing required field"),
        (b"", "truncated"),
        (
            promise("p", "2018-05-01 09:00").model_dump_json().replace('"promise"', '"rumour"').encode(),
            "Invalid value 'rumour'",
        ),
        (
            promise("p", "2018-05-01 09:00", person_id="nobody").model_dump_json().encode(),
            r"Invalid UUID - at `\$.person_id`",
        ),
    ],
)
def test_a_record_that_cannot_be_read_is_refused_and_the_others_are_kept(value: bytes, reason: str) -> None:
    refused: list[tuple[int, str]] = []
    good = published(
        [promise("p-1", "2018-05-01 09:00"), stall("s-1", "2018-05-01 09:00")], TOPOLOGY.findings
    )
    records = [good[0], Consumed(TOPOLOGY.findings, 8, value), good[1]]

    log, promises, stalls, _ = finding_blocks(
        records, lambda record, why: refused.append((record.offset, why))
    )

    ((offset, why),) = refused
    assert offset == 8
    assert re.search(reason, why)
    assert log.records == good
    assert (len(promises), len(stalls)) == (1, 1)


def test_two_copies_of_a_touchpoint_in_the_topic_never_tie() -> None:
    first, second = (
        Consumed(
            TOPOLOGY.enriched, 5, touchpoint("t", "2018-05-02 10:00").model_dump_json().encode(), partition=p
        )
        for p in (0, 1)
    )

    (block,) = touchpoint_blocks([first, second], no_refusal)

    assert len(set(block.columns["version"])) == 2


def test_the_touched_buckets_are_the_hours_and_days_of_the_rows() -> None:
    blocks = [
        *touchpoint_blocks(
            published(
                [
                    touchpoint("1", "2018-05-02 10:00"),
                    touchpoint("2", "2018-05-02 10:59:59.999999"),
                    touchpoint("3", "2018-05-02 11:00"),
                ],
                TOPOLOGY.enriched,
            ),
            no_refusal,
        ),
        *finding_blocks(
            published(
                [promise("p", "2018-05-02 10:00"), stall("s", "2018-05-03 23:59:59.999999")],
                TOPOLOGY.findings,
            ),
            no_refusal,
        ),
        *state_blocks(published([person(ANNA, 1)], TOPOLOGY.state), no_refusal),
    ]

    def start(kind: str, text: str) -> bytes:
        return f"{kind}:{int(at(text).timestamp())}".encode()

    assert touched_buckets(blocks) == [
        start("touchpoints", "2018-05-02 10:00"),
        start("touchpoints", "2018-05-02 11:00"),
        start("promises", "2018-05-02 00:00"),
        start("stalls", "2018-05-03 00:00"),
    ]
