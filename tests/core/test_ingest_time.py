"""Ingest: how time comes from a source's touchpoints, ticks and silence."""

from __future__ import annotations

import pytest
from identity_world import FakeRecord
from ingest_world import (
    IDENTITY,
    NOW,
    SECOND,
    Source,
    event,
    record,
    refusal,
)

from pipeline.core.frames import IDENTITY_FRAMES
from pipeline.core.ingest import TICK_HEADER, tick_headers
from pipeline.core.instants import parse_instant
from pipeline.core.messages import IdentityMark
from schemas.dead_letter import ErrorCode


def at(time: str, timestamp: int = NOW) -> FakeRecord:
    return record(event(time=f"2026-03-01T{time}Z"), timestamp)


def instant(time: str) -> int:
    return parse_instant(f"2026-03-01T{time}Z")


def test_a_mark_is_the_newest_time_less_lateness_and_goes_to_every_partition() -> None:
    source = Source().process(at("11:30:00"), at("11:20:00"))
    assert source.sent(IdentityMark) == [IdentityMark("touchpoints.sales/0", [instant("11:20:00")])] * 3


def test_a_mark_comes_after_everything_else_of_its_batch() -> None:
    source = Source().process(at("11:30:00"), record(b"{"))
    for partition in range(3):
        messages = [m for f in source.logs.log(IDENTITY, partition) for m in IDENTITY_FRAMES.decode(f)]
        assert isinstance(messages[-1], IdentityMark)


def test_marks_never_go_back_also_over_a_restart() -> None:
    source = Source().process(at("11:30:00"))
    source.restart()
    source.process(at("11:00:00", NOW + SECOND)).process(at("11:31:00", NOW + 2 * SECOND))
    assert source.marks() == [instant("11:20:00"), instant("11:21:00")]


def test_a_touchpoint_ahead_of_its_record_never_advances_time() -> None:
    source = Source().process(at("11:30:00"), at("12:01:00.000001"))
    assert source.marks() == [instant("11:20:00")]
    source = Source().process(at("11:30:00"), at("12:01:00"))
    assert source.marks() == [instant("11:51:00")]


def test_a_refused_record_does_not_advance_time() -> None:
    source = Source().process(at("11:30:00"), record(event(time="2026-03-01T11:50:00Z", identities={})))
    assert source.marks() == [instant("11:20:00")]


def test_marks_are_told_once_in_an_interval_and_the_last_one_in_the_quiet() -> None:
    source = Source()
    for number in range(4):
        source.process(at(f"11:30:0{number}", NOW + number * SECOND // 10))
    assert source.marks() == [instant("11:20:00"), instant("11:20:03")]
    source.process(at("11:30:04", NOW + 4 * SECOND // 10))
    assert source.ingest.quiet(NOW, source.logs)
    assert source.marks()[-1] == instant("11:20:04")
    assert not source.ingest.quiet(NOW, source.logs)


def test_a_producer_whose_clock_goes_back_does_not_silence_its_source() -> None:
    source = (
        Source()
        .process(at("11:30:00"), at("11:31:00", NOW - 3 * SECOND))
        .process(at("11:32:00", NOW - 9 * SECOND))
    )
    assert source.marks() == [instant("11:21:00"), instant("11:22:00")]


def test_a_tick_moves_time_to_its_instant_exactly() -> None:
    tick = instant("11:50:00")
    source = Source().process(at("11:30:00"), record(None, headers=tick_headers(tick)))
    assert source.marks() == [tick]
    assert source.letters() == []
    source.process(record(b"", NOW + SECOND, [(TICK_HEADER, b"2026-03-01T11:51:00Z")]))
    assert source.marks() == [tick, instant("11:51:00")]


def test_a_tick_that_goes_back_is_void() -> None:
    source = Source().process(at("11:30:00"), record(None, headers=tick_headers(instant("11:00:00"))))
    assert source.marks() == [instant("11:20:00")]


def test_a_tick_within_the_interval_is_told_in_the_quiet_also_after_a_restart() -> None:
    source = Source().process(at("11:30:00")).process(record(None, headers=tick_headers(NOW)))
    source.restart()
    assert source.ingest.quiet(NOW, source.logs)
    assert source.marks() == [instant("11:20:00"), NOW]


@pytest.mark.parametrize(
    "tick",
    [
        *(b"tomorrow", b"\xff", b"", b"-5", b"2026-03-01"),
        *(b"253402300800000000", b"99999999999999999999", b"9999-12-31T23:59:59-12:00"),
    ],
)
def test_a_tick_that_is_no_instant_is_refused(tick: bytes) -> None:
    letter = refusal(None, headers=[(TICK_HEADER, tick)])
    assert (letter.code, letter.path) == (ErrorCode.BAD_HEADERS, "headers.throughline-tick")


def test_a_tick_with_a_value_is_refused() -> None:
    assert refusal(event(), headers=tick_headers(NOW)).code == ErrorCode.BAD_HEADERS


def test_a_silent_source_follows_the_wall_clock_when_live_and_never_in_a_replay() -> None:
    live = Source(live=True)
    assert live.ingest.quiet(NOW, live.logs)
    assert live.marks() == [NOW - 600 * SECOND]
    assert not live.ingest.quiet(NOW + SECOND // 10, live.logs)
    assert live.ingest.quiet(NOW + SECOND, live.logs)
    replay = Source(live=False)
    assert not replay.ingest.quiet(NOW, replay.logs)
    assert replay.marks() == []


def test_a_wall_clock_behind_the_events_does_not_take_time_back() -> None:
    source = Source(live=True).process(record(None, headers=tick_headers(NOW)))
    assert not source.ingest.quiet(NOW, source.logs)
    assert source.marks() == [NOW]


def test_the_counts_tell_what_became_of_the_records() -> None:
    source = Source().process(
        record(event(identities={"order_id": "O-1", "customer_id": "C-1"})),
        record(b"{"),
        record(None, headers=tick_headers(NOW)),
    )
    assert source.ingest.counts == {
        "touchpoints": 1,
        "claims": 1,
        "ticks": 1,
        "dead_letters": 1,
        "dead_letters.malformed_json": 1,
    }
