"""Identifiers, their tokens, and the persons and partitions that follow from them."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.core.instants import DAY, MINUTE, parse_instant
from pipeline.core.tokens import (
    BLANK,
    BLOCKED,
    Tokens,
    kind_of,
    partition_of_person,
    partition_of_token,
    person_of,
    slot_of,
)
from schemas.identifiers import IdentifierKind

KINDS = {
    "email": IdentifierKind(kind="personal", strength=700, normalise="email", case_sensitive=False),
    "phone": IdentifierKind(
        kind="personal", strength=600, normalise="phone", region="DE", blocked=["n/a", "030 901820"]
    ),
    "cookie": IdentifierKind(kind="personal", strength=300, lives=timedelta(days=30)),
    "customer_id": IdentifierKind(kind="personal", strength=900),
    "order_id": IdentifierKind(kind="reference", strength=500),
}
TOKENS = Tokens("a test's key", KINDS)


@pytest.mark.parametrize("value", ["anna@example.com", "Anna@Example.com", " anna@example.com\t"])
def test_an_email_is_the_same_in_any_case_and_with_blanks_around_it(value: str) -> None:
    found = TOKENS.identify("email", value, 0)
    assert found == (TOKENS.token("email", "anna@example.com"), "anna@example.com", "")


def test_case_matters_where_the_kind_says_so_and_where_the_map_does_not_name_the_kind() -> None:
    assert TOKENS.token("customer_id", "a") != TOKENS.token("customer_id", "A")
    assert TOKENS.token("loyalty", "a") != TOKENS.token("loyalty", "A")


def test_the_same_value_of_two_kinds_is_two_persons() -> None:
    assert person_of(TOKENS.token("customer_id", "7")) != person_of(TOKENS.token("order_id", "7"))


def test_a_token_depends_on_the_key_and_a_long_key_is_no_error() -> None:
    other = Tokens("another key " * 20, KINDS)
    assert other.token("email", "a@example.com") != TOKENS.token("email", "a@example.com")


def test_a_token_never_changes_between_releases() -> None:
    # persons are kept for ever under these: a change here makes every customer another one
    token = TOKENS.token("email", "anna@example.com")
    assert token == "email:5e1b13571036f8c90e98eab2a764bcfb"
    assert person_of(token) == "5e1b1357-1036-88c9-8e98-eab2a764bcfb"


@given(
    kind=st.sampled_from([*KINDS, "other"]),
    value=st.one_of(st.text(), st.sampled_from(["a@b.c", "+4930901821"])),
    at=st.integers(-(2**50), 2**57),
    partitions=st.integers(1, 64),
)
def test_a_person_lives_in_the_partition_of_the_number_of_its_token(
    kind: str, value: str, at: int, partitions: int
) -> None:
    token = TOKENS.identify(kind, value, at)[0]
    assume(token)
    person = person_of(token)
    assert kind_of(token) == kind_of(slot_of(token)) == kind
    assert (UUID(person).version, UUID(person).variant) == (8, "specified in RFC 4122")
    assert 0 <= partition_of_token(token, partitions) < partitions
    assert partition_of_person(person, partitions) == partition_of_token(token, partitions)


def test_forgetting_an_identifier_does_not_change_its_token() -> None:
    forgetful = Tokens("a test's key", KINDS, remember=1)
    first = forgetful.token("order_id", "1")
    forgetful.token("order_id", "2")
    assert forgetful.token("order_id", "1") == first


def test_what_is_no_identifier_has_no_token_and_says_why_without_its_value() -> None:
    assert TOKENS.identify("email", " ", 0) == ("", "", BLANK)
    assert TOKENS.identify("other", " ", 0) == ("", "", BLANK)
    assert TOKENS.identify("email", " Unknown", 0) == ("", "Unknown", BLOCKED)
    token, value, wrong = TOKENS.identify("phone", " ask Ann ", 0)
    assert (token, value) == ("", "ask Ann")
    assert wrong.startswith("no possible phone number")
    assert "Ann" not in wrong
    with pytest.raises(ValueError, match=r"^the value is no possible phone number"):
        TOKENS.token("phone", "ask Ann")


@pytest.mark.parametrize("written", ["030 901820", "+49 30 90 18 20", "0049 30 901820", "N/A"])
def test_a_blocked_value_is_blocked_however_it_is_written(written: str) -> None:
    assert TOKENS.identify("phone", written, 0)[2] == BLOCKED
    assert TOKENS.identify("phone", "030 901821", 0)[2] == ""


def test_an_identifier_with_a_life_time_is_another_in_each_period_from_its_first_moment_to_its_last() -> None:
    begin = 660 * 30 * DAY
    periods = [begin - 1, begin, begin + 30 * DAY - 1, begin + 30 * DAY]
    before, first, last, after = [TOKENS.token("cookie", "k", at) for at in periods]
    assert first == last
    assert len({before, first, after}) == len({person_of(token) for token in (before, first, after)}) == 3
    assert slot_of(first) == f"cookie:{begin // MINUTE}"


def test_a_token_with_a_life_time_never_changes_between_releases() -> None:
    token = TOKENS.token("cookie", "k", parse_instant("2026-03-01T12:00:00Z"))
    assert token == "cookie:29505600:502f6cead2c9438cc7c76fb72ec359ec"


def test_a_kind_without_a_life_time_has_one_token_at_all_times() -> None:
    assert len({TOKENS.token("customer_id", "7", at) for at in (0, DAY, 20_000 * DAY)}) == 1


@given(
    values=st.tuples(st.text(), st.text()),
    days=st.tuples(st.integers(0, 120), st.integers(0, 120)),
)
def test_two_are_the_same_only_by_the_same_value_in_the_same_period(
    values: tuple[str, str], days: tuple[int, int]
) -> None:
    one, other = (
        TOKENS.identify("cookie", *each) for each in zip(values, [d * DAY for d in days], strict=True)
    )
    assume(one[0] and other[0])
    assert (one[0] == other[0]) == (one[1] == other[1] and days[0] // 30 == days[1] // 30)
