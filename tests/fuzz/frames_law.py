"""The law of the trusted hops: any record of an internal topic is a frame, or an error that names its place."""

from __future__ import annotations

import msgspec
from records import FuzzedRecord

from pipeline.core.frames import IDENTITY_FRAMES, JOURNEY_FRAMES, LINK_FRAMES, STAY_FRAMES, FrameError, Frames
from pipeline.core.messages import PassingMessage

_PASSING: Frames[PassingMessage] = Frames(PassingMessage)
"""What the identity stage reads: the inside of a touchpoint is left as it is."""


def check(data: bytes) -> str:
    """How many of the readers took it."""
    taken = 0
    for frames in (IDENTITY_FRAMES, JOURNEY_FRAMES, LINK_FRAMES, STAY_FRAMES, _PASSING):
        record = FuzzedRecord(data, "identity.touchpoints", 3, 17)
        try:
            messages = frames.decode(record)
        except FrameError as error:
            assert str(error).startswith(
                "identity.touchpoints/3 holds a record at offset 17 that is no frame"
            )
            assert len(str(error)) < 1000
        else:
            taken += 1
            again = FuzzedRecord(msgspec.msgpack.encode(messages))
            assert msgspec.msgpack.encode(frames.decode(again)) == again.value, "nothing was lost in reading"
    return f"{taken} readers"
