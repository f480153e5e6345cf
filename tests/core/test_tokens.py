"""Identifiers, their tokens, and the persons and partitions that follow from them."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.tokens import Tokens, kind_of, partition_of_person, partition_of_token, person_of
from schemas.journey_map import IdentifierKind

KINDS = {
    "email": IdentifierKind(kind="personal", strength=700, case_sensitive=False),
    "customer_id": IdentifierKind(kind="personal", strength=900),
    "order_id": IdentifierKind(kind="reference", strength=500),
}
TOKENS = Tokens("a test's key", KINDS)


@pytest.mark.parametrize("value", ["anna@example.com", "Anna@Example.com", " anna@example.com\t"])
def test_an_email_is_the_same_in_any_case_and_with_blanks_around_it(value: str) -> None:
    assert TOKENS.identify("email", value) == (TOKENS.token("email", "anna@example.com"), "anna@example.com")


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


@given(kind=st.sampled_from([*KINDS, "other"]), value=st.text(), partitions=st.integers(1, 64))
def test_a_person_lives_in_the_partition_of_the_number_of_its_token(
    kind: str, value: str, partitions: int
) -> None:
    token = TOKENS.token(kind, value)
    person = person_of(token)
    assert kind_of(token) == kind
    assert (UUID(person).version, UUID(person).variant) == (8, "specified in RFC 4122")
    assert 0 <= partition_of_token(token, partitions) < partitions
    assert partition_of_person(person, partitions) == partition_of_token(token, partitions)


def test_forgetting_an_identifier_does_not_change_its_token() -> None:
    forgetful = Tokens("a test's key", KINDS, remember=1)
    first = forgetful.token("order_id", "1")
    forgetful.token("order_id", "2")
    assert forgetful.token("order_id", "1") == first
