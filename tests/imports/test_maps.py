"""The journey map on disk: what is right loads, and whatever is wrong is named by line, field and remedy."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.maps import MapError, load_map
from schemas.journey_map import JourneyMap
from schemas.promises import DueWithin

GOOD = """\
version: 1
name: shop
identifiers:
  order_id: {kind: reference, strength: 500}
touchpoints:
  sales.order.placed: {owner: sales}
  fulfilment.order.sent: {owner: warehouse}
  fulfilment.order.delivered: {owner: carrier, touch: supporting}
journeys:
  order:
    key: identities.order_id
    stages:
      transit:
        enter: fulfilment.order.sent
        leave: fulfilment.order.delivered
        expected: 1d 12h
        owner: carrier
    promises:
      delivery:
        made_by: sales.order.placed
        due: {within: 14d}
        met_by:
          - fulfilment.order.delivered
        owed_by: carrier
"""


@pytest.fixture
def map_file(tmp_path: Path) -> Path:
    return tmp_path / "map.yaml"


def problems(path: Path, text: str) -> list[tuple[int, str, str]]:
    path.write_text(dedent(text), encoding="utf-8")
    with pytest.raises(MapError) as caught:
        load_map(path)
    return [(problem.line, problem.field, problem.message) for problem in caught.value.problems]


def changed(path: Path, old: str, new: str) -> tuple[int, str, str]:
    """The one problem of the good map with `old` replaced by `new`."""
    assert GOOD.count(old) == 1
    (problem,) = problems(path, GOOD.replace(old, new))
    return problem


def test_a_good_map_loads_with_its_durations_and_triggers(map_file: Path) -> None:
    map_file.write_text(GOOD, encoding="utf-8")
    order = load_map(map_file).journeys["order"]
    assert order.stages["transit"].expected == timedelta(hours=36)
    assert order.promises["delivery"].due == DueWithin(within=timedelta(days=14))
    assert [trigger.type for trigger in order.stages["transit"].enter] == ["fulfilment.order.sent"]


def test_every_problem_is_a_line_that_names_file_line_and_field(map_file: Path) -> None:
    map_file.write_text(GOOD.replace("owner: sales", "ownr: sales"), encoding="utf-8")
    with pytest.raises(MapError) as caught:
        load_map(map_file)
    assert str(caught.value).splitlines() == [
        f"{map_file}:6: touchpoints.sales.order.placed.owner: this field is missing; add it",
        (
            f"{map_file}:6: touchpoints.sales.order.placed.ownr: there is no field 'ownr' here "
            "(did you mean 'owner'?); the fields are owner, touch, title"
        ),
    ]


def test_a_missing_file_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(MapError) as caught:
        load_map(tmp_path / "none.yaml")
    assert str(caught.value) == f"{tmp_path / 'none.yaml'}:1: there is no such file; check the path"


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        (
            "name: shop",
            "name: My Shop",
            (2, "name"),
            "'My Shop' is not allowed here; a name has lower-case letters",
        ),
        ("version: 1", "version: 2", (1, "version"), "2 is not allowed here; it has to be 1"),
        (
            "expected: 1d 12h",
            "expected: 14",
            (16, "journeys.order.stages.transit.expected"),
            "write a duration as number and unit, such as 30m, 24h or 14d, not 14",
        ),
        (
            "expected: 1d 12h",
            "expected: 0h",
            (16, "journeys.order.stages.transit.expected"),
            "a duration is longer than zero and at most 36500d, not '0h'",
        ),
        (
            "{within: 14d}",
            "{within: 99999999999999999999d}",
            (21, "journeys.order.promises.delivery.due.within"),
            "a duration is longer than zero and at most 36500d",
        ),
        (
            "{within: 14d}",
            "{witin: 14d}",
            (21, "journeys.order.promises.delivery.due"),
            "a due time is `field: data.<name>`, `within: <duration>` or `end_of: next_business_day`; write one of them",
        ),
        (
            "{within: 14d}",
            "{field: identities.order_id}",
            (21, "journeys.order.promises.delivery.due.field"),
            "an instant is read from the touchpoint's data: write data.<name>, not 'identities.order_id'",
        ),
        (
            "touch: supporting",
            "touch: suporting",
            (8, "touchpoints.fulfilment.order.delivered.touch"),
            "'suporting' is not allowed here (did you mean 'supporting'?)",
        ),
        (
            "enter: fulfilment.order.sent",
            "enter: fulfilment.order.send",
            (14, "journeys.order.stages.transit.enter"),
            (
                "the type 'fulfilment.order.send' is not declared; did you mean 'fulfilment.order.sent'? "
                "Otherwise add it under touchpoints, with its owner"
            ),
        ),
        (
            "          - fulfilment.order.delivered",
            "          - {type: fulfilment.order.deliverd}",
            (23, "journeys.order.promises.delivery.met_by.0.type"),
            "the type 'fulfilment.order.deliverd' is not declared; did you mean",
        ),
        (
            "key: identities.order_id",
            "key: identities.order",
            (11, "journeys.order.key"),
            "the identifier kind 'order' is not declared; did you mean 'order_id'? Otherwise add it",
        ),
        (
            "key: identities.order_id",
            "key: order_id",
            (11, "journeys.order.key"),
            "'order_id' is not allowed here; a field is data.<name>, identities.<kind>",
        ),
        (
            "leave: fulfilment.order.delivered",
            "leave: []",
            (15, "journeys.order.stages.transit.leave"),
            "a stage without `leave` is never left, so that everyone in it ends up stuck",
        ),
        (
            "enter: fulfilment.order.sent",
            "enter: []",
            (14, "journeys.order.stages.transit.enter"),
            "a stage without `enter` is never entered; name at least one touchpoint type",
        ),
        (
            "leave: fulfilment.order.delivered",
            "leave: [fulfilment.order.delivered, fulfilment.order.sent]",
            (15, "journeys.order.stages.transit.leave"),
            "'fulfilment.order.sent' both enters and leaves the stage, so that nobody is ever in it",
        ),
        (
            "          - fulfilment.order.delivered",
            "          - sales.order.placed",
            (22, "journeys.order.promises.delivery.met_by"),
            "'sales.order.placed' both makes the promise and is in met_by, which settles it at once",
        ),
        (
            "owner: carrier, touch",
            "owner: 5, touch",
            (8, "touchpoints.fulfilment.order.delivered.owner"),
            "this has to be text, but it is 5",
        ),
        (
            "owed_by: carrier",
            "owed_by: ''",
            (24, "journeys.order.promises.delivery.owed_by"),
            "this is empty; fill it in",
        ),
        (
            "enter: fulfilment.order.sent",
            "enter: {type: fulfilment.order.sent, where: {data.way: {a: b}}}",
            (14, "journeys.order.stages.transit.enter.where.data.way"),
            "this has to be text or a whole number or a number or true or false or a list, but it is `key:",
        ),
        (
            "enter: fulfilment.order.sent",
            "enter: {type: fulfilment.order.sent, where: {identities.parcel: x}}",
            (14, "journeys.order.stages.transit.enter.where.identities.parcel"),
            "the identifier kind 'parcel' is not declared",
        ),
        (
            "  sales.order.placed: {owner: sales}",
            "  sales.order.placed: {owner: sales}\n  sales.order.placed: {owner: shop}",
            (7, "touchpoints.sales.order.placed"),
            "'sales.order.placed' is given twice; keep one of the two",
        ),
        (
            "  sales.order.placed: {owner: sales}",
            "  sales.order.placed: {owner: sales}\n  sale.order.paid: {owner: sales}",
            (7, "touchpoints.sale.order.paid"),
            "a type begins with its domain, and 'sale' is none; did you mean 'sales'?",
        ),
        (
            "strength: 500",
            "strength: 5000",
            (4, "identifiers.order_id.strength"),
            "this has to be less than or equal to 1000",
        ),
    ],
)
def test_a_mistake_is_named_with_line_field_and_remedy(
    map_file: Path, old: str, new: str, place: tuple[int, str], message: str
) -> None:
    found = changed(map_file, old, new)
    assert found[:2] == place
    assert message in found[2]


def test_every_problem_is_told_at_once_and_in_the_order_of_the_file(map_file: Path) -> None:
    text = (
        GOOD.replace("name: shop", "name: The Shop")
        .replace("sales.order.placed: {owner: sales}", "sales.order.placed: {owner: sales, touch: front}")
        .replace("leave: fulfilment.order.delivered", "leave: fulfilment.order.lost")
        .replace("expected: 1d 12h", "expected: soon")
        .replace("owed_by: carrier", "owed: carrier")
        .replace("          - fulfilment.order.delivered", "          - fulfilment.order.found")
    )
    found = problems(map_file, text)
    assert [(line, field) for line, field, _ in found] == [
        (2, "name"),
        (6, "touchpoints.sales.order.placed.touch"),
        (15, "journeys.order.stages.transit.leave"),
        (16, "journeys.order.stages.transit.expected"),
        (19, "journeys.order.promises.delivery.owed_by"),
        (23, "journeys.order.promises.delivery.met_by.0"),
        (24, "journeys.order.promises.delivery.owed"),
    ]


@pytest.mark.parametrize(
    ("said", "field", "message"),
    [
        (
            "normalise: fone",
            "normalise",
            "'fone' is not allowed here (did you mean 'phone'?); it has to be 'text', 'email' or 'phone'",
        ),
        (
            "normalise: phone, region: UK",
            "region",
            "'UK' is no region with phone numbers of its own; write an ISO 3166 code such as DE, AT or GB",
        ),
        (
            "normalise: phone, region: de",
            "region",
            "'de' is no region with phone numbers of its own; did you mean 'DE'? Otherwise write an ISO 3166 code",
        ),
        (
            "region: DE",
            "region",
            (
                "a region is for phone numbers, and this kind is normalised as text; "
                "take the region out, or write `normalise: phone`"
            ),
        ),
        (
            "normalise: phone, case_sensitive: false",
            "case_sensitive",
            "a phone number has no upper and lower case; take case_sensitive out",
        ),
        ("lives: 30", "lives", "write a duration as number and unit, such as 30m, 24h or 14d, not 30"),
        ("lives: 90s", "lives", "a life time is a number of whole minutes; write it as 30m, 24h or 30d"),
        (
            "lives: 30d, unique: true",
            "lives",
            (
                "a unique kind has one value for a person's whole life, and this one has a new one in each period; "
                "take out `lives` or `unique`"
            ),
        ),
    ],
)
def test_what_a_kind_of_identifier_cannot_be_is_refused(
    map_file: Path, said: str, field: str, message: str
) -> None:
    kind = "{kind: reference, strength: 500}"
    line, at, found = changed(map_file, kind, f"{kind[:-1]}, {said}}}")
    assert (line, at) == (4, f"identifiers.order_id.{field}")
    assert found.startswith(message)


def test_a_kind_says_how_it_is_written_and_how_long_it_lives(map_file: Path) -> None:
    kinds = (
        "{kind: reference, strength: 500}\n"
        "  phone: {kind: personal, strength: 1, normalise: phone, region: NO, lives: 2w}"
    )
    map_file.write_text(GOOD.replace("{kind: reference, strength: 500}", kinds), encoding="utf-8")
    phone = load_map(map_file).identifiers["phone"]
    # NO is Norway, and no boolean
    assert (phone.region, phone.lives) == ("NO", timedelta(days=14))
    again = JourneyMap.model_validate_json(load_map(map_file).model_dump_json())
    assert again.identifiers["phone"] == phone


def test_the_same_name_in_two_journeys_is_refused(map_file: Path) -> None:
    stage = "{enter: sales.order.placed, leave: fulfilment.order.sent, owner: sales}"
    second = f"  parcel:\n    key: data.parcel\n    stages:\n      transit: {stage}\n"
    ((line, field, message),) = problems(map_file, GOOD + second)
    assert (line, field) == (28, "journeys.parcel.stages.transit")
    assert message.startswith("the name is already used in journeys.order.stages")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("name: [a\nb: 1\n", 2, "it is not YAML here"),
        ("a: 1\n\tb: 2\n", 2, "it is not YAML here"),
        ("", 1, "the file has to hold `key: value` lines at its top level"),
        ("- a\n", 1, "the file has to hold `key: value` lines at its top level"),
        ("name: *missing\n", 1, "it is not YAML here: found undefined alias"),
        ("? {a: b}\n: c\n", 1, "a key has to be plain text"),
    ],
)
def test_what_is_not_a_yaml_mapping_is_told_with_its_line(
    map_file: Path, text: str, line: int, message: str
) -> None:
    found = problems(map_file, text)
    assert any(at == line and message in told for at, _, told in found)


def test_a_file_that_is_not_text_is_refused(map_file: Path) -> None:
    map_file.write_bytes(b"name: \xff\xfe\n")
    with pytest.raises(MapError, match="write it as UTF-8 text"):
        load_map(map_file)


def test_aliases_that_expand_without_end_are_refused(map_file: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    ((_, _, message),) = problems(map_file, "\n".join(lines))
    assert message == "it is nested too deep, or too large; simplify it"


def test_merges_that_double_with_each_line_are_worked_out_once(map_file: Path) -> None:
    lines = ["a0: &a0 {k: v}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 40)]
    assert any("there is no field 'a39'" in message for _, _, message in problems(map_file, "\n".join(lines)))


def test_a_mapping_that_merges_itself_has_what_else_it_says(map_file: Path) -> None:
    map_file.write_text(GOOD.replace("{owner: sales}", "&own {<<: *own, owner: sales}"), encoding="utf-8")
    assert load_map(map_file).touchpoints["sales.order.placed"].owner == "sales"


def test_a_merged_key_that_is_no_text_is_told_where_it_stands(map_file: Path) -> None:
    found = problems(map_file, "name: &a {[1]: x}\ntitle: {<<: *a}\n")
    assert [line for line, _, message in found if "a key has to be plain text" in message] == [1]


@pytest.mark.parametrize("text", ["%YAML 9.9\n---\nname: x\n", "%YAML 1.9\n---\nname: x\n"])
def test_a_directive_that_no_parser_knows_is_a_problem_and_no_traceback(map_file: Path, text: str) -> None:
    ((_, _, message),) = problems(map_file, text)
    assert message.startswith("it is not YAML")


def test_a_number_beyond_64_bits_is_told_and_not_too_long(map_file: Path) -> None:
    line, field, message = changed(map_file, "strength: 500", "strength: 0x" + "f" * 5000)
    assert (line, field) == (4, "identifiers.order_id.strength")
    assert message.startswith("this has to be a whole number, but it is '0xfff")
    assert len(message) < 200
    # and as a version, where what is near would be looked for
    assert problems(map_file, GOOD.replace("version: 1", "version: 0x" + "f" * 5000))


def test_a_problem_quotes_no_more_than_can_be_read(map_file: Path) -> None:
    map_file.write_text(GOOD + "x" * 9000 + ": 1\n", encoding="utf-8")
    with pytest.raises(MapError) as caught:
        load_map(map_file)
    assert len(str(caught.value)) < 1500


def test_nesting_without_end_is_refused(map_file: Path) -> None:
    for text in ("name: " + "[" * 5000 + "]" * 5000, "name: " + "[" * 60 + "]" * 60):
        ((_, _, message),) = problems(map_file, text)
        assert message == "it is nested too deep, or too large; simplify it"


def test_a_tag_that_its_text_does_not_fit_leaves_the_text(map_file: Path) -> None:
    line, field, message = changed(map_file, "strength: 500", "strength: !!int many")
    assert (line, field) == (4, "identifiers.order_id.strength")
    assert message == "this has to be a whole number, but it is 'many'"


def test_merged_keys_give_way_to_own_ones(map_file: Path) -> None:
    text = GOOD.replace("{owner: sales}", "&base {owner: sales, touch: indirect}").replace(
        "{owner: warehouse}", "{<<: *base, owner: warehouse}"
    )
    map_file.write_text(text, encoding="utf-8")
    sent = load_map(map_file).touchpoints["fulfilment.order.sent"]
    assert (sent.owner, sent.touch) == ("warehouse", "indirect")


@given(text=st.text(max_size=200) | st.text(alphabet=":-{}[]&*?|>!%@`\"'#\n ab", max_size=60))
def test_any_text_at_all_is_refused_with_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(text, encoding="utf-8", errors="replace", newline="")
    with pytest.raises(MapError) as caught:
        load_map(path)
    assert all(problem.message and problem.line >= 1 for problem in caught.value.problems)
