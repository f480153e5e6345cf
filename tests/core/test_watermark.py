"""Watermarks: the minimum over declared channels, never back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.watermark import Watermark


def test_time_stands_still_until_every_channel_has_spoken() -> None:
    watermark = Watermark(["a", "b"])
    assert not watermark.advance("a", 10)
    assert watermark.time is None
    assert watermark.advance("b", 5)
    assert watermark.time == 5


def test_only_the_channel_that_is_behind_moves_time() -> None:
    watermark = Watermark(["a", "b"], {"a": 10, "b": 5})
    assert not watermark.advance("a", 20)
    assert watermark.advance("b", 15)
    assert watermark.time == 15


def test_marks_that_go_back_and_channels_that_are_not_declared_are_void() -> None:
    watermark = Watermark(["a"], {"a": 10})
    assert not watermark.advance("a", 9)
    assert not watermark.advance("stranger", 99)
    assert (watermark.time, watermark.mark("a"), watermark.mark("stranger")) == (10, 10, None)


def test_a_new_channel_joins_at_the_time_reached_and_holds_it_until_it_speaks() -> None:
    watermark = Watermark(["a", "new"], {"a": 50}, floor=30)
    assert watermark.time == 30
    assert not watermark.advance("a", 60)
    assert watermark.advance("new", 40)
    assert watermark.time == 40


def test_a_channel_that_is_no_longer_declared_is_no_longer_waited_for() -> None:
    watermark = Watermark(["a"], {"a": 50, "gone": 30}, floor=30)
    assert watermark.time == 50


def test_without_channels_there_is_no_time() -> None:
    assert Watermark([]).time is None


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 50)), max_size=40))
def test_the_watermark_is_the_least_of_the_greatest_marks_whatever_their_order(
    marks: list[tuple[str, int]],
) -> None:
    watermark = Watermark("abc")
    reached: list[int] = []
    for channel, mark in marks:
        moved = watermark.advance(channel, mark)
        if watermark.time is not None:
            assert moved == (not reached or reached[-1] != watermark.time)
            reached.append(watermark.time)
    assert reached == sorted(reached)
    greatest = {c: max((m for channel, m in marks if channel == c), default=None) for c in "abc"}
    spoken = [mark for mark in greatest.values() if mark is not None]
    assert watermark.time == (min(spoken) if len(spoken) == 3 else None)
