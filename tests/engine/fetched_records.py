"""What a fetch brings, as the broker would write it: batches of any offsets, markers, aborted transactions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aiokafka.consumer.fetcher import READ_COMMITTED
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from aiokafka.record.util import calc_crc32c
from faust.types import TP

from pipeline.engine.unpacking import FetchedRecords, KeptRecords

_ATTRIBUTES, _LAST_DELTA = (
    21,
    23,
)  # where they stand in a batch of format 2; the checksum covers all behind it
_TRANSACTIONAL, _CONTROL = 0x10, 0x20
_ABORT, _COMMIT = b"\x00\x00\x00\x00", b"\x00\x00\x00\x01"
NOBODY = -1


def batch(
    offsets: Iterable[int],
    end: int,
    *,
    producer: int = NOBODY,
    codec: int = 0,
    attributes: int = 0,
    value: bytes = b"v",
) -> bytes:
    """Records with these offsets in one batch that reaches up to `end`; `producer` makes it transactional."""
    return _batch([(offset, b"k") for offset in offsets], end, producer, codec, attributes, value=value)


class Name(str):
    """The name of a header that is written as these bytes, whatever they are."""

    def __new__(cls, raw: bytes) -> Name:
        name = super().__new__(cls, "x" * len(raw))
        name.raw = raw
        return name

    def encode(self, *_: str) -> bytes:
        return self.raw


def named(raw: bytes, offsets: Iterable[int], end: int, *, codec: int = 0) -> bytes:
    """A batch whose record in the middle has a header of that name."""
    numbers = list(offsets)
    odd = {numbers[len(numbers) // 2]: Name(raw)}
    return _batch([(offset, b"k") for offset in numbers], end, NOBODY, codec, 0, odd)


def marker(offset: int, producer: int, *, commit: bool) -> bytes:
    """The end of a transaction."""
    return _batch([(offset, _COMMIT if commit else _ABORT)], offset + 1, producer, 0, _CONTROL)


def _batch(
    records: list[tuple[int, bytes]],
    end: int,
    producer: int,
    codec: int,
    attributes: int,
    names: Mapping[int, str] = {},
    value: bytes = b"v",
) -> bytes:
    base = records[0][0] if records else end - 1
    is_transactional = producer != NOBODY
    # aiokafka's own in Python: the other one looks into the name, and not at how it is written
    builder = _DefaultRecordBatchBuilderPy(2, codec, is_transactional, producer, 0, 0, 1 << 20)
    for offset, key in records:
        builder.append(offset - base, 7, key, value, [(names.get(offset, "h"), b"x")])
    raw = bytearray(builder.build())
    raw[:8] = base.to_bytes(8, "big")
    raw[_LAST_DELTA : _LAST_DELTA + 4] = (end - 1 - base).to_bytes(4, "big")
    raw[_ATTRIBUTES + 1] |= attributes
    raw[_ATTRIBUTES - 4 : _ATTRIBUTES] = calc_crc32c(bytes(raw[_ATTRIBUTES:])).to_bytes(4, "big")
    return bytes(raw)


def partition_records(
    tp: TP, position: int, *batches: bytes, aborted: Iterable[tuple[int, int]] = ()
) -> FetchedRecords:
    """What aiokafka makes of a fetch; `aborted` are (producer, first offset)."""
    records = KeptRecords(b"".join(batches))
    return FetchedRecords(tp, records, list(aborted), position, None, None, True, READ_COMMITTED)
