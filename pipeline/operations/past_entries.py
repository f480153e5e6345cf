"""Past touchpoints as the core keeps them: events in, entries of a trail out, read under a map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from pipeline.core.dead_letters import RefusedError
from pipeline.core.messages import Entry
from pipeline.core.plan import Plan
from pipeline.core.run import MemoryRecord
from pipeline.core.tokens import Tokens
from pipeline.core.touchpoints import Reader
from pipeline.shadow.past import PastTouchpoint

_ANY_SIZE = 1 << 30


def entries_of(plan: Plan, touchpoints: Iterable[PastTouchpoint]) -> Iterator[Entry]:
    """What the rules of a map see of these touchpoints; one that the map refuses is left out, as it would be there."""
    # whose they are is known, so any key will do
    reader = Reader(plan, Tokens("", plan.kinds), _ANY_SIZE, Counter())
    for each in touchpoints:
        try:
            # as if it had been written when it happened
            yield reader.read(
                MemoryRecord("", 0, 0, each.time // 1000, None, each.event, ())
            ).touchpoint.entry
        except RefusedError:
            continue
