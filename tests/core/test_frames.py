"""Frames: many messages in a record, in order, bounded."""

from __future__ import annotations

import msgspec
import pytest
from identity_world import IDENTITY, FakeRecord, Logs

from pipeline.core import frames
from pipeline.core.frames import IDENTITY_FRAMES, JOURNEY_FRAMES, FrameError, FrameWriter
from pipeline.core.messages import Claim, Depart, IdentityMark, JourneyMark, Release
from pipeline.core.recent import Recent


def claim(number: int, size: int = 1) -> Claim:
    return Claim("order:1", "customer:1", number, "s" * size, str(number))


def written(logs: Logs, partition: int) -> list[list[object]]:
    return [list(IDENTITY_FRAMES.decode(record)) for record in logs.log(IDENTITY, partition)]


def test_messages_of_a_partition_come_back_in_order_in_one_frame() -> None:
    logs = Logs()
    writer = FrameWriter(logs, IDENTITY, 2)
    messages = [claim(1), Depart("a:1", "b:1", 2, "c:1"), IdentityMark("s/0", [1, 2])]
    for message in messages:
        writer.add(1, message)
    writer.flush()
    assert written(logs, 1) == [messages]
    assert written(logs, 0) == []


def test_a_frame_is_full_at_its_number_of_messages() -> None:
    logs = Logs()
    writer = FrameWriter(logs, IDENTITY, 1)
    for number in range(frames.MAX_MESSAGES * 2 + 1):
        writer.add(0, claim(number))
    writer.flush()
    assert [len(frame) for frame in written(logs, 0)] == [frames.MAX_MESSAGES, frames.MAX_MESSAGES, 1]
    assert [m.time for frame in written(logs, 0) for m in frame] == list(range(1001))  # type: ignore[attr-defined]


def test_a_frame_is_full_at_its_bytes_and_one_large_message_is_a_frame_of_its_own() -> None:
    logs = Logs()
    writer = FrameWriter(logs, IDENTITY, 1)
    for number in range(5):
        writer.add(0, claim(number, frames.MAX_BYTES // 2 - 100))
    writer.add(0, claim(5, frames.MAX_BYTES * 2))
    writer.flush()
    assert [len(frame) for frame in written(logs, 0)] == [2, 2, 1, 1]
    sizes = [len(record.value or b"") for record in logs.log(IDENTITY, 0)]
    assert max(sizes[:3]) <= frames.MAX_BYTES


def test_a_mark_goes_to_all_partitions_behind_what_was_added_before() -> None:
    logs = Logs()
    writer = FrameWriter(logs, IDENTITY, 3)
    writer.add(2, claim(1))
    mark = IdentityMark("s/0", [7])
    writer.add_to_all(mark)
    writer.flush()
    writer.flush()
    assert [written(logs, partition) for partition in range(3)] == [[[mark]], [[mark]], [[claim(1), mark]]]


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"\xc1",
        b"{}",
        msgspec.msgpack.encode([["x", 1]]),
        msgspec.msgpack.encode([claim(1)])[:-1],
        b"\x91\xa1\xff",
    ],
)
def test_a_record_that_is_no_frame_is_an_error_that_names_its_place(value: bytes | None) -> None:
    record = FakeRecord(value, IDENTITY, 3, 17)
    for kind in (IDENTITY_FRAMES, JOURNEY_FRAMES):
        with pytest.raises(
            FrameError, match=r"^identity.touchpoints/3 holds a record at offset 17 that is no frame"
        ):
            kind.decode(record)


def test_journey_messages_travel_as_well() -> None:
    messages = [Release("p", "order:1", 1, "customer:1"), JourneyMark("identity/0", 5)]
    assert JOURNEY_FRAMES.decode(FakeRecord(msgspec.msgpack.encode(messages))) == messages


def test_what_is_used_stays_and_what_is_not_is_forgotten() -> None:
    recent: Recent[int, str] = Recent(8)
    recent.put(0, "used")
    for number in range(1, 100):
        recent.put(number, "once")
        assert recent.get(0) == "used"
        assert len(recent) <= 8
    assert recent.get(1) is None
    assert recent.get(99) == "once"


def test_what_may_hold_less_keeps_what_came_last() -> None:
    recent: Recent[int, str] = Recent(100)
    for number in range(100):
        recent.put(number, "kept")
    recent.resize(10)
    assert len(recent) == 10
    assert recent.get(89) is None
    assert all(recent.get(number) for number in range(90, 100))
