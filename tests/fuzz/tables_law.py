"""The law of the importer: any file of a table is read; each row becomes events, or is reported with file and line.

An input is a line that names the file (`orders.csv`, `orders.csv.gz latin-1`, `orders.jsonl`), then its content.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime

import ingest_law
from documents_law import folder
from records import FuzzedRecord

from pipeline.imports.importer import Importer
from pipeline.imports.mapping import MappingError, load_mapping
from pipeline.imports.sources import SourceError

NOW = datetime(2026, 12, 31, tzinfo=UTC)
NAMES = (
    "orders.csv", "orders.csv.gz", "orders.tsv", "orders.jsonl", "orders.jsonl.gz", "orders.parquet",
)  # fmt: skip
ENCODINGS = ("utf-8", "latin-1", "utf-16", "utf-7", "cp1252", "utf-32")
_MAPPING = """\
version: 1
name: fuzzed
tables:
  orders:
    file: "{name}"
    encoding: {encoding}
    decimal: ","
    optional: [n, ok, due, late.by, ms, kind]
    events:
      placed:
        type: "sales.order.{{kind|slug}}"
        id: "{{id}}:{{n}}"
        time: {{column: at, type: instant, zone: Europe/Madrid}}
        identities: {{order_id: id, customer_id: {{lookup: {{table: orders, key: id, by: id, value: who}}}}}}
        sequence: n
        data:
          n: {{column: n, type: int}}
          value: {{column: n, type: float}}
          ok: {{column: ok, type: bool}}
          due: {{column: due, type: instant, format: "%d.%m.%Y", end_of_day: true, zone: America/New_York}}
          late: late.by
        when: {{kind: {{not: skipped}}}}
      counted:
        type: sales.order.placed
        time: {{column: ms, type: instant, format: epoch_ms}}
        identities: {{order_id: id}}
        subject: who
"""


def check(data: bytes) -> str:
    """What became of it: `imported`, or `refused` as a whole."""
    line, _, content = data.partition(b"\n")
    name, _, encoding = line.decode("ascii", "replace").strip().partition(" ")
    if name not in NAMES or encoding not in {*ENCODINGS, ""}:
        return "no such file"
    tables = folder() / "tables"
    shutil.rmtree(tables, ignore_errors=True)
    tables.mkdir()
    (tables / name).write_bytes(content)
    mapping = folder() / "fuzzed.yaml"
    mapping.write_text(_MAPPING.format(name=name, encoding=encoding or "utf-8"), encoding="utf-8")
    rejects = folder() / "rejects.jsonl"
    importer = Importer(load_mapping(mapping), tables, rejects=rejects, now=lambda: NOW)
    try:
        events = list(importer.events())
    except (SourceError, MappingError) as error:
        assert name in str(error), "the file is named"
        assert len(str(error)) < 4000, f"{len(str(error))} characters"
        return "refused"
    report = importer.report
    assert sum(report.by_event.values()) == len(events)
    for rejection in report.first_rejections:
        assert rejection.file == name
        assert rejection.line >= 1
    for event in events:
        ingest_law.check(FuzzedRecord(event.value))
    return "imported"
