"""Correcting a dead letter: which headers go with the bytes that take the place of the original."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.core.binary import structured
from pipeline.core.dead_letters import RefusedError, dead_letter
from pipeline.core.ingest import TICK_HEADER
from pipeline.core.validation import Parts, read_event
from pipeline.operations.dead_letters import DeadLetterError, StoredLetter, corrected_headers
from pipeline.ports import Headers
from schemas.catalogue import CATALOGUE
from schemas.dead_letter import ErrorCode

EVENT = {
    "specversion": "1.0",
    "id": "o-2",
    "source": "/shop",
    "type": "sales.order.placed",
    "time": "2018-05-01T10:00:00Z",
    "identities": {"order_id": "o-2"},
}
DATA = {"value": 12.5}
STRUCTURED = ("content-type", b"application/cloudevents+json")


class Sent:
    """A record of a source."""

    topic, partition, offset, timestamp, key = "touchpoints.sales", 0, 7, 1_525_168_800_000, b"o-2"

    def __init__(self, headers: Headers, value: bytes) -> None:
        self.headers, self.value = headers, value


def encoded(content: Any) -> bytes:
    return json.dumps(content).encode()


def in_binary_mode(**changes: Any) -> list[tuple[str, bytes | None]]:
    """The headers of EVENT between others; a change to None leaves the attribute out."""
    attributes = {name: value for name, value in (EVENT | changes).items() if value is not None}
    texts = {
        name: value if isinstance(value, str) else json.dumps(value) for name, value in attributes.items()
    }
    return [
        ("traceparent", b"00-1"),
        *((f"ce_{name}", text.encode()) for name, text in texts.items()),
        ("Content-Type", b"application/json"),
        ("region", None),
    ]


def read(headers: Headers, value: bytes) -> Parts:
    """What ingest makes of a record."""
    return read_event(structured(headers, value))


def refused(headers: Headers, value: bytes) -> StoredLetter:
    """The letter of a record that ingest does not take."""
    with pytest.raises(RefusedError) as found:
        read(headers, value)
    letter = dead_letter(Sent(headers, value), found.value, "ingest")
    return StoredLetter(3, letter, Sent.key, value, headers)


def refused_for(path: str, headers: Headers, code: str = "bad_headers") -> StoredLetter:
    told = RefusedError(ErrorCode(code), path, "it was refused for this")
    return StoredLetter(3, dead_letter(Sent(headers, b""), told, "ingest"), Sent.key, b"", headers)


@pytest.mark.parametrize(
    "headers",
    [
        in_binary_mode(id=None),
        in_binary_mode(time="yesterday"),
        in_binary_mode(identities="o-2"),
        [*in_binary_mode(), ("ce_id", b"twice")],
        [*in_binary_mode()[:-2], ("content-type", b"application/avro"), ("region", None)],
    ],
    ids=["no id", "no instant", "identities that are no object", "two ids", "data that is not JSON"],
)
def test_a_whole_event_takes_the_place_of_a_binary_one_with_all_that_was_wrong_in_its_headers(
    headers: Headers,
) -> None:
    letter, corrected = refused(headers, encoded(DATA)), encoded(EVENT | {"data": DATA})
    sent = corrected_headers(letter, corrected)
    assert list(sent) == [("traceparent", b"00-1"), ("region", None), STRUCTURED]
    assert read(sent, corrected) == read([STRUCTURED], corrected)


def test_a_whole_event_takes_the_place_of_one_whose_content_type_said_it_was_something_else() -> None:
    letter = refused([("content-type", b"application/cloudevents+avro"), ("ce_id", b"o-2")], encoded(EVENT))
    assert corrected_headers(letter, encoded(EVENT)) == [STRUCTURED]


def test_a_letter_whose_content_type_says_structured_has_no_data_apart_whatever_headers_it_has() -> None:
    headers = [("Content-Type", b" Application/CloudEvents+JSON; charset=utf-8"), ("ce_id", b"o-2")]
    assert corrected_headers(refused(headers, b"{"), encoded(DATA)) == [STRUCTURED]


def test_an_event_is_no_tick_whatever_the_letter_was() -> None:
    headers = [(TICK_HEADER, b"1525168800000000"), ("region", b"eu")]
    letter = refused_for(f"headers.{TICK_HEADER}", headers)
    assert corrected_headers(letter, encoded(EVENT)) == [("region", b"eu"), STRUCTURED]
    assert corrected_headers(letter, b"") == headers


@pytest.mark.parametrize("corrected", [DATA, [1, 2], "text", None, {"type": "gift", "id": 7}])
def test_data_takes_the_place_of_binary_data_under_the_headers_that_were_right(corrected: Any) -> None:
    headers = in_binary_mode()
    letter = refused(headers, b"{")
    assert letter.letter.path == "data"
    assert corrected_headers(letter, encoded(corrected)) == headers


def test_nothing_takes_the_place_of_binary_data_that_is_better_left_out() -> None:
    headers = in_binary_mode()
    assert corrected_headers(refused(headers, b"{"), b"") == headers
    assert corrected_headers(refused_for("", headers, "oversized"), b"") == headers


@pytest.mark.parametrize("corrected", [encoded(DATA), b""], ids=["data", "nothing"])
def test_data_is_not_sent_again_under_headers_that_were_refused(corrected: bytes) -> None:
    letter = refused(in_binary_mode(id=None), encoded(DATA))
    with pytest.raises(DeadLetterError) as told:
        corrected_headers(letter, corrected)
    assert str(told.value) == (
        "dead letter 3 was refused for id, which was told in its headers, and the correction is data alone; "
        "give the whole event as JSON, with specversion and all other attributes"
    )


@pytest.mark.parametrize("missing", ["specversion", "identities", "id"])
def test_an_event_that_is_not_whole_is_not_taken_for_data(missing: str) -> None:
    """As data it would be accepted, where the headers were right, and nobody would see it."""
    letter = refused(in_binary_mode(), b"{")
    corrected = encoded({name: value for name, value in EVENT.items() if name != missing})
    assert STRUCTURED in corrected_headers(letter, corrected)


def test_a_correction_of_a_binary_event_that_is_not_json_is_told() -> None:
    letter = refused(in_binary_mode(), b"{")
    with pytest.raises(
        DeadLetterError, match=r"correction of dead letter 3 is not JSON \(.+\); give the whole"
    ):
        corrected_headers(letter, b'{"value": 12.5')


def test_no_catalogued_data_has_a_name_by_which_an_event_is_told() -> None:
    names = {name for data in CATALOGUE.values() for name in data.model_fields}
    assert names.isdisjoint({"specversion", "identities"})
