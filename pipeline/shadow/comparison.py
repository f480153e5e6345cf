"""Pairs of conclusions in; counts by rule and status, and what differs, with examples and customers, out.

What always holds: a pair is counted once under each map that concludes it, and is a change exactly if its statuses or its
facts differ. Nothing that comes out depends on the order of the pairs.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from pipeline.shadow.conclusions import Conclusion, Pair
from pipeline.shadow.report import Change, Customer, Example, RuleCounts, StatusCount, Where

Rule = tuple[str, str]
"""The type of a conclusion and the name of the rule behind it."""


class _Kind(NamedTuple):
    """How a conclusion differs; those that are equal in this are counted together."""

    rule: Rule
    live: str | None
    new: str | None

    @property
    def is_verdict(self) -> bool:
        return self.live != self.new


class _Tally:
    """The differences of one kind: how many, of whom, in which facts, and the first examples by time."""

    def __init__(self) -> None:
        self.count = 0
        self.customers: set[str] = set()
        self.facts: Counter[str] = Counter()
        self.examples: list[tuple[tuple[str, ...], Example]] = []

    def add(self, example: Example, facts: Iterable[str], most: int) -> None:
        self.count += 1
        self.customers.add(example.person_id)
        self.facts.update(facts)
        place = (example.opened_at, example.journey_type, example.journey_key, repr(example.new))
        insort(self.examples, (place, example), key=lambda kept: kept[0])
        del self.examples[most:]


class Comparison:
    """Takes pairs one by one and keeps no more of them than its counts, the customers, and `examples` of each kind."""

    def __init__(self, live: Sequence[Rule], new: Sequence[Rule], examples: int) -> None:
        self._live, self._new, self._examples = frozenset(live), frozenset(new), examples
        # a rule that is new stands behind those that were there
        self._rules = list(dict.fromkeys([*live, *new]))
        self._counts: dict[Rule, dict[str, list[int]]] = {rule: {} for rule in self._rules}
        self._kinds: dict[_Kind, _Tally] = {}
        self._verdicts: Counter[str] = Counter()
        self._facts: Counter[str] = Counter()

    def take(self, pair: Pair) -> None:
        for side, conclusion in enumerate(pair):
            if conclusion is not None:
                of_rule = self._count_of((conclusion.type, conclusion.rule))
                of_rule.setdefault(conclusion.status, [0, 0])[side] += 1
        live, new = pair
        known = new or live
        assert known is not None, "a pair has a side"
        facts = _differing(live, new)
        kind = _Kind((known.type, known.rule), live and live.status, new and new.status)
        if kind.is_verdict or facts:
            example = _example(known, live, new, facts)
            self._kinds.setdefault(kind, _Tally()).add(example, facts, self._examples)
            (self._verdicts if kind.is_verdict else self._facts)[known.person_id] += 1

    def rules(self) -> list[RuleCounts]:
        """Every rule of either map, in their order, also with nothing but zeros."""
        return [
            RuleCounts(
                *rule,
                self._only_in(rule),
                [StatusCount(status, *both) for status, both in sorted(self._counts[rule].items())],
            )
            for rule in self._rules
        ]

    def changes(self) -> list[Change]:
        """By rule; other verdicts before other facts, and the most frequent first."""
        position = {rule: number for number, rule in enumerate(self._rules)}

        def place(item: tuple[_Kind, _Tally]) -> tuple[object, ...]:
            kind, tally = item
            return position[kind.rule], not kind.is_verdict, -tally.count, str(kind.live), str(kind.new)

        return [_change(kind, tally) for kind, tally in sorted(self._kinds.items(), key=place)]

    def customers(self, others: Iterable[str]) -> list[Customer]:
        """Everyone of whom something differs, and `others`."""
        persons = dict.fromkeys([*self._verdicts, *self._facts, *others])
        found = [Customer(person, self._verdicts[person], self._facts[person]) for person in persons]
        return sorted(found, key=lambda each: (-each.verdicts, -each.facts, each.person_id))

    def _count_of(self, rule: Rule) -> dict[str, list[int]]:
        """Of a rule of the maps, or of another kind that is concluded all the same."""
        if rule not in self._counts:
            self._rules.append(rule)
            self._counts[rule] = {}
        return self._counts[rule]

    def _only_in(self, rule: Rule) -> Where:
        if (rule in self._live) == (rule in self._new):
            return "both"
        return "live" if rule in self._live else "new"


def _change(kind: _Kind, tally: _Tally) -> Change:
    return Change(
        *kind.rule,
        kind.live,
        kind.new,
        dict(sorted(tally.facts.items(), key=lambda fact: (-fact[1], fact[0]))),
        tally.count,
        len(tally.customers),
        [example for _, example in tally.examples],
    )


def _differing(live: Conclusion | None, new: Conclusion | None) -> tuple[str, ...]:
    """The facts that both know, or one alone, and that are not the same; none if a map does not conclude it at all."""
    if live is None or new is None:
        return ()
    names = dict.fromkeys([*live.facts, *new.facts])
    return tuple(name for name in names if live.facts.get(name) != new.facts.get(name))


def _example(
    known: Conclusion, live: Conclusion | None, new: Conclusion | None, facts: tuple[str, ...]
) -> Example:
    """With the facts that differ; with all of them if a map does not conclude it at all."""
    shown = known.facts if live is None or new is None else facts
    return Example(
        known.journey_type,
        known.journey_key,
        known.person_id,
        known.opened_at,
        *(_said(conclusion, shown) for conclusion in (live, new)),
    )


def _said(conclusion: Conclusion | None, names: Iterable[str]) -> dict[str, Any]:
    if conclusion is None:
        return {}
    facts = {name: conclusion.facts[name] for name in names if name in conclusion.facts}
    return {"status": conclusion.status, **facts}
