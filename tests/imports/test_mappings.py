"""The mapping on disk: what is right loads, and whatever is wrong is named before a row is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from importing import EVENT, World, mapping

from pipeline.imports.mapping import MappingError, load_mapping
from pipeline.imports.templates import slug

GOOD = """\
name: shop
zone: Europe/Berlin
tables:
  customers:
    file: customers.csv
  orders:
    file: orders.csv
    events:
      placed:
        type: sales.order.placed
        time: at
        id: "{id}:placed"
        identities:
          order_id: id
          customer_id: {lookup: {table: customers, key: id, by: customer, value: number}}
        data:
          amount: {column: amount, type: float}
      sent:
        type: fulfilment.order.sent
        time: {column: sent, type: instant, format: "%d.%m.%Y"}
        id: "{id}:sent"
        identities: {order_id: id}
"""


def problems(world: World, text: str) -> list[tuple[int, str, str]]:
    with pytest.raises(MappingError) as caught:
        world.load(text)
    return [(problem.line, problem.field, problem.message) for problem in caught.value.problems]


def test_a_good_mapping_loads_and_tells_its_domains(world: World) -> None:
    assert world.load(GOOD).content.domains() == ("sales", "fulfilment")


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        (
            "zone: Europe/Berlin",
            "zone: Europe/Berln",
            (2, "zone"),
            "there is no time zone 'Europe/Berln' (did you mean 'Europe/Berlin'?)",
        ),
        (
            "file: customers.csv",
            "file: ../customers.csv",
            (5, "tables.customers.file"),
            "a file is named from the data folder on, without `..`",
        ),
        ("file: customers.csv", "fil: customers.csv", (4, "tables.customers.file"), "this field is missing"),
        (
            "file: orders.csv",
            "file: orders.csv\n    format: cvs",
            (8, "tables.orders.format"),
            "'cvs' is not allowed here (did you mean 'csv'?)",
        ),
        (
            "file: orders.csv",
            "file: orders.csv\n    delimiter: '::'",
            (8, "tables.orders.delimiter"),
            "this has to be one character, but it is '::'",
        ),
        (
            "file: orders.csv",
            "file: orders.csv\n    encoding: utf-88",
            (8, "tables.orders.encoding"),
            "there is no text encoding 'utf-88'",
        ),
        (
            "type: sales.order.placed",
            "type: sales.placed",
            (10, "tables.orders.events.placed.type"),
            "'sales.placed' is no touchpoint type; write domain.object.verb",
        ),
        (
            "type: sales.order.placed",
            "type: sale.order.placed",
            (10, "tables.orders.events.placed.type"),
            "a type begins with its domain, and 'sale' is none (did you mean 'sales'?)",
        ),
        (
            "type: sales.order.placed",
            'type: "{kind}.order.placed"',
            (10, "tables.orders.events.placed.type"),
            "a type begins with its domain, and '{kind}' is none",
        ),
        (
            "type: sales.order.placed",
            "type: {column: kind}",
            (10, "tables.orders.events.placed.type"),
            "which types may come is not known; add `values`",
        ),
        (
            "type: sales.order.placed",
            "type: {column: kind, values: {a: sales.order.placed, b: sales.order}}",
            (10, "tables.orders.events.placed.type.values.b"),
            "'sales.order' is no touchpoint type",
        ),
        (
            "type: sales.order.placed",
            "type: {column: kind, values: {a: sales.order.placed}, otherwise: shop.order.other}",
            (10, "tables.orders.events.placed.type.otherwise"),
            "a type begins with its domain, and 'shop' is none",
        ),
        (
            'id: "{id}:placed"',
            'id: "{id:placed"',
            (12, "tables.orders.events.placed.id"),
            "a brace is left open in '{id:placed'",
        ),
        (
            'id: "{id}:placed"',
            'id: "{id|slg}"',
            (12, "tables.orders.events.placed.id"),
            "there is no filter 'slg'; the filters are slug, lower, upper",
        ),
        (
            'id: "{id}:sent"',
            'id: "{id}:placed"',
            (21, "tables.orders.events.sent.id"),
            "the same as in tables.orders.events.placed: one would count as a copy of the other",
        ),
        (
            "table: customers",
            "table: customer",
            (15, "tables.orders.events.placed.identities.customer_id.lookup.table"),
            "there is no table 'customer' (did you mean 'customers'?); the tables are customers, orders",
        ),
        (
            "{column: amount, type: float}",
            "{column: amount, constant: 5}",
            (17, "tables.orders.events.placed.data.amount"),
            "column and constant are given; a value comes from exactly one of",
        ),
        (
            "{column: amount, type: float}",
            "{type: float}",
            (17, "tables.orders.events.placed.data.amount"),
            "no source is given; a value comes from exactly one of column, constant, template, lookup",
        ),
        (
            "{column: amount, type: float}",
            "{column: amount, zone: UTC}",
            (17, "tables.orders.events.placed.data.amount"),
            "format, zone and end_of_day are for instants",
        ),
        (
            "{column: amount, type: float}",
            "{column: amount, otherwise: 1}",
            (17, "tables.orders.events.placed.data.amount"),
            "`otherwise` is for what `values` does not list",
        ),
        (
            "{column: amount, type: float}",
            "{column: amount, type: money}",
            (17, "tables.orders.events.placed.data.amount.type"),
            "'money' is not allowed here",
        ),
        (
            "{column: amount, type: float}",
            "5",
            (17, "tables.orders.events.placed.data.amount"),
            "this has to be `key: value` lines, but it is 5",
        ),
        (
            "%d.%m.%Y",
            "dd.mm.yyyy",
            (20, "tables.orders.events.sent.time.format"),
            "this is no time format; write one of iso, epoch_s",
        ),
        (
            "identities: {order_id: id}",
            "identities: {}",
            (22, "tables.orders.events.sent.identities"),
            "this is empty; fill it in",
        ),
        (
            "identities: {order_id: id}",
            "identity: {order_id: id}\n        identities: {order_id: id}",
            (22, "tables.orders.events.sent.identity"),
            "there is no field 'identity' here (did you mean 'identities'?)",
        ),
    ],
)
def test_a_mistake_is_named_with_line_field_and_remedy(
    world: World, old: str, new: str, place: tuple[int, str], message: str
) -> None:
    assert GOOD.count(old) == 1
    found = problems(world, GOOD.replace(old, new))
    assert place in [each[:2] for each in found]
    assert any(each[:2] == place and message in each[2] for each in found)


def test_a_mapping_without_events_is_refused(world: World) -> None:
    ((line, field, message),) = problems(world, "name: shop\ntables:\n  a:\n    file: a.csv\n")
    assert (line, field) == (2, "tables")
    assert message.startswith("no table has events, so that nothing would be imported")


def test_all_problems_are_told_at_once(world: World) -> None:
    text = GOOD.replace("float", "money").replace("table: customers", "table: clients").replace("Berlin", "B")
    text = text.replace("type: fulfilment.order.sent", "kind: fulfilment.order.sent")
    assert [field for _, field, _ in problems(world, text)] == [
        "zone",
        "tables.orders.events.placed.identities.customer_id.lookup.table",
        "tables.orders.events.placed.data.amount.type",
        "tables.orders.events.sent.type",
        "tables.orders.events.sent.kind",
    ]


def test_missing_columns_are_told_with_those_of_the_file_before_a_row_is_read(world: World) -> None:
    world.write("orders.csv", "id,customr,at,sent_on\nbroken\n")
    world.write("customers.csv", "id,nr\n")
    with pytest.raises(MappingError) as caught:
        world.run(GOOD)
    assert [(problem.line, problem.field) for problem in caught.value.problems] == [
        (15, "tables.orders.events.placed.identities.customer_id.lookup.by"),
        (15, "tables.orders.events.placed.identities.customer_id.lookup.value"),
        (17, "tables.orders.events.placed.data.amount.column"),
        (20, "tables.orders.events.sent.time.column"),
    ]
    messages = {problem.field.rpartition(".")[2]: problem.message for problem in caught.value.problems}
    assert messages["by"] == (
        "orders.csv has no column 'customer' (did you mean 'customr'?); "
        "its columns are id, customr, at, sent_on"
    )
    assert not world.rejects_file.exists()


def test_a_file_that_is_not_there_is_told_with_those_that_are(world: World) -> None:
    world.write("orders.csv.gz", b"")
    with pytest.raises(MappingError) as caught:
        world.table("orders.csv")
    (problem,) = caught.value.problems
    assert (problem.line, problem.field) == (4, "tables.orders.file")
    assert "matches 'orders.csv' (did you mean 'orders.csv.gz'?); it has orders.csv.gz" in problem.message


def test_an_empty_data_folder_is_told_as_such(world: World) -> None:
    with pytest.raises(MappingError, match="it is empty or not there"):
        world.table("orders.csv")


def test_a_column_that_no_json_line_has_is_told(world: World) -> None:
    world.write("orders.jsonl", '{"id": "a", "time": "2025-01-02"}\n' * 1200)
    with pytest.raises(MappingError) as caught:
        world.table("orders.jsonl")
    (problem,) = caught.value.problems
    assert problem.message == "orders.jsonl has no column 'at'; its columns are id, time"


def test_an_optional_column_may_be_missing_and_is_empty_then(world: World) -> None:
    world.write("orders.csv", "id,at\na,2025-01-02\n")
    event = EVENT + "data: {note: note}\n"
    (made,) = world.table("orders.csv", event, options="optional: [note]\n").events
    assert "data" not in made


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("W_Valideren aanvraag", "w_valideren_aanvraag"),
        ("Straßen-Übergang (neu)", "straen_ubergang_neu"),
        ("311 call", "n_311_call"),
        ("--", ""),
    ],
)
def test_a_slug_fits_into_a_type(text: str, expected: str) -> None:
    assert slug(text) == expected


@given(text=st.text(alphabet="{}|ab:", max_size=20))
def test_any_template_is_taken_or_refused_by_line(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "template.yaml"
    path.write_text(mapping("a.csv").replace('id: "{id}"', f"id: '{text}'"), encoding="utf-8")
    try:
        load_mapping(path)
    except MappingError as error:
        assert [problem.line for problem in error.problems] == [9]  # noqa: PT017 - both ways are right
