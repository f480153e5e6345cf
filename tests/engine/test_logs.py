"""What the broker says of a log, and what is no answer."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.engine.errors import BrokerUnavailableError, StopWorker
from pipeline.engine.logs import Bounds, Logs


def answering(*offsets: int) -> Logs:
    """Logs whose broker answers with these offsets, one after the other."""
    left = list(offsets)

    def list_offsets(asked: dict[Any, Any], **_: Any) -> dict[Any, Future[Any]]:
        future: Future[Any] = Future()
        future.set_result(SimpleNamespace(offset=left.pop(0)))
        return dict.fromkeys(asked, future)

    logs = Logs({"bootstrap.servers": "127.0.0.1:9", "log_level": 0})
    logs._admin = SimpleNamespace(list_offsets=list_offsets, poll=lambda _: 0)
    return logs


def test_the_bounds_of_a_log_are_its_first_offset_and_the_one_behind_its_last() -> None:
    assert answering(3, 7).bounds("t", 0) == Bounds(3, 7)


@pytest.mark.parametrize("offsets", [(0, -1001), (-1001,)])
def test_an_offset_that_is_none_is_a_broker_to_ask_again_and_never_an_empty_log(
    offsets: tuple[int, ...],
) -> None:
    """librdkafka answers -1001, and no error, when the broker dies meanwhile."""
    with pytest.raises(BrokerUnavailableError) as silence:
        answering(*offsets).bounds("t", 0)
    assert not isinstance(silence.value, StopWorker)
