"""Files of every format are read with the lines of their rows; what is broken is told, not dropped."""

from __future__ import annotations

import gzip
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from importing import EVENT, World, mapping

from pipeline.imports.csv_files import CsvFile
from pipeline.imports.importer import Importer
from pipeline.imports.mapping import MappingError, Table
from pipeline.imports.progress import Progress
from pipeline.imports.sources import SourceError

DAY = "2025-01-02"


def test_csv_rows_become_events(world: World) -> None:
    world.write("orders.csv", f"id,at\na,{DAY}\nb,{DAY}\n")
    assert world.table("orders.csv").ids == ["a", "b"]


def test_tsv_is_known_by_its_name(world: World) -> None:
    world.write("orders.tsv", f"id\tat\na,b\t{DAY}\n")
    assert world.table("orders.tsv").ids == ["a,b"]


def test_a_delimiter_and_a_quote_can_be_given(world: World) -> None:
    world.write("orders.txt", f"id;at\n'a;b';{DAY}\n")
    assert world.table("orders.txt", options='delimiter: ";"\nquote: "\'"\n').ids == ["a;b"]


def test_without_quoting_a_quote_is_a_character_as_any_other(world: World) -> None:
    world.write("orders.tsv", f'id\tat\n5" pipe\t{DAY}\n')
    assert world.table("orders.tsv", options="quote: none\n").ids == ['5" pipe']


def test_a_file_without_a_header_line_gets_its_names_from_the_mapping(world: World) -> None:
    world.write("orders.csv", f"a,{DAY}\nb,{DAY}\n")
    imported = world.table("orders.csv", options="header: [id, at]\n")
    assert imported.ids == ["a", "b"]
    assert imported.report.rows == 2


def test_a_byte_order_mark_is_no_part_of_the_first_column(world: World) -> None:
    world.write("orders.csv", b"\xef\xbb\xbf" + f"id,at\na,{DAY}\n".encode())
    assert world.table("orders.csv").ids == ["a"]


def test_other_encodings_are_read(world: World) -> None:
    world.write("latin.csv", f"id,at\nJürgen,{DAY}\n".encode("latin-1"))
    world.write("wide.csv", f"id,at\nJürgen,{DAY}\n".encode("utf-16"))
    assert world.table("latin.csv", options="encoding: latin-1\n").ids == ["Jürgen"]
    assert world.table("wide.csv", options="encoding: utf-16\n").ids == ["Jürgen"]


def test_gzip_is_read_in_any_text_format(world: World) -> None:
    world.write("orders.csv.gz", gzip.compress(f"id,at\na,{DAY}\n".encode()))
    world.write("orders.jsonl.gz", gzip.compress(f'{{"id": "b", "at": "{DAY}"}}\n'.encode()))
    assert world.table("orders.csv.gz").ids == ["a"]
    assert world.table("orders.jsonl.gz").ids == ["b"]


def test_all_files_that_match_are_read_and_named_where_a_row_is_refused(world: World) -> None:
    world.write("in/orders-1.csv", f"id,at\na,{DAY}\n")
    world.write("in/orders-2.csv", f"at,id\n{DAY},b\nsoon,c\n")
    imported = world.table("in/orders-*.csv")
    assert imported.ids == ["a", "b"]
    assert [(each["file"], each["line"]) for each in imported.rejects] == [("in/orders-2.csv", 3)]


def test_line_numbers_count_line_breaks_within_quotes(world: World) -> None:
    world.write("orders.csv", f'id,at\n"a\n\nb",{DAY}\n\nc,soon\n"d\ne",never\n')
    imported = world.table("orders.csv")
    assert imported.ids == ["a\n\nb"]
    assert [line for line, _ in imported.reasons] == [6, 7]


def test_a_row_with_other_than_the_headers_columns_is_refused_with_its_raw_text(world: World) -> None:
    world.write("orders.csv", f"id,at\na,{DAY}\nb\nc,{DAY},x\nd,{DAY}\n")
    imported = world.table("orders.csv")
    assert imported.ids == ["a", "d"]
    assert imported.rejects == [
        {
            "file": "orders.csv",
            "line": 3,
            "event": None,
            "reason": "the row has 1 columns, but the header has 2",
            "row": "b\n",
        },
        {
            "file": "orders.csv",
            "line": 4,
            "event": None,
            "reason": "the row has 3 columns, but the header has 2",
            "row": f"c,{DAY},x\n",
        },
    ]


def test_a_line_that_is_not_of_the_encoding_is_refused_even_in_a_column_that_nobody_reads(
    world: World,
) -> None:
    world.write("orders.csv", f"id,at,n\na,{DAY},\nb,{DAY},".encode() + b"\xff\n" + f"c,{DAY},é\n".encode())
    imported = world.table("orders.csv")
    assert imported.ids == ["a", "c"]
    assert imported.reasons == [(3, "line 3 is not utf-8 text; fix it, or say `encoding:`")]
    assert imported.rejects[0]["row"] == f"b,{DAY},\\xff\n"


def test_a_quote_that_is_never_closed_is_told_with_the_lines_that_it_swallowed(world: World) -> None:
    world.write("orders.csv", f'id,at\na,{DAY}\n"b,{DAY}\nc,{DAY}\n')
    imported = world.table("orders.csv")
    assert imported.ids == ["a"]
    ((line, reason),) = imported.reasons
    assert line == 3
    assert "lines 3 to 4 were taken for one row: a quote left open?" in reason
    assert imported.rejects[0]["row"] == f'"b,{DAY}\nc,{DAY}\n'


def test_reading_goes_on_after_a_field_that_is_too_long(world: World) -> None:
    world.write("orders.csv", f"id,at\n{'x' * 200_000},{DAY}\nb,{DAY}\n")
    imported = world.table("orders.csv")
    assert imported.ids == ["b"]
    assert "field larger than field limit" in imported.reasons[0][1]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("orders.csv", b"", "there is no header line"),
        ("orders.csv", b"id,id,at\na,b,c\n", "more than one column is id; name them with `header:`"),
        ("orders.csv", b"\xff,at\n", "the header line is not utf-8; say `encoding:`"),
        ("orders.json", b'[{"id": "a"}]', "this is one JSON array; write one object a line"),
        ("orders.parquet", b"PAR1 no", "it can't be read as Parquet"),
        ("orders.xlsx", b"PK", "its name does not tell the format; say `format:` csv, tsv, jsonl or parquet"),
    ],
)
def test_a_file_that_can_not_be_begun_is_told_with_the_mappings_line(
    world: World, name: str, content: bytes, message: str
) -> None:
    world.write(name, content)
    with pytest.raises(MappingError) as caught:
        world.table(name)
    (problem,) = caught.value.problems
    assert (problem.line, problem.field) == (4, "tables.orders.file")
    assert message in problem.message


def test_a_file_that_is_cut_off_stops_the_import_with_its_line(world: World) -> None:
    whole = gzip.compress("".join(["id,at\n", *(f"{n},{DAY}\n" for n in range(20_000))]).encode())
    world.write("orders.csv.gz", whole[: len(whole) // 2])
    with pytest.raises(SourceError, match=r"orders\.csv\.gz:\d+: it can't be read on from here"):
        world.table("orders.csv.gz")


def test_json_lines_keep_the_types_of_their_members(world: World) -> None:
    row = f'{{"id": 7, "at": "{DAY}", "paid": true, "parts": [1, {{"a": null}}], "n": 0}}\n'
    world.write("orders.jsonl", row)
    (made,) = world.table("orders.jsonl", EVENT + "data: {paid: paid, parts: parts, n: n}\n").events
    assert made["data"] == {"paid": True, "parts": [1, {"a": None}], "n": 0}
    assert (made["id"], made["identities"]) == ("7", {"order_id": "7"})


def test_dots_lead_into_inner_objects_of_json(world: World) -> None:
    world.write("orders.jsonl", f'{{"id": {{"no": "a", "x.y": 1}}, "at.utc": "{DAY}"}}\n')
    event = 'type: sales.order.placed\ntime: at.utc\nid: "{id.no}"\nidentities: {order_id: id.no}\n'
    assert world.table("orders.jsonl", event).ids == ["a"]


def test_lines_that_are_no_json_objects_are_refused_with_their_lines(world: World) -> None:
    world.write(
        "orders.jsonl",
        f'{{"id": "a", "at": "{DAY}"}}\n{{"id": \n\n[1]\n'.encode() + b'{"id": "\xff"}\n',
    )
    imported = world.table("orders.jsonl")
    assert imported.ids == ["a"]
    assert [line for line, _ in imported.reasons] == [2, 4, 5]
    assert imported.reasons[2] == (5, "the line is not utf-8 text; fix it, or say `encoding:`")


def test_a_member_that_first_occurs_far_down_a_json_file_is_found(world: World) -> None:
    lines = [f'{{"id": "{n}", "at": "{DAY}"}}' for n in range(1500)]
    lines.append(f'{{"id": "last", "at": "{DAY}", "late": 1}}')
    world.write("orders.jsonl", "\n".join(lines))
    events = world.table("orders.jsonl", EVENT + "data: {late: late}\n").events
    assert [event["id"] for event in events if "data" in event] == ["last"]


def test_parquet_gives_its_own_types_and_row_numbers(world: World) -> None:
    world.data.mkdir()
    path = world.data / "orders.parquet"
    duckdb.execute(
        f"""COPY (SELECT * FROM (VALUES
            (1.0::DOUBLE, TIMESTAMPTZ '2025-01-02 03:04:05.678901+02', TIMESTAMP '2025-01-02 03:04:05', true),
            (2.0, NULL, TIMESTAMP '2025-01-03 00:00:00', NULL),
            (NULL, TIMESTAMPTZ '2025-01-05 00:00:00+00', NULL, false)) AS t(id, "at", "said it", paid))
            TO '{path}' (FORMAT parquet)"""
    )
    event = """\
        type: sales.order.placed
        time: at
        id: "{id}"
        identities: {order_id: id}
        data: {said: {column: said it, type: instant, zone: Europe/Berlin}, paid: paid}
        """
    imported = world.table("orders.parquet", event)
    assert imported.events == [
        {
            "specversion": "1.0",
            "id": "1",
            "source": "shop/orders",
            "type": "sales.order.placed",
            "time": "2025-01-02T01:04:05.678901Z",
            "identities": {"order_id": "1"},
            "data": {"said": "2025-01-02T02:04:05Z", "paid": True},
        }
    ]
    assert imported.report.empty_times == {"orders.placed": 1}
    assert imported.reasons == [(3, "its id, source or type is empty")]


def test_progress_reaches_all_rows_and_all_bytes(world: World) -> None:
    world.write("orders.csv", "id,at\n" + "".join(f"{n},{DAY}\n" for n in range(5000)))
    told: list[Progress] = []
    world.table("orders.csv", progress=told.append)
    size = (world.data / "orders.csv").stat().st_size
    assert [each.rows for each in told] == [2048, 4096, 5000]
    assert told[-1] == Progress(5000, size, size)


def test_an_import_without_a_progress_callback_needs_none(world: World) -> None:
    world.write("orders.csv", f"id,at\na,{DAY}\n")
    importer = Importer(world.load(mapping("orders.csv")), world.data)
    assert len(list(importer.events())) == 1


@given(
    cells=st.lists(
        st.lists(st.text(alphabet='ab,"\n\r\t é', max_size=6), min_size=2, max_size=2),
        min_size=1,
        max_size=20,
    )
)
def test_every_line_of_a_csv_file_is_in_a_row_or_in_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, cells: list[list[str]]
) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "any.csv"
    body = "\n".join(",".join(row) for row in cells) + "\n"
    path.write_text(f"a,b\n{body}", encoding="utf-8", newline="")
    broken: list[tuple[int, str]] = []
    file = CsvFile(path, Table(file="any.csv"), ",", lambda line, _, raw: broken.append((line, raw)))
    starts = [line for line, _ in file.rows()]
    file.close()
    lines = f"a,b\n{body}".splitlines(keepends=True)
    heads = sorted([*starts, *(line for line, _ in broken)])
    assert len(set(heads)) == len(heads)
    # between two heads there are only the rest of a row, or blank lines
    for line in range(2, (heads[0] if heads else len(lines) + 1)):
        assert not lines[line - 1].strip("\r\n")
