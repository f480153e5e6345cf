"""What ends a worker beside a signal: nothing of its own may stop in silence and leave the process waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from pipeline.engine.errors import EXIT_FAILED, BrokerUnavailableError, EngineError
from pipeline.engine.worker import _say_quiet, _start, _watch


class App:
    """As much of an app as its life needs; `starts` and `quiet` are what happens then."""

    def __init__(self, starts: Exception | None = None, quiet: Exception | None = None) -> None:
        self.failures: list[EngineError] = []
        self.fail: Callable[[EngineError], None] = self.failures.append
        self.engine = SimpleNamespace(bootstrap="nowhere:1", quiet_interval=0.001)
        self.partitions = SimpleNamespace(say_quiet=lambda: _raise(quiet))
        self._starts = starts
        self._crashed, self.crash_reason = asyncio.Event(), ValueError("a fatal answer")

    async def start(self) -> None:
        _raise(self._starts)


def _raise(error: Exception | None) -> None:
    if error is not None:
        raise error


async def ended(life: Callable[[Any], Any], app: App) -> EngineError:
    await asyncio.wait_for(life(app), 5)
    (failure,) = app.failures
    return failure


async def test_a_broker_that_is_not_there_is_told_with_the_remedy() -> None:
    failure = await ended(_start, App(starts=KafkaConnectionError("refused")))
    assert isinstance(failure, BrokerUnavailableError)
    assert "Kafka at nowhere:1 can't be used" in str(failure)


@pytest.mark.parametrize(
    ("life", "app", "says"),
    [
        (
            _start,
            {"starts": ValueError("odd")},
            r"the worker could not start \(ValueError at test_worker_life.py:\d+ in _raise\)",
        ),
        (
            _say_quiet,
            {"quiet": ValueError("odd")},
            r"the worker's clock stopped \(ValueError at test_worker_life.py:\d+ in _raise\)",
        ),
    ],
    ids=["starting", "telling quiet times"],
)
async def test_an_error_that_nobody_expected_ends_the_worker_and_is_told(
    life: Callable[[Any], Any], app: dict[str, Exception], says: str
) -> None:
    failure = await ended(life, App(**app))
    assert failure.exit_code == EXIT_FAILED
    with pytest.raises(EngineError, match=says):
        raise failure


async def test_a_consumer_that_crashed_ends_the_worker() -> None:
    app = App()
    app._crashed.set()
    assert "the worker's Kafka consumer crashed (ValueError)" in str(await ended(_watch, app))
