"""Whole journeys out of a history that is cut: which journeys have a touchpoint from the cut on, and what else is theirs.

What always holds: a journey that is judged has all its touchpoints of the source, those before the cut too. One that
has none from the cut on is not judged, even if it shares an earlier touchpoint with one that is.
"""

from __future__ import annotations

from collections import Counter

from pipeline.core.dead_letters import RefusedError
from pipeline.core.journey import keys_of
from pipeline.core.plan import Plan
from pipeline.core.run import MemoryRecord, RunConfig
from pipeline.core.tokens import Tokens
from pipeline.core.touchpoints import Reader
from pipeline.shadow.conclusions import Conclusion

Journey = tuple[str, str]
"""The name of a journey type, and the value of its key."""


def shared_fields(live: Plan, new: Plan) -> list[str] | None:
    """The fields that correlate journeys, if equal values of a journey are written alike wherever they are kept, under
    whatever map they came in; None if for one field that is not certain.
    """
    fields = dict.fromkeys(journey.key for plan in (live, new) for journey in plan.journeys)
    certain = all(
        field == "subject" or _is_written_alike(field, plan) for field in fields for plan in (live, new)
    )
    return list(fields) if certain else None


def _is_written_alike(field: str, plan: Plan) -> bool:
    root, _, kind = field.partition(".")
    declared = plan.kinds.get(kind) if root == "identities" else None
    return declared is not None and declared.normalise == "text" and declared.case_sensitive


class Selection:
    """The journeys of one map that go on from the cut; everything is one if nothing is cut."""

    def __init__(self, plan: Plan, config: RunConfig) -> None:
        self._plan = plan
        self._timestamp = config.now // 1000
        tokens = Tokens(config.identity_key, plan.kinds)
        self._reader = Reader(plan, tokens, config.max_touchpoint_bytes, Counter())
        self._journeys: set[Journey] = set()

    def add(self, event: bytes) -> None:
        """A touchpoint from the cut on: its journeys are judged."""
        self._journeys.update(self._journeys_of(event))

    def needs(self, event: bytes) -> bool:
        """Whether an earlier touchpoint belongs to one of them."""
        return not self._journeys.isdisjoint(self._journeys_of(event))

    def has(self, conclusion: Conclusion) -> bool:
        """Whether what was concluded is of a journey that is judged."""
        return (conclusion.journey_type, conclusion.journey_key) in self._journeys

    def _journeys_of(self, event: bytes) -> list[Journey]:
        record = MemoryRecord("", 0, 0, self._timestamp, None, event, ())
        try:
            fields = self._reader.read(record).touchpoint.entry.fields
        except RefusedError:
            return []
        return [(rules.name, key) for rules, key in keys_of(fields, self._plan.journeys)]
