"""A Kafka record as a text file, so that a corpus can be read and a mutation keeps some of its shape.

    :timestamp: 1772355600000
    ce_id: e1
    a-header-without-a-value

    the value, to the end of the file

Lines that begin with `:` are the record's own (`:timestamp:`, `:key:`; `:null:` is a record without a value);
any other line before the first empty one is a header. Whatever bytes there are, they make a record.
"""

from __future__ import annotations

from dataclasses import dataclass, field

TIMESTAMP = 1_798_761_600_000
"""2027-01-01T00:00:00Z, in milliseconds, as Kafka has it: behind all examples."""
_INT64 = 2**63


@dataclass
class FuzzedRecord:
    value: bytes | None
    topic: str = "touchpoints.sales"
    partition: int = 0
    offset: int = 41
    timestamp: int = TIMESTAMP
    key: bytes | None = b"the key"
    headers: list[tuple[str, bytes | None]] = field(default_factory=list)


def parse(data: bytes) -> FuzzedRecord:
    head, _, value = data.partition(b"\n\n") if not data.startswith(b"\n") else (b"", b"", data[1:])
    record = FuzzedRecord(value)
    for line in head.split(b"\n"):
        own = line.startswith(b":")
        name, colon, content = line.removeprefix(b":").partition(b":")
        if not own:
            # a client hands names over as text; the engine sees to those that are none
            text = name.decode("utf-8", "replace").replace("\0", "")
            record.headers.append((text, content.removeprefix(b" ") if colon else None))
        elif name == b"timestamp":
            record.timestamp = _int64(content)
        elif name == b"key":
            record.key = content.removeprefix(b" ")
        elif name == b"null":
            record.value = None
    return record


def unparse(record: FuzzedRecord) -> bytes:
    """The file of a record; `parse` makes the same record of it."""
    lines = [b":timestamp: %d" % record.timestamp]
    lines += [b":null:"] * (record.value is None)
    lines += [
        name.encode() + (b"" if content is None else b": " + content) for name, content in record.headers
    ]
    return b"\n".join(lines) + b"\n\n" + (record.value or b"")


def _int64(text: bytes) -> int:
    try:
        return max(-_INT64, min(int(text[:24]), _INT64 - 1))
    except ValueError:
        return -1
