"""Errors of the core that no repetition mends, as what stops a worker at once, with the remedy.

In: a stage's factory. Out: a factory of the same logics, which raise `StopWorker` where the core raises one of these: a
frame that cannot be read, persons that were linked by other rules, or too many dead letters. None is skipped: a frame has
no writer but us, persons by two sets of rules are nobody's, and going on would empty a bad deployment into the
dead-letter topic. (State that cannot be read is the engine's to rebuild.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from pipeline.core.dead_letters import TooManyDeadLettersError
from pipeline.core.frames import FrameError
from pipeline.core.linker import LinkRulesChangedError
from pipeline.engine.errors import StopWorker
from pipeline.engine.stage import StageFactory, StageLogic
from pipeline.ports import Outbox, Record, Store


def stopping(factory: StageFactory) -> StageFactory:
    """The factory, whose logics stop the worker where they cannot go on."""

    def build(partition: int, store: Store) -> StageLogic:
        with _stopping():
            return _Stopping(factory(partition, store))

    return build


class _Stopping:
    def __init__(self, logic: StageLogic) -> None:
        self._logic = logic

    def process(self, records: Iterable[Record], outbox: Outbox) -> None:
        with _stopping():
            self._logic.process(records, outbox)

    def quiet(self, now: int, outbox: Outbox) -> bool:
        with _stopping():
            return self._logic.quiet(now, outbox)

    @property
    def owes(self) -> bool:
        return self._logic.owes


@contextmanager
def _stopping() -> Iterator[None]:
    try:
        yield
    except (FrameError, LinkRulesChangedError, TooManyDeadLettersError) as error:
        raise StopWorker(str(error)) from error
