"""Journeys: the touchpoints of a trail that share a correlation key in, promises and visits out.

A journey's state is a fold over its entries in trail order. An entry behind all others extends it, one that does
nothing in it may come and go anywhere; any other change makes it stale, and `refold` computes it anew. All give the
same state. What was cut off the trail lives on in the journey's `base`, from which a refold starts.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from hashlib import blake2b
from typing import Any, Final

from mypy_extensions import mypyc_attr

from pipeline.core import promises, stalls, values
from pipeline.core.acts import ABANDON, END, ENTER, OF_PROMISES, OF_VALUES
from pipeline.core.fields import key_text
from pipeline.core.instants import NEVER
from pipeline.core.messages import Entry, Micros
from pipeline.core.plan import JourneyRules, applies
from pipeline.core.promises import PromiseFold
from pipeline.core.rules import LearnedRule, Rule
from pipeline.core.stalls import StageFold
from pipeline.core.stored import Base, Order
from pipeline.core.values import ValueFold

EntryKey = tuple[str, str]
Names = tuple[str, ...]
Passage = tuple[Names, Names, Names]
"""The names of the stages that a touchpoint entered, left, and left the journey in."""
TOLD: Final = "t"
"""With this begins the name under which a touchpoint keeps what the learner was told of it; a finding's is hexadecimal."""
Lost = tuple[str, int]
"""A making that a base has no room for: the label of its rule and the identity of its touchpoint."""


def order(entry: Entry) -> Order:
    """The place of an entry in trail order."""
    return (entry.time, entry.sequence, entry.source, entry.id)


def place_behind(entries: list[Entry], place: Order) -> int:
    """How many of the entries, which are in trail order, stand before this place or in it."""
    time = place[0]
    low, high = 0, len(entries)
    while low < high:
        middle = (low + high) // 2
        entry = entries[middle]
        if entry.time < time or (entry.time == time and order(entry) <= place):
            low = middle + 1
        else:
            high = middle
    return low


def journey_id(journey_type: str, key: str) -> str:
    """The name of a journey: 32 hex digits from its type and correlation key, never from the person."""
    return blake2b(f"{journey_type}\0{key}".encode(), digest_size=16).hexdigest()


def finding_id(rule: Rule, journey: str, opening: Entry) -> str:
    """The name of a finding: 32 hex digits from the rule, the journey and the touchpoint that opened it."""
    # a source and an id may hold any character, so that only a length tells where one ends
    source = opening.source
    text = f"{rule.label}\0{journey}\0{len(source)}\0{source}{opening.id}"
    name = blake2b(text.encode(), digest_size=16).hexdigest()
    return TOLD + name[1:] if isinstance(rule, LearnedRule) else name


@mypyc_attr(acyclic=True)
class Journey:
    """One journey of a person. `promises`, `values` and `stages` are in the order of its rules, None until one is used.

    `where` names the stages that it is in, and `been` those that it was in since each touchpoint that changed that; before
    the first of them it was where its base left it. `has_news`: something has happened that a conclusion may hang on;
    `next_deadline` is the instant at which time alone may change one, or an earlier one. `owners` remembers of which
    rule the finding of a name is; None: of another journey's.
    """

    __slots__ = (
        "base",
        "been",
        "ended_at",
        "entries",
        "has_news",
        "id",
        "is_stale",
        "key",
        "next_deadline",
        "owners",
        "promises",
        "rules",
        "stages",
        "values",
        "where",
    )

    def __init__(self, rules: JourneyRules, key: str, name: str, base: Base | None = None) -> None:
        self.rules = rules
        self.key = key
        self.id = name
        self.promises: list[PromiseFold | None] = [None] * len(rules.promises)
        self.values: list[ValueFold | None] = [None] * len(rules.values)
        self.stages: list[StageFold | None] = [None] * len(rules.stages)
        self.entries: list[Entry] = []
        self.base = base
        self.ended_at: Micros | None = None
        self.where: Names = ()
        self.been: list[tuple[Entry | None, Names]] = []
        self.is_stale = False
        self.has_news = True
        self.next_deadline = NEVER
        self.owners: dict[str, Rule | None] = {}

    def finding_id(self, rule: Rule, opening: Entry) -> str:
        """The name of a finding of this journey. What was published has it already: a refolded journey asks again."""
        owners = self.owners
        for known in opening.findings:
            owner = owners.get(known.finding_id)
            # of the same rule on different calendars the label is the same
            if owner is rule or (owner is not None and owner.label == rule.label):
                return known.finding_id
        name = finding_id(rule, self.id, opening)
        owners[name] = rule
        return name

    def owner_of(self, name: str, opening: Entry) -> Rule | None:
        """The rule by which this touchpoint opened a finding here; None if it did so in another journey."""
        if name in self.owners:
            return self.owners[name]
        of = self.rules
        rules: tuple[Rule, ...] = (*of.promises, *of.values, *of.stages, *of.learned)
        for rule in rules:
            if finding_id(rule, self.id, opening) == name:
                self.owners[name] = rule
                return rule
        self.owners[name] = None
        return None

    def is_empty(self) -> bool:
        """Nothing belongs to it any more."""
        return not self.entries and self.base is None

    @property
    def touchpoints(self) -> int:
        return len(self.entries) + (self.base.touchpoints if self.base else 0)

    @property
    def opened_at(self) -> Micros:
        return self.base.opened_at if self.base else self.entries[0].time

    @property
    def last_at(self) -> Micros:
        return self.entries[-1].time if self.entries or self.base is None else self.base.last_at

    def add(self, entry: Entry) -> Passage | None:
        """Take in an entry; what it did. None: something else may have come of what is behind it, so that the journey is
        stale and says nothing until refolded.
        """
        entries = self.entries
        if not self.is_stale and (
            not entries or entry.time > entries[-1].time or order(entry) > order(entries[-1])
        ):
            entries.append(entry)
            return self._apply(entry)
        entries.insert(place_behind(entries, order(entry)), entry)
        if self.is_stale or not self.is_idle(entry):
            self.is_stale = True
            return None
        return ((), (), self._where_at(entry))

    def remove(self, entry: Entry) -> None:
        """Take out an entry that was added."""
        del self.entries[place_behind(self.entries, order(entry)) - 1]
        if not self.is_idle(entry):
            self.is_stale = True

    def is_idle(self, entry: Entry) -> bool:
        """Whether a touchpoint does nothing here, wherever it stands, and nothing was published that it opened."""
        return entry.type not in self.rules.actions and not entry.findings

    def _where_at(self, entry: Entry) -> Names:
        """The stages that it was in when this happened."""
        place = order(entry)
        for change, where in reversed(self.been):
            if change is None or order(change) < place:
                return where
        return ()

    def refold(self, asked: Container[EntryKey] = ()) -> dict[EntryKey, Passage]:
        """Compute the state anew. For each entry that was asked about, what it did."""
        self._begin()
        passages = {}
        for entry in self.entries:
            passage = self._apply(entry)
            if asked and (key := (entry.source, entry.id)) in asked:
                passages[key] = passage
        self.is_stale = False
        self.has_news = True
        return passages

    def cut(self, place: Order) -> int:
        """Move the entries up to `place` into the base. How many unsettled promises were lost by its bound."""
        count = place_behind(self.entries, place)
        cut = self.entries[:count]
        del self.entries[:count]
        self.owners.clear()
        before = Journey(self.rules, self.key, self.id, self.base)
        before.entries = cut
        before.refold()
        since = [
            (change, where) for change, where in self.been if change is not None and order(change) > place
        ]
        self.been = [(None, before.where), *since]
        for mine, theirs in zip(self.values, before.values, strict=True):
            if mine is not None and theirs is not None:
                theirs.drop_settled(mine)
        self.base, lost = before.to_base()
        if lost:
            self._let_go(lost)
        return len(lost)

    def _let_go(self, lost: set[Lost]) -> None:
        """Take the makings that are lost out of the folds."""
        for rule, fold in zip(self.rules.promises, self.promises, strict=True):
            if fold is not None:
                fold.makings = tuple(
                    [each for each in fold.makings if (rule.label, id(each.entry)) not in lost]
                )
        for value_rule, values_of in zip(self.rules.values, self.values, strict=True):
            if values_of is not None:
                values_of.makings = tuple(
                    [each for each in values_of.makings if (value_rule.label, id(each.entry)) not in lost]
                )

    def openings(self) -> Iterator[Entry]:
        """Every entry that may have opened a finding, cut ones included."""
        yield from self.entries
        if self.base is not None:
            for ledger in self.base.promises.values():
                yield from [making.entry for making in ledger.makings]
            for values_kept in self.base.values.values():
                yield from [making.entry for making in values_kept.makings]
            for stay in self.base.stages.values():
                if stay.inside is not None:
                    yield stay.inside

    def visits(self) -> list[tuple[str, Micros]]:
        """The stages that it is in and when each was entered."""
        return [
            (rule.name, fold.inside.entry.time)
            for rule, fold in zip(self.rules.stages, self.stages, strict=True)
            if fold is not None and fold.inside is not None
        ]

    def is_settled(self) -> bool:
        """Nothing is promised or awaited any more, and no habit has been learned."""
        if self.where or any(fold and fold.makings for fold in self.promises):
            return False
        return not any(fold and (fold.makings or fold.habit) for fold in self.values)

    def to_base(self) -> tuple[Base, set[Lost]]:
        """The journey's entries as a base, and the makings that are beyond its bound."""
        lost: set[Lost] = set()
        ledgers = {}
        for rule, fold in zip(self.rules.promises, self.promises, strict=True):
            if fold is not None:
                ledgers[rule.name], beyond = fold.stored()
                lost |= {(rule.label, id(making.entry)) for making in beyond}
        measured = {}
        for value_rule, value_fold in zip(self.rules.values, self.values, strict=True):
            if value_fold is not None:
                measured[value_rule.name], too_many = value_fold.stored(value_rule)
                lost |= {(value_rule.label, id(making.entry)) for making in too_many}
        stays = {
            rule.name: fold.stored()
            for rule, fold in zip(self.rules.stages, self.stages, strict=True)
            if fold is not None
        }
        return (
            Base(
                self.rules.name,
                self.key,
                self.touchpoints,
                self.opened_at,
                self.last_at,
                self.ended_at,
                ledgers,
                stays,
                measured,
            ),
            lost,
        )

    def _begin(self) -> None:
        """The state before the first entry."""
        base = self.base
        self.promises = [None] * len(self.rules.promises)
        self.values = [None] * len(self.rules.values)
        self.stages = [None] * len(self.rules.stages)
        self.ended_at = None
        self.where = ()
        self.been = []
        if base is not None:
            self.ended_at = base.ended_at
            self._restore_promises(base)
            self._restore_values(base)
            self._restore_stages(base)
            self._locate(None)

    def _restore_promises(self, base: Base) -> None:
        for index, rule in enumerate(self.rules.promises):
            if rule.name in base.promises:
                self.promises[index] = promises.restored(rule, base.promises[rule.name])

    def _restore_values(self, base: Base) -> None:
        for index, rule in enumerate(self.rules.values):
            if rule.name in base.values:
                self.values[index] = values.restored(rule, base.values[rule.name])

    def _restore_stages(self, base: Base) -> None:
        for index, rule in enumerate(self.rules.stages):
            if rule.name in base.stages:
                self.stages[index] = stalls.restored(rule, base.stages[rule.name])

    def _locate(self, change: Entry | None) -> None:
        """Say where the journey is since this touchpoint, in the order of its rules. None: since its base."""
        rules = self.rules.stages
        self.where = tuple(
            [rules[index].name for index, fold in enumerate(self.stages) if fold is not None and fold.inside]
        )
        self.been.append((change, self.where))

    def _apply(self, entry: Entry) -> Passage:
        actions = self.rules.actions.get(entry.type)
        if actions is None:
            return ((), (), self.where)
        self.has_news = True
        entered: Names = ()
        left: Names = ()
        for act, index, alternatives in actions:
            if alternatives is not None and not applies(alternatives, entry.fields):
                continue
            if act <= OF_PROMISES:
                self._promise(act, index, entry)
            elif act <= ABANDON:
                left += self._leave(act, index, entry)
            elif act == ENTER:
                entered += self._enter(index, entry)
            elif act == END:
                self.ended_at = entry.time if self.ended_at is None else self.ended_at
            elif act >= OF_VALUES:
                self._value(act, index, entry)
            else:
                self._stage(index).set_clock(act, entry)
        if entered or left:
            self._locate(entry)
        return entered, left, self.where

    def _promise(self, act: int, index: int, entry: Entry) -> None:
        fold = self.promises[index]
        if fold is None:
            fold = self.promises[index] = PromiseFold()
        if fold.take(self.rules.promises[index], act, entry):
            self.is_stale = True

    def _value(self, act: int, index: int, entry: Entry) -> None:
        fold = self.values[index]
        if fold is None:
            fold = self.values[index] = ValueFold()
        fold.take(self.rules.values[index], act, entry)

    def _leave(self, act: int, index: int, entry: Entry) -> Names:
        rule = self.rules.stages[index]
        return (rule.name,) if self._stage(index).leave(rule, entry, act == ABANDON) else ()

    def _enter(self, index: int, entry: Entry) -> Names:
        rule = self.rules.stages[index]
        return (rule.name,) if self._stage(index).enter(rule, entry) else ()

    def _stage(self, index: int) -> StageFold:
        fold = self.stages[index]
        if fold is None:
            fold = self.stages[index] = StageFold()
        return fold


def open_journey(rules: JourneyRules, key: str, base: Base | None = None) -> Journey:
    """A journey without entries; one with a base has to be refolded before it is used."""
    return Journey(rules, key, journey_id(rules.name, key), base)


def keys_of(fields: Mapping[str, Any], journeys: tuple[JourneyRules, ...]) -> list[tuple[JourneyRules, str]]:
    """The journeys that a touchpoint with these fields belongs to."""
    found = []
    for rules in journeys:
        value = fields.get(rules.key)
        if value is not None and (key := key_text(value)) is not None:
            found.append((rules, key))
    return found
