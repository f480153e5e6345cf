"""Links from a table: all of it is right, or nothing is sent and every wrong line is named."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from pipeline.core.tokens import Tokens
from pipeline.operations.identity_words import Identifier, import_link
from pipeline.operations.link_table import Link, LinkTableError, check_links, read_links
from pipeline.operations.sources import SourceWriter
from schemas.identifiers import DEFAULT_IDENTIFIERS

KINDS = DEFAULT_IDENTIFIERS | {
    "email": DEFAULT_IDENTIFIERS["email"].model_copy(update={"blocked": ("nobody@b.c",)})
}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "links.csv"


def test_a_table_is_read_with_and_without_times(table: Path) -> None:
    table.write_text(
        '﻿one,other,time\nemail=a@b.c,customer_id=7,2026-05-01T12:00:00+02:00\n"customer_id=a,b",phone=+49 30 901820,\n',
        "utf-8",
    )
    assert check_links(table, KINDS, Tokens("a secret key", KINDS).identify) == 2
    ann, other = read_links(table)
    assert ann == Link(
        Identifier("email", "a@b.c"), Identifier("customer_id", "7"), datetime(2026, 5, 1, 10, tzinfo=UTC)
    )
    assert other == Link(Identifier("customer_id", "a,b"), Identifier("phone", "+49 30 901820"), None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "email,customer_id\n",
            ":1: the first line names the columns: one,other or one,other,time; it has email, cust",
        ),
        ("", ":1: the first line names the columns: one,other or one,other,time; it has nothing"),
        ("one,other\nann,email=a@b.c\n", ":2: 'ann' is no identifier; write KIND=VALUE"),
        ("one,other\nemail=a@b.c\n", ":2: '' is no identifier; write KIND=VALUE"),
        ("one,other\nemail=a,customer_id=7,x\n", ":2: it has more values than there are columns; quote"),
        (
            "one,other\nemail=a@b.c,order_id=7\n",
            ":2: order_id=7 is a reference, which belongs to one person anyway; name two of cookie, cust",
        ),
        ("one,other\nemail=ann,customer_id=7\n", ":2: email=ann is no e-mail address (write it alone"),
        ("one,other\nemail=a@b.c,email=a@b.c\n", ":2: email=a@b.c and email=a@b.c are the same identifier"),
        ("one,other\nemail=a@b.c,email=A@B.C\n", ":2: email=a@b.c and email=A@B.C are the same identifier"),
        (
            "one,other\nemial=a@b.c,customer_id=7\n",
            ":2: the journey map has no identifier kind 'emial' (did you mean 'email'?); it has cookie",
        ),
        (
            "one,other\nemail=nobody@b.c,customer_id=7\n",
            ":2: email=nobody@b.c is blocked in the journey map: whoever writes it is nobody",
        ),
        (
            "one,other,time\nemail=a,email=b,yesterday\n",
            ":2: 'yesterday' is no time; write an RFC 3339 instant",
        ),
        (
            "one,other,time\nemail=a,email=b,2999-01-01T00:00:00Z\n",
            ":2: '2999-01-01T00:00:00Z' is before 1970 or in",
        ),
        ('one,other\n"email=a,email=b\n', "can't be read as a CSV file in UTF-8 (unexpected end of data)"),
    ],
)
def test_what_is_wrong_is_named_with_its_line_and_the_remedy(table: Path, text: str, said: str) -> None:
    table.write_text(text, "utf-8")
    with pytest.raises(LinkTableError) as caught:
        check_links(table, KINDS, Tokens("a secret key", KINDS).identify)
    assert said in str(caught.value)


def test_all_wrong_lines_are_told_but_no_more_than_one_can_read(table: Path) -> None:
    table.write_text("one,other\n" + "ann,bob\n" * 30, "utf-8")
    with pytest.raises(LinkTableError, match=r":21: .*\n… and 10 more\nnothing was sent"):
        check_links(table, KINDS, Tokens("a secret key", KINDS).identify)


def test_a_file_that_is_no_text_or_not_there_is_told(table: Path) -> None:
    with pytest.raises(LinkTableError, match="can't be read"):
        check_links(table, KINDS, Tokens("a secret key", KINDS).identify)
    table.write_bytes(b"one,other\n\xff\n")
    with pytest.raises(LinkTableError, match="in UTF-8"):
        check_links(table, KINDS, Tokens("a secret key", KINDS).identify)


class Kept:
    """Keeps what is sent to a source topic: domain, key and event."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes, dict[str, Any]]] = []

    def send(self, domain: str, key: bytes, value: bytes) -> None:
        self.sent.append((domain, key, json.loads(value)))


def test_a_link_has_an_id_that_says_nothing_without_the_key_and_is_the_same_for_the_same_line() -> None:
    kept, other_key = Kept(), Kept()
    ann, seven = Identifier("email", "a@b.c"), Identifier("customer_id", "7")
    may, june = (datetime(2026, month, 1, tzinfo=UTC) for month in (5, 6))
    for one, other, time in [(ann, seven, may), (seven, ann, may), (ann, seven, june), (ann, seven, None)]:
        import_link(cast("SourceWriter", kept), one, other, time, secret="a test's key")
    import_link(cast("SourceWriter", other_key), ann, seven, may, secret="another key")
    ids = [event["id"] for _, _, event in kept.sent]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3
    assert other_key.sent[0][2]["id"] not in ids
    assert all((domain, key.decode()) == ("service", event["id"]) for domain, key, event in kept.sent)
