"""The shadow run: past touchpoints through the live and the new map side by side, in memory, and what differs.

In: touchpoints, once each, those from a cut on before the earlier ones. Out: a `ShadowReport`. What always holds:

- Both maps get the same touchpoints, through the real stages with the same settings. So what differs comes of the maps
  alone, and not of what a live pipeline kept or forgot.
- Time stands still until all of them are in, and then advances to one instant. So none is late, whatever the order, and
  promises that are due later are open.
- Nothing is published, stored or sent anywhere.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from pipeline.core.dead_letters import decode_headers
from pipeline.core.instants import moment
from pipeline.core.messages import Micros
from pipeline.core.plan import Plan
from pipeline.core.run import MemoryPipeline, RunConfig, summarise
from pipeline.shadow.comparison import Comparison
from pipeline.shadow.conclusions import Conclusion, Pair, pairs, rules_of
from pipeline.shadow.past import PastTouchpoint
from pipeline.shadow.persons import PersonComparison, PublishedToPersons
from pipeline.shadow.report import ShadowReport, Side
from pipeline.shadow.selection import Selection, shared_fields

_DOMAIN = "service"
"""All come by this topic, since it means nothing behind ingest; the others are silent, so that time waits for the tick."""


@dataclass(frozen=True)
class NamedPlan:
    """A compiled map, and what the report calls it."""

    name: str
    plan: Plan


class ShadowRun:
    """`since` is the cut (None: everything is taken); `examples` are kept of each kind of difference."""

    def __init__(
        self, live: NamedPlan, new: NamedPlan, config: RunConfig, *, since: Micros | None, examples: int
    ) -> None:
        self._since, self._examples = since, examples
        # however many touchpoints a map refuses: that is a result, and not a bad deployment
        config = replace(config, dead_letter_max_share=1.0)
        self._live, self._new = (_Map(each, config, since is not None) for each in (live, new))
        self._batch_records = config.batch_records
        self._waiting = 0
        self.sharing = shared_fields(live.plan, new.plan)
        """What an earlier touchpoint has to share with one from the cut on; None: nothing by which it could be told."""
        self.newest: Micros | None = None
        self.touchpoints = 0
        self.earlier = 0

    def take(self, past: PastTouchpoint) -> None:
        """A touchpoint from the cut on."""
        self.touchpoints += 1
        self.newest = past.time if self.newest is None else max(self.newest, past.time)
        for side in (self._live, self._new):
            if side.selection is not None:
                side.selection.add(past.event)
        self._feed(past.event)

    def complete(self, past: PastTouchpoint) -> None:
        """A touchpoint from before the cut, after all others: it counts if it belongs to a journey that goes on."""
        if self._live.needs(past.event) or self._new.needs(past.event):
            self.earlier += 1
            self._feed(past.event)

    def conclude(self, as_of: Micros, source: str, unreadable: int, notes: list[str]) -> ShadowReport:
        """Advance time to `as_of` and compare."""
        for side in (self._live, self._new):
            side.pipeline.tick(as_of)
            side.pipeline.drain()
        compared = Comparison(rules_of(self._live.plan), rules_of(self._new.plan), self._examples)
        left_out = 0
        for pair in pairs(self._live.published, self._new.published):
            kept = self._judged(pair)
            left_out += sum(was is not None and now is None for was, now in zip(pair, kept, strict=True))
            if kept != (None, None):
                compared.take(kept)
        persons = PersonComparison(self._live.published.whose(), self._new.published.whose())
        return ShadowReport(
            source=source,
            since=None if self._since is None else moment(self._since),
            as_of=moment(as_of),
            touchpoints=self.touchpoints,
            earlier=self.earlier,
            unreadable=unreadable,
            left_out=left_out,
            live=self._live.side(as_of),
            new=self._new.side(as_of),
            rules=compared.rules(),
            changes=compared.changes(),
            persons=persons.persons(self._examples),
            customers=compared.customers(persons.changed()),
            notes=notes,
        )

    def _feed(self, event: bytes) -> None:
        self._waiting += 1
        is_full = self._waiting == self._batch_records
        for side in (self._live, self._new):
            side.pipeline.feed(_DOMAIN, event)
            if is_full:
                side.pipeline.work()
        if is_full:
            self._waiting = 0

    def _judged(self, pair: Pair) -> Pair:
        """The pair without what is concluded of a journey of which only a part may be here."""
        live, new = pair
        return self._live.judged(live), self._new.judged(new)


class _Map:
    """One of the two maps at work."""

    def __init__(self, named: NamedPlan, config: RunConfig, is_cut: bool) -> None:
        self.plan = named.plan
        self.published = PublishedToPersons()
        self.pipeline = MemoryPipeline(named.plan, config, published=self.published)
        self.selection = Selection(named.plan, config) if is_cut else None
        self._name = named.name

    def needs(self, event: bytes) -> bool:
        return self.selection is None or self.selection.needs(event)

    def judged(self, conclusion: Conclusion | None) -> Conclusion | None:
        if conclusion is None or self.selection is None or self.selection.has(conclusion):
            return conclusion
        return None

    def side(self, as_of: Micros) -> Side:
        summary = summarise(self.pipeline, self.plan, as_of)
        codes = (decode_headers(letter.headers).code for letter in self.published.dead_letters)
        return Side(
            map=self._name,
            touchpoints=summary.touchpoints,
            unmapped=summary.unmapped,
            persons=summary.persons,
            refused=dict(sorted(Counter(code.value for code in codes).items())),
        )
