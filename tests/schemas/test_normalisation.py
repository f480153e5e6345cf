"""One form for each identifier: whatever equal people write, it is the same, and what can be nobody's is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from laws import examples

from schemas.identifiers import DEFAULT_IDENTIFIERS, IdentifierKind
from schemas.normalisation import regions


def of(**said: object) -> Callable[[str], str]:
    return IdentifierKind.model_validate({"kind": "personal", "strength": 1, **said}).normaliser()


GERMAN = of(normalise="phone", region="DE")
ABROAD = of(normalise="phone")
EMAIL = of(normalise="email", case_sensitive=False)
EXACT_EMAIL = of(normalise="email")
TEXT = of()
LOWER = of(case_sensitive=False)


@pytest.mark.parametrize(
    "written",
    [
        " +49 (0)30 901820 ",
        "030 901820",
        "0049 30 901820",
        "+4930901820",
        "(030) 90 18 20",
        "030/901820",
        "tel:+49-30-901820",
        "\u0660\u0663\u0660 \u0669\u0660\u0661\u0668\u0662\u0660",
        "\uff0b49 30 901820",
        "+49 00 30 901820",
    ],
)
def test_one_number_is_one_however_it_is_written(written: str) -> None:
    assert GERMAN(written) == "+4930901820"


def test_a_number_in_national_form_is_one_of_the_kinds_region_and_none_without() -> None:
    assert of(normalise="phone", region="AT")("0660 1234567") == "+436601234567"
    assert of(normalise="phone", region="US")("(415) 555-0132") == "+14155550132"
    assert ABROAD("+43 660 1234567") == GERMAN("+43 660 1234567") == "+436601234567"
    with pytest.raises(ValueError, match=r"in international form, such as \+49 30 901820\)$"):
        ABROAD("0660 1234567")


def test_two_extensions_of_one_switchboard_are_two() -> None:
    assert GERMAN("030 901820 ext. 12") == GERMAN("tel:+49-30-901820;ext=12") == "+4930901820;ext=12"
    assert GERMAN("030 901820 ext. 13") != GERMAN("030 901820 ext. 12")


@pytest.mark.parametrize("written", ["ask Ann", "110", "12", "+49", "030 901820 and 0170 1234567", "0" * 300])
def test_what_nobody_can_be_called_by_is_no_phone_number(written: str) -> None:
    with pytest.raises(ValueError, match=r"no possible phone number .*, or as it is dialled within DE\)$"):
        GERMAN(written)


def test_a_number_without_its_area_code_is_somebody_elses_in_every_town() -> None:
    with pytest.raises(ValueError, match="no possible phone number"):
        of(normalise="phone", region="US")("555-0132")


@pytest.mark.parametrize(
    ("written", "form"),
    [
        (" Ann@Example.COM\t", "ann@example.com"),
        ("ann@b\u00fccher.example", "ann@xn--bcher-kva.example"),
        ("ann@BU\u0308CHER\u3002example", "ann@xn--bcher-kva.example"),
        ("ann@XN--bcher-kva.example", "ann@xn--bcher-kva.example"),
        ("Zoe\u0301@example.com", "zo\u00e9@example.com"),
        ("a.n.n+shop@gmail.com", "a.n.n+shop@gmail.com"),
        ("ann@localhost", "ann@localhost"),
        ("o'neill..x@my_host.example", "o'neill..x@my_host.example"),
    ],
)
def test_one_address_is_one_however_it_is_written(written: str, form: str) -> None:
    assert EMAIL(written) == form


def test_only_the_domain_is_in_lower_case_if_case_matters() -> None:
    assert EXACT_EMAIL("Ann@Example.com") == "Ann@example.com"


@pytest.mark.parametrize(
    "written",
    [
        "ann",
        "@example.com",
        "ann@",
        "ann@a@b",
        "Ann <ann@example.com>",
        "mailto:ann@example.com",
        "ann@example.com;bert@example.com",
        "ann @example.com",
        "ann\u200b@example.com",
        "ann@\u2488example",
    ],
)
def test_what_is_not_one_bare_address_is_no_address(written: str) -> None:
    with pytest.raises(ValueError, match=r"^no e-mail address"):
        EMAIL(written)


@given(value=st.text(alphabet="qxz", min_size=2), normalise=st.sampled_from([EMAIL, GERMAN, ABROAD]))
def test_no_message_quotes_what_was_written(value: str, normalise: Callable[[str], str]) -> None:
    with pytest.raises(ValueError, match=r"^no ") as refused:
        normalise(value)
    assert value not in str(refused.value)


def test_text_is_trimmed_and_composed_and_in_lower_case_if_case_does_not_matter() -> None:
    assert TEXT(" Zoe\u0301 \n") == "Zo\u00e9"
    assert LOWER(" ZOE\u0301 ") == "zo\u00e9"


def test_the_default_kinds_know_their_forms() -> None:
    assert DEFAULT_IDENTIFIERS["email"].normaliser()("Ann@Example.com") == "ann@example.com"
    assert DEFAULT_IDENTIFIERS["phone"].normaliser()("+49 30 901820") == "+4930901820"
    assert DEFAULT_IDENTIFIERS["order_id"].normaliser()(" O-1 ") == "O-1"


DIGITS = st.text(alphabet="0123456789 +-()/.x#;*=", max_size=24)
NUMBERS = st.tuples(st.sampled_from(["", "+", "00", "+49", "+54 9", "+39", "+1"]), DIGITS).map("".join)
ADDRESSES = st.tuples(st.text(), st.text() | st.text(alphabet="abX.-_\u00df\u00fc\u3002\u200dn1\uff11")).map(
    "@".join
)


@settings(max_examples=examples(300), deadline=None)
@given(value=st.text() | st.text(alphabet="aA\u00c4\u00df\u0130\u03a3\u03c2\u0301\u0308\u0345 \u2167"))
def test_the_form_of_a_text_is_its_own_form(value: str) -> None:
    for normalise in (TEXT, LOWER):
        assert normalise(normalise(value)) == normalise(value)


@settings(max_examples=examples(300), deadline=None)
@given(value=ADDRESSES | st.text())
def test_the_form_of_an_address_is_its_own_form(value: str) -> None:
    for normalise in (EMAIL, EXACT_EMAIL):
        holds_its_form(normalise, normalise, value)


@settings(max_examples=examples(500), deadline=None)
@given(
    value=NUMBERS | st.text(),
    region=st.sampled_from(sorted(regions())),
    other=st.sampled_from(sorted(regions())),
)
@example(value="+595 0024 987631", region="PY", other="AR")
def test_the_form_of_a_number_is_its_own_form_in_every_region(value: str, region: str, other: str) -> None:
    here, there = of(normalise="phone", region=region), of(normalise="phone", region=other)
    holds_its_form(here, there, value)


def holds_its_form(first: Callable[[str], str], again: Callable[[str], str], value: str) -> None:
    try:
        form = first(value)
    except ValueError:
        return
    assert again(form) == form
