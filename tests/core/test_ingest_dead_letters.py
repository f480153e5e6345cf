"""Ingest: what is refused, why, and when refusing is no answer any more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ingest_world import (
    BINARY,
    LETTERS,
    SOURCE,
    FakePlan,
    Source,
    event,
    one_route,
    record,
    refusal,
)

from pipeline.core.dead_letters import (
    TooManyDeadLettersError,
    decode_headers,
    encode_headers,
    original_headers,
)
from pipeline.core.messages import Route
from schemas.dead_letter import DeadLetter, ErrorCode

BAD = Path(__file__).parents[2] / "examples" / "touchpoints" / "bad"
EXPECTED: dict[str, dict[str, str]] = json.loads((BAD / "expected.json").read_text())


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_each_bad_example_is_refused_with_its_code_and_path(name: str) -> None:
    letter = refusal((BAD / name).read_bytes())
    assert {"code": letter.code.value, "path": letter.path} == EXPECTED[name]
    assert letter.message
    assert "\n" not in letter.message


def test_every_bad_example_says_what_is_expected_of_it() -> None:
    assert {path.name for path in BAD.iterdir()} - {"expected.json"} == set(EXPECTED)


def test_messages_say_what_is_wrong_and_what_would_be_right() -> None:
    kinds = "customer_id, email, phone, device, cookie, order_id, ticket_id, parcel_id, session_id"
    instant = "an RFC 3339 instant with an offset, such as 2026-03-01T09:30:00Z"
    said = [
        (event(id=...), "id is missing; give every event an id that is unique within its source"),
        (event(time=1772359200), f"time is 1772359200; it has to be {instant}"),
        (event(time="2026-03-01"), f'time is "2026-03-01"; it has to be {instant}'),
        (
            event(type="sales.order.placed", data={"value": "ten"}),
            'data.value is "ten"; it has to be a number',
        ),
        (
            event(identities={"order_id": "", "card": "7"}),
            f"order_id is blank, card is no identifier of the map; give one of {kinds}",
        ),
        (event(identities={}), f"identities is empty; give one of {kinds}"),
        (event(customerId="C-1", id=7), "id is 7; it has to be a string (and 1 more)"),
        (
            event(campaign={}),
            "campaign is {}; it has to be a string, a number, true or false, as extension attributes are",
        ),
        (b"[1]", "the value is [1]; it has to be one JSON object, an event"),
    ]
    for content, message in said:
        assert refusal(content).message == message


def test_an_event_whose_only_identifier_is_none_is_refused_at_its_place_with_the_remedy_and_without_the_value() -> (
    None
):
    letter = refusal(event(identities={"card": "7", "phone": "ask Ann", "email": " "}))
    assert (letter.code, letter.path) == (ErrorCode.INVALID_VALUE, "identities.phone")
    assert letter.message.startswith(
        "card is no identifier of the map, phone is no possible phone number (write it in international form, such as "
        "+49 30 901820), email is blank; give one of customer_id, email, phone"
    )
    assert "Ann" not in letter.message


def test_an_event_whose_only_identifier_is_blocked_is_told_so() -> None:
    letter = refusal(event(identities={"email": "UNKNOWN", "phone": "n/a"}))
    assert (letter.code, letter.path) == (ErrorCode.NO_IDENTITY, "identities")
    assert letter.message.startswith("email is blocked, phone is blocked; give one of")


def test_a_word_on_what_is_no_identifier_is_refused_with_the_remedy() -> None:
    said = event(
        type="service.identity.linked",
        identities={"email": "ann@example.com"},
        data={"other": {"kind": "email", "value": "Ann"}},
    )
    letter = refusal(said)
    assert (letter.code, letter.path) == (ErrorCode.INVALID_VALUE, "data.other")
    assert letter.message.startswith("data.other is no e-mail address (write it alone and without blanks")


def test_a_word_on_a_time_that_no_calendar_reaches_is_refused() -> None:
    both = {"email": "ann@example.com", "cookie": "k"}
    said = event(type="service.identity.linked", identities=both, data={"at": "9999-12-31T23:59:59-12:00"})
    assert (refusal(said).code, refusal(said).path) == (ErrorCode.INVALID_VALUE, "data.at")


def test_a_malformed_instant_that_a_promise_needs_is_refused_even_where_data_is_free() -> None:
    for due in ("soon", 17, {"at": 1}, "2026-03-02", "2026-03-02T12:00:00"):
        letter = refusal(event(data={"due": due}))
        assert (letter.code, letter.path) == (ErrorCode.INVALID_VALUE, "data.due")


def test_a_number_that_does_not_fit_is_refused() -> None:
    letter = refusal(event(data={"shop": {"city": 2**70}}))
    assert (letter.code, letter.path) == (ErrorCode.INVALID_VALUE, "data")


@pytest.mark.parametrize("due", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"])
def test_an_instant_that_no_calendar_reaches_in_utc_is_refused(due: str) -> None:
    letter = refusal(event(data={"due": due}))
    assert (letter.code, letter.path) == (ErrorCode.INVALID_VALUE, "data.due")


@pytest.mark.parametrize("data", [b'{"x": 1e400}', b'{"shop": {"city": -1e999}}'])
def test_a_number_beyond_all_floats_is_refused(data: bytes) -> None:
    letter = refusal(json.dumps(event()).encode()[:-1] + b', "data": ' + data + b"}")
    assert (letter.code, letter.path) == (ErrorCode.INVALID_VALUE, "data")


def test_a_text_that_the_map_uses_is_refused_beyond_1024_characters_and_any_other_is_not() -> None:
    one_route(data={"shop": {"city": "x" * 1024}, "note": "x" * 2000})
    letter = refusal(event(data={"shop": {"city": "x" * 1025}}))
    assert (letter.code, letter.path, letter.message) == (
        ErrorCode.INVALID_VALUE,
        "data.shop.city",
        "data.shop.city has 1025 characters; a field that the journey map uses may have 1024",
    )


def test_a_number_in_sequence_is_refused_beyond_20_digits_because_it_would_sort_wrongly() -> None:
    one_route(sequence="9" * 20)
    letter = refusal(event(sequence="1" + "0" * 20))
    assert (letter.code, letter.path, letter.message) == (
        ErrorCode.INVALID_VALUE,
        "sequence",
        "sequence has 21 digits; a number may have 20",
    )


@pytest.mark.parametrize("timestamp", [-1, -(2**62), 300_000_000_000_000, 2**62])
@pytest.mark.parametrize("value", [None, b"{"])
def test_a_record_whose_own_timestamp_is_absurd_is_a_dead_letter(timestamp: int, value: bytes | None) -> None:
    letter = refusal(value or event(), timestamp=timestamp * 1000)
    if value is None:
        assert (letter.code, letter.path) == (ErrorCode.IMPOSSIBLE_TIME, "")
        assert letter.message.startswith(f"the record's own timestamp is {timestamp};")
    else:
        assert letter.code == ErrorCode.MALFORMED_JSON


def test_an_oversized_record_is_refused_and_the_largest_is_not() -> None:
    smallest = len(json.dumps(event(data="")))
    letter = refusal(event(data="x" * (4097 - smallest)))
    assert (letter.code, letter.message[:44]) == (
        ErrorCode.OVERSIZED,
        "the record has 4097 bytes and may have 4096;",
    )
    one_route(data="x" * (4096 - smallest))


def test_a_time_is_impossible_only_beyond_a_day_after_its_record() -> None:
    one_route(time="2026-03-02T12:00:00Z")
    assert refusal(event(time="2026-03-02T12:00:00.000001Z")).code == ErrorCode.IMPOSSIBLE_TIME
    one_route(time="1970-01-01T00:00:00Z")
    assert refusal(event(time="0001-01-01T00:00:00+14:00")).code == ErrorCode.IMPOSSIBLE_TIME


def test_what_nobody_expected_is_a_dead_letter_too(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source()
    monkeypatch.setattr(FakePlan, "projection", lambda self, name: 1 / 0)
    source.process(record(event()))
    (letter,) = source.letters()
    assert (letter.code, letter.path) == (ErrorCode.UNEXPECTED, "")
    assert "ZeroDivisionError" in letter.message


def test_every_error_code_has_an_example_or_a_test_above() -> None:
    shown = {expected["code"] for expected in EXPECTED.values()} | {"bad_headers", "oversized", "unexpected"}
    assert shown == {code.value for code in ErrorCode}


def test_a_dead_letter_keeps_key_value_and_headers_and_tells_where_it_came_from() -> None:
    source = Source().process(record(b"{", headers=[("trace", b"\x00\xff")]))
    (sent,) = source.logs.log(LETTERS, 0)
    assert (sent.key, sent.value) == (b"the key", b"{")
    assert original_headers(sent.headers) == [("trace", b"\x00\xff")]
    assert decode_headers(sent.headers) == DeadLetter(
        code=ErrorCode.MALFORMED_JSON,
        path="",
        message="the value is not JSON: EOF while parsing an object at line 1 column 1",
        stage="ingest",
        topic=SOURCE,
        partition=0,
        offset=41,
        time="2026-03-01T12:00:00Z",
    )
    assert dict(sent.headers)["throughline-error-timestamp"] == b"2026-03-01T12:00:00Z"


def test_a_dead_letter_that_was_replayed_and_refused_again_has_one_set_of_reasons() -> None:
    (first,) = Source().process(record(b"{", headers=[("trace", b"1")])).logs.log(LETTERS, 0)
    (second,) = Source().process(record(b"{", headers=first.headers)).logs.log(LETTERS, 0)
    assert second.headers == first.headers


def test_what_a_reason_quotes_of_an_endless_name_is_bounded_and_its_end_stays() -> None:
    letter = refusal(event(**{"X" + "y" * 3000: 1}))
    assert len(letter.path) == 250 - 1
    assert len(letter.message) == 1000 - 1
    assert letter.message.endswith("…; it should have at most 64 characters")


def test_no_kafka_has_a_negative_partition_or_an_offset_beyond_64_bits() -> None:
    letter = decode_headers(Source().process(record(b"{")).logs.log(LETTERS, 0)[0].headers)
    for field, value in (("partition", -1), ("partition", 2**31), ("offset", -1), ("offset", 2**63)):
        with pytest.raises(ValueError, match="no Kafka has such a partition or offset"):
            decode_headers(encode_headers([], letter.model_copy(update={field: value})))


def test_a_dead_letter_of_before_the_year_1_is_none() -> None:
    headers = dict(Source().process(record(b"{")).logs.log(LETTERS, 0)[0].headers)
    headers["throughline-error-timestamp"] = b"0001-01-01T00:00:00+14:00"
    with pytest.raises(ValueError, match="the years 1 to 9999"):
        decode_headers(list(headers.items()))


def test_headers_of_another_record_are_no_dead_letter() -> None:
    letter = decode_headers(Source().process(record(b"{")).logs.log(LETTERS, 0)[0].headers)
    headers = encode_headers([], letter)
    without_a_value = [("throughline-error-code", None), *headers[1:]]
    for wrong in (headers[1:], [("throughline-error-code", b"no_such"), *headers[1:]], without_a_value, []):
        with pytest.raises(ValueError, match="not the headers of a dead letter"):
            decode_headers(wrong)


@given(st.binary(max_size=60), st.sampled_from([(), tuple(BINARY), tuple(BINARY[:3])]))
def test_no_bytes_stop_ingest(value: bytes, headers: tuple[tuple[str, bytes], ...]) -> None:
    source = Source().process(record(value, headers=headers))
    assert len(source.letters()) + len(source.sent(Route)) == 1
    assert all(letter.code != ErrorCode.UNEXPECTED for letter in source.letters())


@given(
    st.dictionaries(
        st.sampled_from([*event(), "data", "sequence", "subject", "x"]),
        st.from_type(object).map(lambda _: None)
        | st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=4),
            lambda inner: (
                st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
            ),
        ),
    )
)
def test_no_event_stops_ingest(changes: dict[str, Any]) -> None:
    source = Source().process(record(event(**changes)))
    assert len(source.letters()) + len(source.sent(Route)) == 1
    assert all(letter.code != ErrorCode.UNEXPECTED for letter in source.letters())


def test_a_bad_record_here_and_there_never_stops_a_source() -> None:
    source = Source(dead_letter_window=10, dead_letter_max_share=0.5)
    for _ in range(50):
        source.process(record(event()), record(b"{"))
    assert len(source.letters()) == 50


def test_too_many_dead_letters_stop_the_source_with_a_sentence_that_says_what_to_do() -> None:
    source = Source(dead_letter_window=10, dead_letter_max_share=0.5)
    source.process(*[record(event())] * 20, *[record(b"{")] * 4, record(event(id=...)))
    with pytest.raises(TooManyDeadLettersError) as stopped:
        source.process(record(b"{"))
    assert str(stopped.value) == (
        "touchpoints.sales/0: 6 of the last 10 records were refused, 5 of them for malformed_json; mend what "
        "writes to this topic (`throughline dlq show` has examples), or raise dead_letter_max_share above "
        "0.5 to keep them all"
    )


def test_a_restart_does_not_forget_how_many_were_refused() -> None:
    source = Source(dead_letter_window=10, dead_letter_max_share=0.5)
    for _ in range(5):
        source.process(record(b"{"))
        source.restart()
    with pytest.raises(TooManyDeadLettersError):
        source.process(record(b"{"))


def test_old_refusals_leave_the_window() -> None:
    source = Source(dead_letter_window=10, dead_letter_max_share=0.5)
    source.process(*[record(b"{")] * 5)
    source.process(*[record(event())] * 10)
    source.process(*[record(b"{")] * 5)
    assert len(source.letters()) == 10
