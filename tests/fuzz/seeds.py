"""Writes the seed corpus from the project's own examples: `python tests/fuzz/seeds.py`.

A file is named by its content, as libFuzzer names them, behind a word on where it comes from. What was found by
fuzzing (`found-…`) is left alone.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

_HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(_HERE), str(_HERE.parent), str(_HERE.parent / "embedded"), str(_HERE.parents[1])]

import compiled_core  # noqa: E402, F401 - first: it chooses which core all others import
from documents import MAP, MAPPING  # noqa: E402
from driver_blocks import encoded  # noqa: E402
from fuzzed_map import COMPANY, KEY, ROOT, stays  # noqa: E402
from records import TIMESTAMP, FuzzedRecord, unparse  # noqa: E402
from server_law import HELLO, PING  # noqa: E402
from state_law import entry, good_state  # noqa: E402
from targets import CORPUS  # noqa: E402

from pipeline.core.run import IDENTITY, JOURNEYS, LINKS, STAYS, MemoryPipeline, RunConfig  # noqa: E402

_EXAMPLES = ROOT / "examples"
_OF_A_FORM = 12
_TABLE = """\
id,who,n,at,ok,due,kind,ms
O-1,C-1,1,2026-03-01T10:00:00,yes,05.03.2026,Placed,1772355600000
O-2,C-2,"1.234,5",2026-03-01T10:00:00Z,no,,skipped,
"O-3",C-3,,,,,Zurück gegeben,1772355600001
"""


def seeds() -> Iterator[tuple[str, str, bytes]]:
    """Target, origin and bytes of each seed."""
    for path in sorted((_EXAMPLES / "touchpoints").glob("*/*.json")):
        if path.name != "expected.json":
            data = path.read_bytes()
            yield "touchpoint_json", path.stem, data
            if path.parent.name == "good":
                yield "outputs", path.stem, data
                yield "binary_mode", path.stem, binary(json.loads(data))
    yield (
        "binary_mode",
        "tick",
        unparse(FuzzedRecord(None, headers=[("throughline-tick", b"2026-03-01T10:00:00Z")])),
    )
    yield from _frames()
    yield from _states()
    yield "map", "small", MAP
    yield "mapping", "small", MAPPING
    for path in sorted(_EXAMPLES.glob("*/map.yaml")):
        yield "map", path.parent.name, path.read_bytes()
    for path in sorted(_EXAMPLES.glob("*/mapping.yaml")):
        yield "mapping", path.parent.name, path.read_bytes()
    yield from _tables()
    yield from _conversations()


def binary(event: dict[str, object]) -> bytes:
    """The record of an event in binary mode."""
    data = event.pop("data", None)
    headers = [
        (f"ce_{name}", (json.dumps(value) if isinstance(value, dict) else str(value)).encode())
        for name, value in event.items()
    ]
    value = b"" if data is None else json.dumps(data).encode()
    return unparse(FuzzedRecord(value, headers=[*headers, ("content-type", b"application/json")]))


def _states() -> Iterator[tuple[str, str, bytes]]:
    """What the stages keep, of each form some."""
    forms: Counter[str] = Counter()
    for (stage, key), value in good_state().items():
        origin = f"{stage}-{key[:1].decode()}"
        forms[origin] += 1
        if forms[origin] <= _OF_A_FORM:
            yield "state", origin, entry(stage, key, value)


def _frames() -> Iterator[tuple[str, str, bytes]]:
    """What travelled in a small run, and the dead letters of the bad examples."""
    pipeline = MemoryPipeline(COMPANY, RunConfig(KEY, TIMESTAMP * 1000, dead_letter_max_share=1.0))
    for path in sorted((_EXAMPLES / "touchpoints").glob("*/*.json")):
        if path.name != "expected.json":
            pipeline.feed("sales", path.read_bytes())
    for event in stays():
        pipeline.feed("sales", json.dumps(event).encode())
    pipeline.tick(TIMESTAMP * 1000)
    while waiting := pipeline.waiting():
        for queue in waiting:
            if queue[0] in {IDENTITY, JOURNEYS, LINKS, STAYS}:
                for record in pipeline._waiting[queue]:
                    yield "frames", queue[0], record.value or b""
            pipeline.step(queue, 3)
    for letter in pipeline.published.dead_letters:
        yield "dead_letters", "letter", unparse(FuzzedRecord(letter.value, headers=list(letter.headers)))
    yield "dead_letters", "stray", unparse(FuzzedRecord(b"stray", headers=[("throughline-error-code", None)]))


def _tables() -> Iterator[tuple[str, str, bytes]]:
    rows = [line.split(",") for line in _TABLE.splitlines()[1:2]]
    names = _TABLE.splitlines()[0].split(",")
    objects = "".join(
        json.dumps(dict(zip(names, row, strict=True)) | {"late": {"by": 3}}) + "\n" for row in rows
    )
    yield "tables", "csv", b"orders.csv\n" + _TABLE.encode()
    yield "tables", "csv-latin", b"orders.csv latin-1\n" + _TABLE.encode("latin-1")
    yield "tables", "csv-utf16", b"orders.csv utf-16\n" + _TABLE.encode("utf-16")
    yield "tables", "csv-gz", b"orders.csv.gz\n" + gzip.compress(_TABLE.encode(), mtime=0)
    yield "tables", "tsv", b"orders.tsv\n" + _TABLE.replace(",", "\t").encode()
    yield "tables", "jsonl", b"orders.jsonl\n" + objects.encode()
    yield "tables", "jsonl-gz", b"orders.jsonl.gz\n" + gzip.compress(objects.encode(), mtime=0)


def _conversations() -> Iterator[tuple[str, str, bytes]]:
    """What clients say to the warehouse."""
    block = encoded(
        [
            ("a", "String"),
            ("b", "Array(LowCardinality(String))"),
            ("c", "Map(String, Nullable(UInt8))"),
            ("d", "Int64"),
        ],
        [["x", "y" * 200], [["p"], []], [{"k": None}, {}], [0, 1]],
    )
    columns = "a String, b Array(LowCardinality(String)), c Map(String, Nullable(UInt8)), d Int64"
    table = _query(f"CREATE TEMPORARY TABLE t ({columns})")
    insert = _query("INSERT INTO t (a, b, c, d) VALUES")
    source = _query(f"INSERT INTO t SELECT * FROM input('{columns}') FORMAT Native")
    said = {
        "hello": HELLO,
        "ping": HELLO + PING * 3,
        "select": HELLO + _query("SELECT number, toString(number), [1, NULL] FROM numbers(3)"),
        "setting": HELLO + _query("SELECT getSetting('max_threads')", b"\x0bmax_threads\x01\x011"),
        "error": HELLO + _query("SELECT nothing") + _query("SELECT 1"),
        "insert": HELLO + table + insert + _DATA + block + _NO_BLOCK + _query("SELECT count() FROM t"),
        "input": HELLO + table + source + _DATA + block + _NO_BLOCK,
        "cut": HELLO + table + insert + _DATA + block[:40],
        "cancel": HELLO + _query("SELECT count() FROM numbers(1000)") + b"\x03" + PING,
        "compressed": HELLO + _query("SELECT 1", compressed=True),
        "old": b"\x00\x03old\x01\x01\x05\x00\x07default\x00",
        "nobody": b"\x00\x06fuzzer\x01\x01\x9f\xa9\x03\x07nowhere\x07default\x00",
        "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "endless-text": b"\x00" + b"\xff" * 8 + b"\x7f",
    }
    for origin, data in said.items():
        yield "warehouse_server", origin, data


_DATA = b"\x02\x00\x01\x00\x02\xff\xff\xff\xff\x00"
_NO_BLOCK = _DATA + b"\x00\x00"
_CLIENT = b"\x01\x00\x00\x090.0.0.0:0\x01\x02me\x04host\x06driver\x14\x0a\x9f\xa9\x03\x00\x02"


def _query(text: str, settings: bytes = b"", *, compressed: bool = False) -> bytes:
    """A query packet and the empty block behind it."""
    size, length = len(text), b""
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    length += bytes([size])
    head = b"\x01\x00" + _CLIENT + settings + b"\x00\x02" + bytes([compressed])
    return head + length + text.encode() + (b"" if compressed else _NO_BLOCK)


def write() -> None:
    for target, origin, data in seeds():
        name = f"{origin}-{blake2b(data, digest_size=4).hexdigest()}"
        place = CORPUS / target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)


if __name__ == "__main__":
    write()
