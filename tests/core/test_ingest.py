"""Ingest: what becomes of a valid event, in structured and in binary mode."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ingest_world import (
    BINARY,
    IDENTITY,
    TOKENS,
    FakePlan,
    Source,
    event,
    one_route,
    record,
    refusal,
)

from pipeline.core.frames import IDENTITY_FRAMES
from pipeline.core.ingest import Ingest
from pipeline.core.instants import parse_instant
from pipeline.core.messages import Claim, Heard, Route
from pipeline.core.tokens import partition_of_token


def event_of(route: Route) -> dict[str, Any]:
    """What the readers of the enriched touchpoint get of the event."""
    found: dict[str, Any] = json.loads(route.touchpoint.event)
    return found


def test_an_event_is_sent_to_the_partition_of_its_strongest_identifier() -> None:
    source = Source().process(
        record(event(identities={"order_id": "O-1", "customer_id": "C-1", "cookie": "k"}))
    )
    (route,) = source.sent(Route)
    assert (route.to, route.path) == (TOKENS.token("customer_id", "C-1"), ())
    frames = source.logs.log(IDENTITY, partition_of_token(route.to, 3))
    assert route in [message for frame in frames for message in IDENTITY_FRAMES.decode(frame)]


def test_each_weaker_reference_is_claimed_for_the_strongest_identifier_and_personal_ones_are_not() -> None:
    identities = {"parcel_id": "P-1", "order_id": "O-1", "customer_id": "C-1", "email": "a@example.com"}
    source = Source().process(record(event(identities=identities)))
    owner = TOKENS.token("customer_id", "C-1")
    claims = {(claim.to, claim.owner, claim.id) for claim in source.sent(Claim)}
    assert claims == {
        (TOKENS.token("parcel_id", "P-1"), owner, "e1"),
        (TOKENS.token("order_id", "O-1"), owner, "e1"),
    }


def test_without_a_personal_identifier_the_strongest_reference_owns_the_weaker() -> None:
    source = Source().process(record(event(identities={"parcel_id": "P-1", "order_id": "O-1"})))
    (claim,) = source.sent(Claim)
    assert (claim.to, claim.owner) == (TOKENS.token("parcel_id", "P-1"), TOKENS.token("order_id", "O-1"))


def test_a_claim_is_sent_again_only_when_it_has_become_lesser() -> None:
    ids = {"order_id": "O-1", "customer_id": "C-1"}
    source = Source()
    for identifier, time in (("e2", "11:30:00"), ("e3", "11:31:00"), ("e2", "11:30:00"), ("e1", "11:29:00")):
        source.process(record(event(id=identifier, time=f"2026-03-01T{time}Z", identities=ids)))
    assert [claim.id for claim in source.sent(Claim)] == ["e2", "e1"]


def test_claims_that_were_forgotten_are_sent_again() -> None:
    source = Source(claims_remembered=2)
    for order in ("O-1", "O-2", "O-3", "O-1"):
        source.process(record(event(identities={"order_id": order, "customer_id": "C-1"})))
    assert len(source.sent(Claim)) == 4


def test_fields_are_what_the_map_mentions_with_instants_in_microseconds() -> None:
    data = {"due": "2026-03-02T13:00:00+01:00", "shop": {"city": "Graz"}, "other": 1}
    touchpoint = one_route(data=data, subject="s", outcome="success").touchpoint
    assert touchpoint.entry.fields == {
        "identities.order_id": "O-1",
        "data.due": parse_instant("2026-03-02T12:00:00Z"),
        "data.shop.city": "Graz",
        "subject": "s",
        "outcome": "success",
    }


@pytest.mark.parametrize("data", [{}, {"due": None}, None, {"shop": "here"}, {"shop": {"city": ["a", "b"]}}])
def test_fields_that_are_absent_null_or_no_scalars_are_left_out(data: Any) -> None:
    assert one_route(data=data).touchpoint.entry.fields == {"identities.order_id": "O-1"}


def test_identities_are_trimmed_and_lower_case_where_the_kind_says_so_and_unknown_kinds_are_carried() -> None:
    identities = {
        "email": " Anna@Example.COM ",
        "order_id": " O-1",
        "loyalty_card": "L-9",
        "phone": " ",
        "device": None,
    }
    route = one_route(identities=identities)
    assert route.to == TOKENS.token("email", "anna@example.com")
    assert event_of(route)["identities"] == {
        "email": "anna@example.com",
        "order_id": "O-1",
        "loyalty_card": "L-9",
    }
    assert route.touchpoint.entry.fields["identities.order_id"] == "O-1"


@pytest.mark.parametrize(
    ("sequence", "kept"),
    [("9", "00000000000000000009"), ("10", "00000000000000000010"), ("a9", "a9"), (None, ""), ("٣", "٣")],
)
def test_numbers_in_sequence_are_kept_so_that_they_sort_as_numbers(sequence: str | None, kept: str) -> None:
    assert one_route(sequence=sequence).touchpoint.entry.sequence == kept


def test_the_same_number_in_sequence_is_the_same_content_however_it_is_padded() -> None:
    digests = {one_route(sequence=sequence).touchpoint.entry.digest for sequence in ("7", "007")}
    assert len(digests) == 1


def test_what_is_no_identifier_is_shown_as_it_came_counted_and_seen_by_no_rule() -> None:
    class ByPhone(FakePlan):
        def projection(self, touchpoint_type: str) -> tuple[tuple[str, bool], ...]:
            return (("identities.phone", False),)

    source = Source()
    source.ingest = Ingest(0, source.store, source.config, ByPhone(), TOKENS)
    identities = {"phone": " ask Ann", "email": "unknown", "cookie": "", "customer_id": "C-1"}
    source.process(record(event(identities=identities)))
    (route,) = source.sent(Route)
    assert event_of(route)["identities"] == {"phone": "ask Ann", "customer_id": "C-1"}
    assert route.to == TOKENS.token("customer_id", "C-1")
    assert route.touchpoint.entry.fields == {}
    assert source.sent(Heard) == []
    assert (source.ingest.counts["invalid_identifiers"], source.ingest.counts["blocked_identifiers"]) == (
        1,
        1,
    )


def test_one_number_written_in_two_ways_is_one_content_of_one_identifier() -> None:
    here, there = (
        one_route(identities={"phone": written}) for written in ("+49 (0)30 901820", "tel:+49-30-901820")
    )
    assert here.to == there.to
    assert here.touchpoint.entry.digest == there.touchpoint.entry.digest
    assert event_of(here)["identities"] == {"phone": "+4930901820"}


def test_data_is_kept_as_it_was_written() -> None:
    text = json.dumps(event()).encode()[:-1] + b', "data": {"b": 1.10,  "a": 12345678901234567890123}}'
    (route,) = Source().process(record(text)).sent(Route)
    assert b'"data":{"b": 1.10,  "a": 12345678901234567890123}' in route.touchpoint.event
    assert event_of(one_route())["data"] is None


def test_the_readers_get_what_the_source_wrote_with_the_time_in_utc() -> None:
    route = one_route(time="2026-03-01T12:30:00.5+01:00", subject="s", outcome="failure", data={"a": 1})
    assert event_of(route) == {
        "id": route.touchpoint.entry.id,
        "source": route.touchpoint.entry.source,
        "type": route.touchpoint.entry.type,
        "time": "2026-03-01T11:30:00.500000Z",
        "subject": "s",
        "outcome": "failure",
        "identities": {"order_id": "O-1"},
        "data": {"a": 1},
    }


def test_the_digest_does_not_depend_on_spaces_and_the_order_of_keys() -> None:
    first = record(
        b'{"specversion":"1.0","id":"e","source":"s","type":"t","time":"2026-03-01T11:00:00Z",'
        b'"identities":{"order_id":"1","email":"a"},"data":{"a":1,"b":[1,{"c":2,"d":3}]}}'
    )
    second = record(
        b'{"data": {"b": [1, {"d": 3, "c": 2}], "a": 1}, "identities": {"email": "a", "order_id": "1"},'
        b'"time":"2026-03-01T12:00:00+01:00", "type":"t","source":"s","id":"e","specversion":"1.0"}'
    )
    digests = {route.touchpoint.entry.digest for route in Source().process(first, second).sent(Route)}
    assert len(digests) == 1
    assert len(digests.pop()) == 8


@pytest.mark.parametrize(
    "change",
    [
        {"type": "own.order.other"},
        {"time": "2026-03-01T11:58:00Z"},
        {"identities": {"order_id": "O-2"}},
        {"subject": "s"},
        {"outcome": "failure"},
        {"data": {"a": 1}},
        {"sequence": "2"},
    ],
)
def test_the_digest_is_another_when_the_content_is(change: dict[str, Any]) -> None:
    assert one_route().touchpoint.entry.digest != one_route(**change).touchpoint.entry.digest


def test_a_type_that_nobody_declared_is_carried_with_any_data() -> None:
    assert event_of(one_route(type="com.example.PointsEarned", data=[1, {"x": None}]))["data"] == (
        [1, {"x": None}]
    )


def test_extension_attributes_are_no_error() -> None:
    assert (
        one_route(traceparent="00-1-2-01", partitionkey=7, sampled=True, tracestate=None).touchpoint.entry.id
        == "e1"
    )


def test_binary_mode_means_the_same_as_structured_mode() -> None:
    (binary,) = Source().process(record(b'{"due": "2026-03-02T12:00:00Z"}', headers=BINARY)).sent(Route)
    structured = one_route(data={"due": "2026-03-02T12:00:00Z"})
    assert binary == structured


def test_binary_mode_without_a_value_has_no_data() -> None:
    (route,) = Source().process(record(None, headers=BINARY)).sent(Route)
    assert route == one_route()


def test_other_headers_do_not_make_a_record_binary() -> None:
    headers = [("traceparent", b"00-1"), ("content-type", b"application/cloudevents+json; charset=utf-8")]
    assert len(Source().process(record(event(), headers=headers)).sent(Route)) == 1


@pytest.mark.parametrize(
    ("headers", "value", "code", "path"),
    [
        ([*BINARY, ("ce_id", b"e2")], b"{}", "bad_headers", "headers.ce_id"),
        ([*BINARY, ("ce_subject", b"\xff")], b"{}", "bad_headers", "headers.ce_subject"),
        ([*BINARY[:5], ("ce_identities", b"O-1")], b"{}", "bad_headers", "headers.ce_identities"),
        ([*BINARY[:5], ("ce_identities", b"[" * 100_000)], b"{}", "bad_headers", "headers.ce_identities"),
        ([*BINARY[:5], ("ce_identities", None)], b"{}", "bad_headers", "headers.ce_identities"),
        ([*BINARY[:5], ("ce_identities", b'["O-1"]')], b"{}", "bad_headers", "headers.ce_identities"),
        ([*BINARY[:6], ("content-type", b"application/avro")], b"{}", "bad_headers", "headers.content-type"),
        ([("content-type", b"application/cloudevents+avro")], b"{}", "bad_headers", "headers.content-type"),
        ([("content-type", b"\xfe")], b"{}", "bad_headers", "headers.content-type"),
        (BINARY, b"{", "malformed_json", "data"),
        (BINARY[1:], b"{}", "missing_field", "specversion"),
        ([*BINARY[:5], BINARY[6]], b"{}", "missing_field", "identities"),
    ],
)
def test_bad_headers_are_refused_by_name(
    headers: list[tuple[str, Any]], value: bytes, code: str, path: str
) -> None:
    letter = refusal(value, headers=headers)
    assert (letter.code, letter.path) == (code, path)
