"""The law of the dead-letter topic: whatever stands there can be listed and shown, and counted by the warehouse."""

from __future__ import annotations

from records import FuzzedRecord

from pipeline.core.dead_letters import decode_headers, encode_headers, original_headers
from pipeline.warehouse.rows import dead_letter_blocks

_UINT32, _UINT64 = 2**32, 2**64


def check(record: FuzzedRecord) -> str:
    """Whether it is a dead letter of ours."""
    record.topic = "touchpoints.dead-letter"
    (block,) = dead_letter_blocks([record])
    assert len(block) == 1, "every record of the topic is counted"
    for values, limit in ((block.columns["partition"], _UINT32), (block.columns["offset"], _UINT64)):
        assert all(0 <= value < limit for value in values), "the warehouse has room for it"
    assert all(len(message) < 10_000 for message in block.columns["message"])
    try:
        letter = decode_headers(record.headers)
    except ValueError as error:
        assert str(error).startswith("these are not the headers of a dead letter")
        assert len(str(error)) < 10_000
        return "foreign"
    original = original_headers(record.headers)
    assert decode_headers(encode_headers(original, letter)) == letter
    return "ours"
