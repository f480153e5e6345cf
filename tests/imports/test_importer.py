"""Rows become touchpoints by the mapping; what can't be mapped is counted, explained and kept."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from importing import EVENT, World, mapping

from pipeline.core.instants import micros
from pipeline.imports.importer import ImportedEvent, Importer
from schemas.touchpoint import Touchpoint

ORDERS = """\
id,at,sent,state,amount
a,2025-01-01 10:00:00,2025-01-03 10:00:00,sent,"12,50"
b,2025-01-02 10:00:00,,open,x
c,2025-01-02 09:00:00,2025-01-02 11:00:00,sent,1
"""


def test_a_row_makes_an_event_for_each_of_its_times_and_all_come_out_in_order(world: World) -> None:
    world.write("orders.csv", ORDERS)
    imported = world.run(
        """\
        name: shop
        tables:
          orders:
            file: orders.csv
            events:
              placed: {type: sales.order.placed, time: at, id: "{id}:placed", identities: {order_id: id}}
              sent: {type: fulfilment.order.sent, time: sent, id: "{id}:sent", identities: {order_id: id}}
        """
    )
    assert imported.ids == ["a:placed", "c:placed", "b:placed", "c:sent", "a:sent"]
    report = imported.report
    assert (report.rows, report.events, report.rejected_rows) == (3, 5, 0)
    assert report.by_event == {"orders.placed": 3, "orders.sent": 2}
    assert report.empty_times == {"orders.sent": 1}
    assert report.newest == micros(datetime(2025, 1, 3, 10, tzinfo=UTC))


def test_an_event_carries_everything_that_the_mapping_says(world: World) -> None:
    world.write("orders.csv", ORDERS)
    (made, *_) = world.table(
        "orders.csv",
        """\
        type: {column: state, values: {sent: fulfilment.order.sent, open: sales.order.opened}}
        time: {column: at, type: instant, zone: Europe/Berlin}
        id: "{id|upper}"
        source: "erp/{state}"
        subject: id
        sequence: {constant: 3}
        outcome: {column: state, values: {sent: success}, otherwise: null}
        identities: {order_id: {template: "no-{id}"}, ticket_id: {constant: t}}
        data:
          amount: {column: amount, type: float}
          due: {column: sent, type: instant, end_of_day: true}
          paid: {constant: false}
        """,
        options='decimal: ","\n',
    ).events
    assert made == {
        "specversion": "1.0",
        "id": "A",
        "source": "erp/sent",
        "type": "fulfilment.order.sent",
        "time": "2025-01-01T09:00:00Z",
        "identities": {"order_id": "no-a", "ticket_id": "t"},
        "subject": "a",
        "sequence": "3",
        "outcome": "success",
        "data": {"amount": 12.5, "due": "2025-01-03T23:59:59.999999Z", "paid": False},
    }
    Touchpoint.model_validate_json(msgspec.json.encode(made))


def test_what_an_event_is_sent_with_is_its_time_its_domain_and_its_first_identity(world: World) -> None:
    world.write("orders.csv", "id,at\nä,1970-01-01 00:00:01\n")
    (event,) = world.importer(mapping("orders.csv")).events()
    assert isinstance(event, ImportedEvent)
    assert (event.time, event.domain, event.key) == (1_000_000, "sales", "ä".encode())


def test_without_an_id_the_file_the_line_and_the_event_make_one(world: World) -> None:
    world.write("orders.csv", "id,at\na,2025-01-01\n")
    imported = world.table("orders.csv", EVENT.replace('id: "{id}"\n', ""))
    assert imported.ids == ["orders.csv:2:placed"]
    assert imported.events[0]["source"] == "shop/orders"


def test_types_can_be_put_together_from_columns(world: World) -> None:
    world.write("log.csv", "id,at,what\na,2025-01-01,Ruft Kunden zurück\nb,2025-01-02,…\n")
    event = EVENT.replace("sales.order.placed", '"service.call.{what|slug}"')
    imported = world.table("log.csv", event)
    assert [made["type"] for made in imported.events] == ["service.call.ruft_kunden_zuruck"]
    ((line, reason),) = imported.reasons
    assert line == 3
    assert reason.startswith("type: 'service.call.' is no touchpoint type")


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("{state: sent}", ["a", "c"]),
        ("{state: [open, lost]}", ["b"]),
        ("{state: {not: sent}}", ["b", "d"]),
        ("{state: {not: [sent, open]}}", ["d"]),
        ("{state: {empty: true}}", ["d"]),
        ("{state: {empty: false}, n: 2}", ["b"]),
        ("{n: {in: [1, 2], not: 2}}", ["a"]),
    ],
)
def test_only_rows_that_meet_all_conditions_make_the_event(
    world: World, condition: str, expected: list[str]
) -> None:
    world.write("o.csv", "id,at,state,n\n" + "".join(f"{row}\n" for row in CONDITIONED))
    imported = world.table("o.csv", f"{EVENT}when: {condition}\n")
    assert imported.ids == expected
    assert imported.report.unmet_conditions == {"orders.placed": 4 - len(expected)}
    assert imported.report.rejected_rows == 0


CONDITIONED = ["a,2025-01-01,sent,1", "b,2025-01-02,open,2", "c,2025-01-03,sent,3", "d,2025-01-04,,4"]


def test_texts_that_mean_nothing_are_empty(world: World) -> None:
    world.write("o.csv", "id,at,n\na,2025-01-01,NULL\nb,0000-00-00,1\n")
    imported = world.table("o.csv", EVENT + "data: {n: n}\n", options='empty: ["", "NULL", "0000-00-00"]\n')
    assert imported.ids == ["a"]
    assert "data" not in imported.events[0]
    assert imported.report.empty_times == {"orders.placed": 1}


CHAINED = """\
name: shop
tables:
  people:
    file: people.jsonl
  orders:
    file: orders.csv
  parcels:
    file: parcels.csv
    events:
      sent:
        type: fulfilment.parcel.sent
        id: "{id}"
        time: {lookup: {table: orders, key: id, by: order, value: at}}
        identities:
          customer_id:
            lookup:
              table: people
              key: number
              by: {lookup: {table: orders, key: id, by: order, value: person}}
              value: mail
              missing: empty
          parcel_id: id
"""


def chained(world: World, **settings: Any) -> Any:
    world.write("people.jsonl", '{"number": 7, "mail": "x@y.z"}\n{"number": 8, "mail": null}\n')
    world.write("orders.csv", "id,at,person\na,2025-01-01,7\nb,2025-01-02,8\nc,2025-01-03,9\n")
    world.write("parcels.csv", "id,order\np1,a\np2,b\np3,c\np4,d\np5,\n")
    return world.run(CHAINED, **settings)


@pytest.mark.parametrize("lookup_keys", [100, 0])
def test_look_ups_lead_from_table_to_table(world: World, lookup_keys: int) -> None:
    imported = chained(world, lookup_keys=lookup_keys)
    assert [(event["id"], event["time"], event["identities"]) for event in imported.events] == [
        ("p1", "2025-01-01T00:00:00Z", {"customer_id": "x@y.z", "parcel_id": "p1"}),
        ("p2", "2025-01-02T00:00:00Z", {"parcel_id": "p2"}),
        ("p3", "2025-01-03T00:00:00Z", {"parcel_id": "p3"}),
    ]
    assert imported.reasons == [(5, "time: no row of orders has id = 'd'")]
    assert imported.report.empty_times == {"parcels.sent": 1}


def test_a_key_whose_rows_differ_is_refused_where_it_is_asked_for(world: World) -> None:
    chained(world)
    world.write(
        "orders.csv", "id,at,person\na,2025-01-01,7\na,2025-01-01,7\nb,2025-01-02,8\nb,2025-01-05,8\n"
    )
    world.write("parcels.csv", "id,order\np1,a\np2,b\n")
    imported = world.run(CHAINED)
    assert imported.ids == ["p1"]
    assert imported.reasons == [(3, "time: rows of orders with id = 'b' differ in at")]


def test_a_key_that_is_no_simple_value_is_told(world: World) -> None:
    chained(world)
    world.write("people.jsonl", '{"number": [7], "mail": "x@y.z"}\n')
    imported = world.run(CHAINED)
    assert imported.rejects[0] == {
        "file": "people.jsonl",
        "line": 1,
        "event": None,
        "reason": "it can't be looked up by people.number: [7] can't be used as text",
        "row": {"number": [7], "mail": "x@y.z"},
    }


def test_broken_rows_of_a_look_up_table_are_told_once(world: World) -> None:
    chained(world)
    world.write("orders.csv", "id,at,person\na,2025-01-01\n")
    world.write("parcels.csv", "id,order\n")
    imported = world.run(CHAINED)
    assert [(each["file"], each["line"], each["event"]) for each in imported.rejects] == [
        ("orders.csv", 2, None)
    ]
    assert imported.report.rejected_rows == 1


def test_broken_rows_of_a_table_that_is_looked_up_and_has_events_are_told_once(world: World) -> None:
    world.write("orders.csv", "id,at,parent\na,2025-01-01,\nb,2025-01-02,a\nc\n")
    parent = "data: {parent: {lookup: {table: orders, key: id, by: parent, value: at}}}\n"
    imported = world.table("orders.csv", EVENT + parent)
    assert imported.ids == ["a", "b"]
    assert imported.events[1]["data"] == {"parent": "2025-01-01"}
    assert imported.reasons == [(4, "the row has 1 columns, but the header has 3")]


PRICED = """\
name: shop
tables:
  orders:
    file: orders.csv
    delimiter: ";"
    decimal: "{orders}"
    empty: ["", "-"]
    events:
      placed:
        type: sales.order.placed
        time: at
        id: "{{id}}"
        identities: {{order_id: id}}
        data:
          paid: {{column: paid, type: float}}
          price: {{lookup: {{table: articles, key: number, by: article, value: price}}, type: float}}
          unit: {{lookup: {{table: articles, key: number, by: article, value: unit}}}}
          refund:
            type: float
            lookup:
              table: refunds
              key: "no"
              by: {{lookup: {{table: articles, key: number, by: article, value: refund}}}}
              value: amount
  articles: {{file: articles.csv, delimiter: ";", decimal: "{articles}", empty: ["n/a"]}}
  refunds: {{file: refunds.csv, delimiter: ";", decimal: "{refunds}"}}
"""


@pytest.mark.parametrize("signs", list(product(".,", repeat=3)))
def test_what_is_looked_up_is_read_as_the_table_writes_it_that_it_comes_from(
    world: World, signs: tuple[str, str, str]
) -> None:
    orders, articles, refunds = signs
    world.write("orders.csv", f"id;at;article;paid\na;2025-01-01;1;12{orders}50\nb;2025-01-02;2;-\n")
    world.write("articles.csv", f"number;price;unit;refund\n1;19{articles}95;-;r\n2;n/a;n/a;n/a\n")
    world.write("refunds.csv", f"no;amount\nr;0{refunds}25\n")
    imported = world.run(PRICED.format(orders=orders, articles=articles, refunds=refunds))
    assert [event.get("data") for event in imported.events] == [
        {"paid": 12.5, "price": 19.95, "unit": "-", "refund": 0.25},
        None,
    ]


COLUMNS = ("f", "b", "e", "a", "d", "c")


def looked_up_by_each(world: World, *people: str) -> Any:
    """Import an order that looks up the name and the age of people by each of COLUMNS."""
    world.write("people.jsonl", "".join(f"{person}\n" for person in people))
    world.write("orders.csv", f"id,at,{','.join(COLUMNS)}\no,2025-01-01,{','.join(COLUMNS)}\n")
    found = (
        f"{by}{value}: {{lookup: {{table: people, key: {by}, by: {by}, value: {value}, missing: empty}}}}"
        for by, value in product(COLUMNS, ("name", "age"))
    )
    event = f"{EVENT}data: {{{', '.join(found)}}}\n"
    return world.run(mapping("orders.csv", event) + "  people: {file: people.jsonl}\n")


def test_a_row_that_can_not_be_looked_up_by_one_column_is_looked_up_by_the_others(world: World) -> None:
    imported = looked_up_by_each(
        world,
        '{"a": [1], "b": "b", "c": [3], "d": "d", "e": [5], "f": "f", "name": "Ann", "age": [40, 41]}',
        '{"a": "a", "b": [2], "c": "c", "d": [4], "e": "e", "f": [6], "name": "Bob", "age": {"in": "May"}}',
    )
    found = {
        **{f"{column}name": name for name, columns in (("Ann", "bdf"), ("Bob", "ace")) for column in columns},
        **{f"{column}age": [40, 41] for column in "bdf"},
        **{f"{column}age": {"in": "May"} for column in "ace"},
    }
    assert imported.events[0]["data"] == found
    assert imported.report.rejected_rows == 2


def test_what_a_row_can_not_be_looked_up_by_is_told_once_each_in_the_order_of_the_mapping(
    world: World,
) -> None:
    imported = looked_up_by_each(
        world, '{"a": [], "b": [], "c": [], "d": [], "e": [], "f": [], "name": "Ann", "age": 4}'
    )
    assert imported.reasons == [
        (1, f"it can't be looked up by people.{column}: [] can't be used as text") for column in COLUMNS
    ]
    assert imported.report.rejected_rows == 1


@pytest.mark.parametrize(
    ("row", "event", "reason"),
    [
        ("a,soon,1", "", "time: 'soon' is not an ISO 8601 time"),
        ("a,1969-12-31,1", "", "time: 1969-12-31T00:00:00+00:00 is before 1970 or in the future"),
        ("a,2026-01-03,1", "", "time: 2026-01-03T00:00:00+00:00 is before 1970 or in the future"),
        (",2025-01-01,1", "", "its id, source or type is empty"),
        ("a,2025-01-01,x", "data: {n: {column: n, type: int}}", "data.n: 'x' is not a whole number"),
        ("a,2025-01-01,x", "outcome: n", "outcome: 'x' is neither success nor failure"),
        (
            "a,2025-01-01,x",
            "subject: {column: n, values: {y: z}}",
            "subject: 'x' is not listed under `values`; add it, or say `otherwise`",
        ),
    ],
)
def test_a_row_that_can_not_be_mapped_is_kept_with_file_line_event_reason_and_row(
    world: World, row: str, event: str, reason: str
) -> None:
    world.write("o.csv", f"id,at,n\nok,2025-01-01,1\n{row}\n")
    if event.startswith("outcome"):
        world.write("o.csv", f"id,at,n\nok,2025-01-01,success\n{row}\n")
    if event.startswith("subject"):
        world.write("o.csv", f"id,at,n\nok,2025-01-01,y\n{row}\n")
    imported = world.table("o.csv", f"{EVENT}{event}\n")
    assert imported.ids == ["ok"]
    (kept,) = imported.rejects
    assert reason in kept.pop("reason")
    assert kept == {
        "file": "o.csv",
        "line": 3,
        "event": "orders.placed",
        "row": dict(zip(("id", "at", "n"), row.split(","), strict=True)),
    }
    (first,) = imported.report.first_rejections
    assert str(first).startswith("o.csv:3: orders.placed: ")


def test_a_row_without_any_identity_is_refused(world: World) -> None:
    world.write("o.csv", "id,at,who\na,2025-01-01,\nb,2025-01-01,  \nc,2025-01-01,x\n")
    imported = world.table("o.csv", EVENT.replace("order_id: id", "customer_id: who"))
    assert imported.ids == ["c"]
    assert {reason for _, reason in imported.reasons} == {
        "all its identities are empty, so that it can't be anybody's"
    }


def test_a_row_that_fails_for_two_events_is_one_rejected_row_with_two_reasons(world: World) -> None:
    world.write("orders.csv", "id,at,sent\na,x,y\nb,x,\n")
    imported = world.run(
        """\
        name: shop
        tables:
          orders:
            file: orders.csv
            events:
              placed: {type: sales.order.placed, time: at, identities: {order_id: id}}
              sent: {type: fulfilment.order.sent, time: sent, identities: {order_id: id}}
        """
    )
    assert imported.report.rejected_rows == 2
    assert [each["event"] for each in imported.rejects] == ["orders.placed", "orders.sent", "orders.placed"]


def test_only_the_first_rejections_are_held_but_all_are_kept(world: World) -> None:
    world.write("o.csv", "id,at\n" + "a,soon\n" * 50)
    imported = world.table("o.csv")
    assert len(imported.rejects) == imported.report.rejected_rows == 50
    assert len(imported.report.first_rejections) == 20


def test_a_clean_import_removes_the_rejects_of_the_one_before(world: World) -> None:
    world.write("o.csv", "id,at\na,soon\n")
    assert len(world.table("o.csv").rejects) == 1
    world.write("o.csv", "id,at\na,2025-01-01\n")
    world.table("o.csv")
    assert not world.rejects_file.exists()


def test_without_a_rejects_file_refused_rows_are_still_counted(world: World) -> None:
    world.write("o.csv", "id,at\na,soon\n")
    imported = world.table("o.csv", rejects=None)
    assert imported.report.rejected_rows == 1


def test_events_after_as_of_are_counted_and_left_out(world: World) -> None:
    world.write("o.csv", "id,at\na,2025-01-01\nb,2025-01-02\nc,2025-01-03\n")
    imported = world.run(mapping("o.csv"), as_of=datetime(2025, 1, 2, tzinfo=UTC))
    assert imported.ids == ["a", "b"]
    assert (imported.report.events, imported.report.after_as_of) == (2, 1)
    assert imported.report.newest == micros(datetime(2025, 1, 3, tzinfo=UTC))


def test_the_newest_time_is_known_before_the_first_event_comes_out(world: World) -> None:
    world.write("o.csv", "id,at\na,2025-01-01\nb,2025-01-02\n")
    importer = world.importer(mapping("o.csv"))
    importer.events()
    assert importer.report.newest == micros(datetime(2025, 1, 2, tzinfo=UTC))


def test_ids_that_come_again_are_counted(world: World) -> None:
    world.write("o.csv", "id,at\na,2025-01-01\na,2025-01-02\nb,2025-01-02\n")
    assert world.table("o.csv").report.repeated_ids == 1
    assert world.table("o.csv", checked_ids=0).report.repeated_ids == 0


def test_an_empty_import_has_no_newest_time(world: World) -> None:
    world.write("o.csv", "id,at\n")
    imported = world.table("o.csv")
    assert (imported.events, imported.report.newest) == ([], None)


def test_events_of_the_same_instant_come_in_the_order_of_their_sequence(world: World) -> None:
    rows = "".join(f"{name},2025-01-01,{number}\n" for name, number in (("b", 10), ("a", 9), ("c", 100)))
    world.write("o.csv", "id,at,n\n" + rows)
    assert world.table("o.csv", EVENT + "sequence: n\n").ids == ["a", "b", "c"]


def test_the_order_is_the_same_with_events_on_disk_and_nothing_is_left_there(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spill = tmp_path / "spill"
    spill.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(spill))
    times = [f"{n},2025-01-01 00:{n * 7 % 60:02d}:{n * 13 % 60:02d}\n" for n in range(10_000)]
    world.write("o.csv", "id,at\n" + "".join(times))
    spilled = world.table("o.csv", in_memory=1000).events
    assert spilled == world.table("o.csv").events
    assert [event["time"] for event in spilled] == sorted(event["time"] for event in spilled)
    assert list(spill.iterdir()) == []


@given(
    rows=st.lists(
        st.lists(st.text(alphabet='a1 ,"-:\n2025é', max_size=10), min_size=2, max_size=3), max_size=15
    )
)
def test_every_row_is_an_event_an_empty_time_or_a_rejection(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
) -> None:
    world = World(tmp_path_factory.getbasetemp() / "accounted")
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    world.write("o.csv", "id,at\n" + "".join(f"{row}\n" for row in quoted))
    imported = world.table("o.csv")
    report = imported.report
    assert report.events + report.empty_times.total() + report.rejected_rows == len(rows)
    assert len(imported.rejects) == report.rejected_rows


def test_a_mapping_can_be_used_with_a_data_folder_again(world: World) -> None:
    world.write("o.csv", "id,at\na,2025-01-01\n")
    loaded = world.load(mapping("o.csv"))
    once, again = (list(Importer(loaded, world.data).events()) for _ in range(2))
    assert once == again
