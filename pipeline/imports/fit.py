"""Whether a journey map and a mapping fit: what one of them says and the other never hears of.

In: both, with the positions of their files. Out: problems, each with the file whose word is not heard, its line, its field
and what was perhaps meant. They may be meant so, and are warnings. Always holds: nothing is said of what the data decides,
and a type that seems misspelt is told once, not again for each rule that waits for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import PurePath

from pipeline.complaints import near
from pipeline.core.identities import IMPORTED, WORDS
from pipeline.documents import Document, Problem
from pipeline.imports.makers import Kind, Maker, makers
from pipeline.imports.mapping import LoadedMapping
from pipeline.imports.needs import Read, Triggers, openings, reads, sequels
from schemas.base import Place
from schemas.journey_map import JourneyMap

_MOST_NAMES = 5
_ALIKE = 0.75
_KINDS: dict[Kind, str] = {str: "text", bool: "true or false", float: "a number"}
_TYPES: dict[Kind, str] = {str: "string", bool: "bool", float: "float"}


def misfits(journey_map: JourneyMap, places: Document, mapping: LoadedMapping) -> list[Problem]:
    """Of a map, whose file is `places`, and of a mapping; those of the mapping's own words come first."""
    both = _Both(journey_map, places, mapping)
    spoken = [*both.undeclared_types(), *both.undeclared_kinds()]
    awaited = [*both.missing_sequels(), *both.missing_fields(), *both.unfit_values()]
    return [*_in_order(spoken), *_in_order(awaited), *both.idle_rules()]


def _in_order(problems: list[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda problem: problem.line)


class _Both:
    """A map and a mapping; `_fed`: the events that may make each type of the map, or would if it were spelt right."""

    def __init__(self, journey_map: JourneyMap, places: Document, mapping: LoadedMapping) -> None:
        self._map, self._map_file, self._mapping_file = journey_map, places, mapping.document
        self._map_name, self._mapping_name = (PurePath(each.file).name for each in (places, mapping.document))
        self._makers = makers(mapping.content)
        self._fed: dict[str, list[Maker]] = {
            each: [maker for maker in self._makers if maker.may_make(each)]
            for each in journey_map.touchpoints
        }
        unfed = [each for each, by in self._fed.items() if not by]
        self._undeclared: list[tuple[Place, str, str | None]] = []
        for maker in self._makers:
            for place, name in self._undeclared_of(maker):
                meant = None if maker.form else _spelt_right(name, unfed)
                self._undeclared.append((place, name, meant))
                if meant is not None:
                    self._fed[meant].append(maker)

    def _undeclared_of(self, maker: Maker) -> Iterator[tuple[Place, str]]:
        if maker.form is not None and any(map(maker.may_make, self._map.touchpoints)):
            return
        for place, name in maker.types:
            # what is said of identifiers counts whether or not the map knows of it
            if name not in self._map.touchpoints and name not in {*WORDS, IMPORTED}:
                yield place, name

    def undeclared_types(self) -> Iterator[Problem]:
        """Each that seems misspelt; all others, which may well be meant, in one line."""
        others: dict[str, Place] = {}
        for place, name, meant in self._undeclared:
            if meant is None:
                others.setdefault(name, place)
                continue
            wrong = f"{self._map_name} does not declare {name!r} (did you mean {meant!r}?)"
            yield self._of_mapping(place, f"{wrong}; it will count as unmapped")
        if others:
            first = next(iter(others.values()))
            wrong = f"{self._map_name} does not declare {_listed(others)}"
            yield self._of_mapping(first, f"{wrong}; such touchpoints will count as unmapped")

    def undeclared_kinds(self) -> Iterator[Problem]:
        """Each once, and once more if events have no other."""
        declared = self._map.identifiers
        found: dict[tuple[str, bool], list[Place]] = {}
        for maker in self._makers:
            kinds = maker.event.identities
            for kind in kinds:
                if kind not in declared:
                    key = kind, declared.keys().isdisjoint(kinds)
                    found.setdefault(key, []).append((*maker.place, "identities", kind))
        for (kind, is_alone), (first, *more) in found.items():
            wrong = f"{self._map_name} declares no identifier kind {kind!r}{near(kind, list(declared))}"
            then = "it does not say whose a touchpoint is"
            if is_alone:
                then = f"as the event has none of {', '.join(declared)}, its touchpoints will be refused"
            yield self._of_mapping(first, f"{wrong}; {then}{_again(len(more), 'event')}")

    def missing_sequels(self) -> Iterator[Problem]:
        """Rules that begin and whose figures can only be wrong, as what ends them never comes."""
        for each in sequels(self._map):
            if self._makers_of(each.after) and not self._makers_of(each.triggers):
                types = _listed(trigger.type for trigger in each.triggers)
                wrong = f"no event of {self._mapping_name} makes {types}"
                yield self._of_map(each.place, f"{wrong}; {each.otherwise}")

    def missing_fields(self) -> Iterator[Problem]:
        """Once for each field of the same types, although several rules may ask for it."""
        asked: dict[tuple[Place, str], tuple[Read, dict[str, None]]] = {}
        for read in reads(self._map):
            by = self._makers_of(read.triggers)
            if not by or any(maker.gives(read.path) for maker in by):
                continue
            if not read.may_be_meant or self._near_field(read.path, by):
                _, types = asked.setdefault((read.place, read.path), (read, {}))
                types |= dict.fromkeys(each.type for each in read.triggers if self._fed[each.type])
        merged: dict[tuple[str, frozenset[str]], list[Read]] = {}
        for read, types in asked.values():
            merged.setdefault((read.path, frozenset(types)), []).append(read)
        for (path, of_types), (read, *more) in merged.items():
            by = [maker for each in of_types for maker in self._fed[each]]
            wrong = f"no event of {self._mapping_name} that makes {_listed(sorted(of_types))} gives {path}"
            then = f"{read.otherwise}{_again(len(more), 'place')}"
            yield self._of_map(read.place, f"{wrong}{self._near_field(path, by)}; {then}")

    def unfit_values(self) -> Iterator[Problem]:
        """Fields that come as something that no rule takes for what it asks for, such as the text `true` for true."""
        found: dict[tuple[str, str, str], list[Place]] = {}
        for read in reads(self._map):
            given = [
                maker.kinds(read.path) for maker in self._makers_of(read.triggers) if maker.gives(read.path)
            ]
            kinds = {kind for each in given for kind in each or ()}
            if read.wanted and given and None not in given and kinds.isdisjoint(read.wanted):
                types = _listed(dict.fromkeys(trigger.type for trigger in read.triggers))
                asked = _either(read.wanted)
                wrong = f"{read.path} of {types} is {_either(kinds)} in {self._mapping_name}, not {asked}"
                found.setdefault((wrong, read.otherwise, _remedy(read)), []).append(read.place)
        for (wrong, otherwise, remedy), (first, *more) in found.items():
            yield self._of_map(first, f"{wrong}; {otherwise}{_again(len(more), 'place')}: {remedy}")

    def idle_rules(self) -> Iterator[Problem]:
        """All of them in one line: a company's map has many, of which a data set may feed a few."""
        rules = list(openings(self._map))
        idle = [rule for rule in rules if not self._makers_of(rule.triggers)]
        if idle:
            types = _listed(dict.fromkeys(trigger.type for rule in idle for trigger in rule.triggers))
            others = (
                f", as do {len(idle) - 1} more of the {len(rules)} promises and stages" if idle[1:] else ""
            )
            wrong = f"it waits for what no event of {self._mapping_name} makes{others}"
            yield self._of_map(idle[0].place, f"{wrong}: {types}")

    def _makers_of(self, triggers: Triggers) -> list[Maker]:
        return [maker for each in triggers for maker in self._fed[each.type]]

    def _near_field(self, path: str, by: Iterable[Maker]) -> str:
        return near(path, list(dict.fromkeys(field for maker in by for field in maker.fields)))

    def _of_mapping(self, place: Place, message: str) -> Problem:
        return self._mapping_file.problem(self._mapping_file.nearest(place), message)

    def _of_map(self, place: Place, message: str) -> Problem:
        return self._map_file.problem(self._map_file.nearest(place), message)


def _spelt_right(name: str, types: Iterable[str]) -> str | None:
    """The nearest type that the name seems to be a misspelling of. Not of another verb of the same object: of such there
    are many, each of them right.
    """
    alike = [each for each in types if _is_alike(name.split("."), each.split("."))]
    return max(alike, key=lambda each: _likeness(name, each), default=None)


def _is_alike(one: Sequence[str], other: Sequence[str]) -> bool:
    if len(one) != len(other):
        return _likeness(".".join(one), ".".join(other)) > (1 + _ALIKE) / 2
    # the same thing said to happen in another domain
    return one[1:] == other[1:] or all(_likeness(a, b) >= _ALIKE for a, b in zip(one, other, strict=True))


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other).ratio()


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - _MOST_NAMES} more" if len(every) > _MOST_NAMES else ""
    return ", ".join(map(repr, every[:_MOST_NAMES])) + more


def _again(count: int, what: str) -> str:
    return f" (and so in {count} more {what}{'s' if count > 1 else ''})" if count else ""


def _either(kinds: Iterable[Kind]) -> str:
    return " or ".join(text for kind, text in _KINDS.items() if kind in kinds)


def _remedy(read: Read) -> str:
    if not read.path.startswith("data."):
        return "write it in quotes"
    return f"give it `type: {next(text for kind, text in _TYPES.items() if kind in read.wanted)}` there"
