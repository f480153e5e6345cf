"""Errors of the core that no repetition mends, as what stops a worker at once, with the remedy.

In: a stage's factory and its changelog. Out: a factory of the same logics, which raise `StopWorker` where the core
raises one of these: a state or a frame that cannot be read, or too many dead letters. None of them is skipped: both
kinds of topic have no writer but us, and going on would empty a bad deployment into the dead-letter topic.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from pipeline.core.dead_letters import TooManyDeadLettersError
from pipeline.core.frames import FrameError
from pipeline.core.stored import UnreadableStateError
from pipeline.engine.errors import StopWorker
from pipeline.engine.stage import StageFactory, StageLogic
from pipeline.ports import Outbox, Record, Store


def stopping(factory: StageFactory, changelog: str) -> StageFactory:
    """The factory, whose logics stop the worker where they cannot go on."""

    def build(partition: int, store: Store) -> StageLogic:
        place = f"{changelog}-{partition}"
        with _stopping_at(place):
            return _Stopping(factory(partition, store), place)

    return build


class _Stopping:
    def __init__(self, logic: StageLogic, place: str) -> None:
        self._logic = logic
        self._place = place

    def process(self, records: Iterable[Record], outbox: Outbox) -> None:
        with _stopping_at(self._place):
            self._logic.process(records, outbox)

    def quiet(self, now: int, outbox: Outbox) -> bool:
        with _stopping_at(self._place):
            return self._logic.quiet(now, outbox)

    @property
    def owes(self) -> bool:
        return self._logic.owes


@contextmanager
def _stopping_at(place: str) -> Iterator[None]:
    try:
        yield
    except UnreadableStateError as error:
        raise StopWorker(
            f"the changelog {place} holds state that this version cannot use: {error}; run the version that wrote "
            "it, restore the topic, or start the pipeline under a new name and replay"
        ) from error
    except (FrameError, TooManyDeadLettersError) as error:
        raise StopWorker(str(error)) from error
