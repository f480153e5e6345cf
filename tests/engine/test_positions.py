"""Where a stage or a sink reads on, and when it must not."""

from __future__ import annotations

import pytest
from faust.types import TP

from pipeline.engine.changelog import Position
from pipeline.engine.errors import PositionLostError
from pipeline.engine.logs import Bounds
from pipeline.engine.opening import UNREAD, Committed, Found, starting_position, transactional_id
from pipeline.engine.sink import sink_position
from pipeline.engine.unit import StageSpec

LOG = Bounds(10, 50)
SPEC = StageSpec("identity", "in", "log", factory=None)  # type: ignore[arg-type]


def start(
    stored: Position | None,
    *,
    keys: int = 0,
    bounds: Bounds = LOG,
    committed: Committed | None = None,
) -> Position:
    return starting_position(SPEC, 3, stored, Found("new", bounds, keys), committed)


def test_a_new_pipeline_begins_where_the_log_begins() -> None:
    assert start(None) == Position(10, "new")
    assert start(None, committed=Committed(0, UNREAD)) == Position(10, "new")


@pytest.mark.parametrize("offset", [10, 25, 50])
def test_a_stored_position_inside_the_log_is_taken_whatever_the_group_says(offset: int) -> None:
    assert start(Position(offset, "new"), keys=7, committed=Committed(49, "new")) == Position(offset, "new")


@pytest.mark.parametrize(
    ("stored", "keys", "committed", "said"),
    [
        (None, 0, Committed(20, "new"), "log-3 of identity has no position, but in-3 was read before"),
        (None, 5, None, "restore it, or start the pipeline under a new name"),
        (Position(20, "old"), 5, None, "the topic 'in' was deleted and made anew since identity read it"),
        (Position(9, "new"), 5, None, "retention has removed records that were not read"),
        (Position(51, "new"), 5, None, "the log was cut"),
    ],
)
def test_a_position_that_does_not_belong_to_the_log_stops_the_worker(
    stored: Position | None, keys: int, committed: Committed | None, said: str
) -> None:
    with pytest.raises(PositionLostError, match=said):
        start(stored, keys=keys, committed=committed)


def test_each_stage_topic_and_partition_has_its_own_transactional_id() -> None:
    assert transactional_id("throughline", SPEC, 3) == "throughline-identity-in-3"


def sink_start(committed: Committed | None) -> int:
    return sink_position("warehouse", TP("in", 3), "new", Bounds(10, 50), committed)


def test_a_sink_begins_where_the_log_begins_and_goes_on_where_it_has_written() -> None:
    assert sink_start(None) == 10
    assert sink_start(Committed(0, UNREAD)) == 10
    assert sink_start(Committed(30, "new")) == 30


@pytest.mark.parametrize(
    ("committed", "said"),
    [
        (Committed(30, "old"), "made anew since warehouse read it"),
        (Committed(9, "new"), "records were removed before they were written"),
        (Committed(51, "new"), r"outside its log \[10, 50\]"),
    ],
)
def test_a_sinks_offset_that_does_not_belong_to_the_log_stops_the_worker(
    committed: Committed, said: str
) -> None:
    with pytest.raises(PositionLostError, match=said):
        sink_start(committed)
