"""Inputs that are almost right: each function takes a good input and a source of chance, and breaks something.

Random bytes rarely get past the first brace. These know the shape: a node of a JSON or msgpack document becomes
something nasty, a header is repeated, a line of YAML is indented. The same functions serve hypothesis in the test
suite and libFuzzer in `make fuzz`. Whatever input is given, bytes come out.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from random import Random
from typing import Any

import msgspec

Mutate = Callable[[bytes, Random], bytes]

_RAW = "\ue000raw:"
"""Marks, within a document under mutation, text that stands for bytes which `json` would not write."""
NASTY_JSON = (
    "null", "true", "0", "-1", "-0", "0.0", "1e400", "-1e400", "1e-400", "NaN", "Infinity", "-Infinity",
    "18446744073709551615", "18446744073709551616", "-9223372036854775809", "1" + "0" * 400, "1" * 5000,
    '""', '" "', '"\\u0000"', '"\\ud800"', '"\\udfff\\ud800"', '"\\ud83d\\ude00"', '"\\u2028"', '"\x7f"',
    '"' + "x" * 300 + '"', '"' + "é" * 1100 + '"', "[]", "{}", "[[]]", "[" * 150 + "]" * 150,
    "[" * 900 + "]" * 900, '{"a":' * 120 + "1" + "}" * 120, '{"a":1,"a":2}', '{"":0}', '{"\\u0000":0}',
    '"0000-01-01T00:00:00Z"', '"0001-01-01T00:00:00+14:00"', '"9999-12-31T23:59:59.999999-14:00"',
    '"1969-12-31T23:59:59Z"', '"1970-01-01T00:00:00Z"', '"2026-02-30T00:00:00Z"', '"2026-03-01T24:00:00Z"',
    '"2026-03-01T23:59:60Z"', '"2026-03-01T09:00:00+00:60"', '"2026-03-01T09:00:00.1234567890123Z"',
    '"2026-03-01 09:00:00z"', '"2026-03-01T09:00:00+0000"', '"1772355600"', "1772355600",
)  # fmt: skip
NASTY_BYTES = (
    b"",
    b"\0",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xc3",
    b"\xf4\x90\x80\x80",
    b"\xef\xbb\xbf",
    b"\r\n",
    b"\x1f\x8b",
)
NASTY_HEADERS = (
    b"ce_", b"ce_id: e1", b"ce_id", b"ce_data: 1", b"ce_time: 2026-03-01T10:00:00Z", b"ce_identities",
    b'ce_identities: {"order_id": 1' + b"0" * 30 + b"}", b'ce_identities: {"a": 1e400}', b"ce_identities: []",
    b"ce_identities: " + b'{"a":' * 150 + b"1" + b"}" * 150, b'ce_identities: {"order_id": "\\ud800"}',
    b"ce_" + b"n" * 5000 + b": 1", b"ce_UPPER: 1", "ce_\u0131d: 1".encode(), b"ce_sequence: 1" + b"0" * 400,
    b"content-type: application/json", b"Content-Type: application/cloudevents+json", b"content-type: \xff",
    b"content-type: " + b"x" * 5000, b"content-type: application/cloudevents-batch+json", b"content-type",
    b"throughline-tick: 1772355600000000", b"throughline-tick: 2026-03-01T10:00:00Z", b"throughline-tick",
    b"throughline-tick: \xc2\xb2", b"throughline-tick: " + b"9" * 5000, b"throughline-tick: \xff",
    b"throughline-tick: 9999-12-31T23:59:59-14:00", "throughline-tick: \u0663".encode(),
    b"throughline-error-code: unexpected", b"throughline-error-", b"throughline-error-offset: x",
    b":timestamp: -9223372036854775808", b":timestamp: 9223372036854775807", b":timestamp: 0", b":null",
    b":timestamp: 253402300799999",
)  # fmt: skip
NASTY_YAML = (
    "&a ", "*a", "<<: *a", "!!int x", "!!binary x", "!!python/object:os.system x", "? ", "- ", ": ", "~", "{", "}",
    "[", "]", "| ", "> ", "%YAML 9.9", "---", "...", "\t", "0x" + "f" * 5000, "1" * 5000, "1e999", ".inf", ".nan",
    "0o8", "1_0", "2026-03-01", "'", '"', "\\ud800", "\ufeff", "\x00", "\x85", "# ", "!", "!<x> ", "((((((a+)+)+)+)+)+)$",
    "[" * 60 + "]" * 60, "{a: " * 60 + "}" * 60, "[*a,*a,*a,*a,*a,*a,*a,*a]", "1d " * 300, "0s", "999999999999w",
    "yes", "null", "a.b", "A B", "''", "é",
)  # fmt: skip


def mutate_bytes(data: bytes, random: Random) -> bytes:
    """Bytes cut out, repeated, overwritten, or the end missing."""
    for _ in range(random.randint(1, 3)):
        at, length = random.randint(0, len(data)), random.choice((0, 1, 2, 8, 64))
        put = random.choice(
            (b"", random.randbytes(random.randint(1, 9)), random.choice(NASTY_BYTES), data[at : at + 16] * 2)
        )
        rest = b"" if random.random() < 0.1 else data[at + length :]
        data = data[:at] + put + rest
    return data


def mutate_json(data: bytes, random: Random) -> bytes:
    """A node of the document, or a key, becomes something else; now and then the bytes themselves."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return mutate_bytes(data, random)
    for _ in range(random.choice((1, 1, 2, 3))):
        document = _changed(document, random)
    text = json.dumps(document, ensure_ascii=random.random() < 0.5)
    if _RAW in text or json.dumps(_RAW)[1:-1] in text:
        text = _with_raw(text)
    if random.random() < 0.1 and text.startswith("{"):  # a key that is there twice
        text = text[:1] + '"id": "other", "time": 5, ' + text[1:]
    encoded = text.encode("utf-8", "surrogatepass")
    return mutate_bytes(encoded, random) if random.random() < 0.1 else encoded


def _with_raw(text: str) -> str:
    for at, raw in enumerate(NASTY_JSON):
        for quoted in (f'"{_RAW}{at}"', json.dumps(f"{_RAW}{at}")):
            text = text.replace(quoted, raw)
    return text


def _changed(node: Any, random: Random) -> Any:
    """The document with one place of it changed."""
    deeper = isinstance(node, dict | list) and node and random.random() < 0.8
    if isinstance(node, dict) and deeper:
        key = random.choice(list(node))
        return _changed_member(node, key, random)
    if isinstance(node, list) and deeper:
        at = random.randrange(len(node))
        return [_changed(item, random) if number == at else item for number, item in enumerate(node)]
    return f"{_RAW}{random.randrange(len(NASTY_JSON))}"


def _changed_member(node: dict[str, Any], key: str, random: Random) -> dict[str, Any]:
    what = random.random()
    if what < 0.1:
        return {name: value for name, value in node.items() if name != key}
    if what < 0.25:
        new = random.choice(
            (key.upper(), key * 40, f"x{key}", "", "\0", "é", "k" * 70_000, f"{key}x" * 90, "\ud800")
        )
        return {new if name == key else name: value for name, value in node.items()}
    return {name: _changed(value, random) if name == key else value for name, value in node.items()}


def mutate_record(data: bytes, random: Random) -> bytes:
    """A record's file (see `records`): its headers, or its value, changed."""
    head, gap, value = data.partition(b"\n\n")
    if not gap or random.random() < 0.3:
        return head + b"\n\n" + mutate_json(value, random)
    lines = head.split(b"\n")
    for _ in range(random.choice((1, 1, 2))):
        lines = _changed_lines(lines, random)
    return b"\n".join(lines) + b"\n\n" + value


def _changed_lines(lines: list[bytes], random: Random) -> list[bytes]:
    at = random.randrange(len(lines)) if lines else 0
    name, colon, content = lines[at].partition(b":") if lines else (b"", b"", b"")
    changed = random.choice(
        (
            [],
            [lines[at]] * 2 if lines else [],
            [random.choice(NASTY_HEADERS)],
            [*lines[at : at + 1], random.choice(NASTY_HEADERS)],
            [name + colon + mutate_json(content, random)],
            [name + colon + b" " + random.choice(NASTY_JSON).strip('"').encode()],
            [name],
        )
    )
    return lines[:at] + changed + lines[at + 1 :]


NASTY_NODES: tuple[Any, ...] = (
    None, 0, -1, 2**64 - 1, -(2**63), 1.5, float("nan"), "", "x", "order_id:zz", b"", b"\xff", [], [[]], {}, True,
)  # fmt: skip


def mutate_msgpack(data: bytes, random: Random) -> bytes:
    """A node of a msgpack document becomes another."""
    try:
        document = msgspec.msgpack.decode(data)
        for _ in range(random.choice((1, 1, 2))):
            document = _repacked(document, random)
        return msgspec.msgpack.encode(document)
    except (ValueError, TypeError, OverflowError, RecursionError):
        return mutate_bytes(data, random)


def _repacked(node: Any, random: Random) -> Any:
    if isinstance(node, list) and node and random.random() < 0.85:
        at = random.randrange(len(node))
        shape = random.random()
        if shape < 0.08:
            return node[:at] + node[at + 1 :]
        if shape < 0.16:
            return [*node, node[at]]
        return [_repacked(item, random) if number == at else item for number, item in enumerate(node)]
    if isinstance(node, dict) and node and random.random() < 0.85:
        key = random.choice(list(node))
        return {name: _repacked(item, random) if name == key else item for name, item in node.items()}
    whole = isinstance(node, int) and not isinstance(node, bool)
    near = (node + 1, node - 1, -node) if whole else ()
    return random.choice((*NASTY_NODES, *near))


def mutate_yaml(data: bytes, random: Random) -> bytes:
    """Lines left out, repeated, indented or swapped; values that are not what they seem."""
    lines = data.split(b"\n")
    for _ in range(random.choice((1, 1, 2, 3))):
        at = random.randrange(len(lines))
        name, colon, value = lines[at].partition(b":")
        nasty = random.choice(NASTY_YAML).encode("utf-8", "surrogatepass")
        lines[at : at + 1] = random.choice(
            (
                [],
                [lines[at]] * 2,
                [b"  " + lines[at]],
                [lines[at].strip()],
                [name + colon + b" " + nasty],
                [name + colon + b" " + nasty + value],
                [lines[at], nasty],
                [nasty + lines[at]],
                [name + colon],
                [name + b" " + value],
            )
        )
        lines = lines or [b""]
    text = b"\n".join(lines)
    return mutate_bytes(text, random) if random.random() < 0.1 else text


def mutate_state(data: bytes, random: Random) -> bytes:
    """The value behind a line that names its key: msgpack, or a person's head, which is two of them."""
    line, gap, value = data.partition(b"\n")
    head = 12 + int.from_bytes(value[8:12], "big")
    if b" 70" in line and head <= len(value):
        fixed, run = value[12:head], value[head:]
        fixed, run = (
            (mutate_msgpack(fixed, random), run)
            if random.random() < 0.5
            else (fixed, mutate_msgpack(run, random))
        )
        return line + gap + value[:8] + len(fixed).to_bytes(4, "big") + fixed + run
    return line + gap + mutate_msgpack(value, random)


def mutate_file(data: bytes, random: Random) -> bytes:
    """A table behind a line that names its file; of a gzipped one the bytes, or what is in it."""
    line, gap, content = data.partition(b"\n")
    zipped = b".gz" in line
    if zipped and random.random() < 0.5:
        return line + gap + mutate_bytes(content, random)
    try:
        content = gzip.decompress(content) if zipped else content
    except (OSError, EOFError, zlib.error):
        return line + gap + mutate_bytes(content, random)
    lines = content.split(b"\n")
    at = random.randrange(len(lines))
    change = mutate_json if b"jsonl" in line and random.random() < 0.8 else _changed_cells
    lines[at : at + 1] = random.choice(
        ([change(lines[at], random)], [change(lines[at], random), lines[at]], [lines[at]] * 2, [])
    )
    content = b"\n".join(lines)
    return line + gap + (gzip.compress(content, mtime=0) if zipped else content)


def _changed_cells(line: bytes, random: Random) -> bytes:
    cells = line.split(b",")
    cells[random.randrange(len(cells))] = random.choice((*NASTY_CELLS, *NASTY_BYTES))
    return mutate_bytes(line, random) if random.random() < 0.2 else b",".join(cells)


NASTY_CELLS = (
    b'"', b'""', b'"a\nb"', b'"unclosed', b"\0", b"\r", b"1e400", b"nan", b"-inf", b"1e-400", b"9" * 5000, b"1,5",
    b"1.234.567,89", b"2026-02-30", b"0000-00-00", b"9999-12-31T23:59:59-14:00", b"0001-01-01T00:00:00+14:00",
    b"2026-03-29T02:30:00", b"2026-10-25T02:30:00", b"31.12.9999", b"01.01.0001", b"1e30", b"-1", b"0x10", b"1_000",
    "\u0661\u0662".encode(), "\u00b2".encode(), b"\xff\xfe", b"\xed\xa0\x80", b"x" * 140_000, b"   ", b"\xc2\xa0", b"=1+1",
    b"true", b"yes", b"", b"skipped", b"A.b c/D", b"\xe2\x80\xa8", b"T", b"2026", b"20260301T10", b"2026-W09-1",
)  # fmt: skip


NASTY_LENGTHS = (b"\xff" * 9 + b"\x01", b"\xff" * 8 + b"\x7f", b"\xff" * 11, b"\x80\x80\x80\x80\x04", b"\0")


def mutate_packets(data: bytes, random: Random) -> bytes:
    """A client's bytes: a length that is a lie, a packet of another kind, or what any bytes may suffer."""
    if not data or random.random() < 0.4:
        return mutate_bytes(data, random)
    at = random.randrange(len(data))
    lie = random.choice((*NASTY_LENGTHS, bytes([random.randrange(6)])))
    return data[:at] + lie + data[at + 1 :]
