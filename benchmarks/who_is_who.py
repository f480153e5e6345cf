"""Which touchpoints belong together, computed offline; and whether ClickHouse has the same.

In: touchpoints as `benchmarks.identified` has them, numbered as they come; later the finished run's database. Out: two
partitions of the touchpoints into persons, and where they differ. Nothing of `pipeline.core` is used, nor anything that
the pipeline has said of persons but the result: the rules are written down here once more.

A partition is an array: for each touchpoint the least number of its person's touchpoints. So two partitions are the same
if and only if their arrays are.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from benchmarks.identified import CUSTOMER, KINDS, Touch
from pipeline.warehouse.client import Warehouse

Partition: TypeAlias = "array[int]"

_MISSING, _TWICE = 2**32 - 1, 2**32 - 2
_TOGETHER = "SELECT groupArray(toUInt32(id)) FROM touchpoints_resolved GROUP BY person_id"
_REFUSED = "SELECT count() FROM links WHERE status = 'refused'"


class Offline:
    """Takes the touchpoints of a run in the order of their numbers; 20 bytes each at most.

    Persons: links in order of time, of two at one time the one of the lesser touchpoint first. Each makes one person of two,
    unless both have a customer number. A touchpoint is its strongest identifier's.
    """

    def __init__(self, customers: int) -> None:
        self._identifiers = KINDS * customers
        self._strongest = array("I")
        self._times = array("q")
        self._linking = array("I")
        self._weaker = array("I")

    def __len__(self) -> int:
        return len(self._strongest)

    def add(self, touch: Touch) -> None:
        strongest, *weaker = touch.identifiers
        for identifier in weaker:
            self._times.append(touch.time)
            self._linking.append(len(self))
            self._weaker.append(identifier)
        self._strongest.append(strongest)

    def persons(self) -> tuple[Partition, int]:
        """The partition of all touchpoints, and how many pairs of identifiers were not made one person."""
        union = _Union(self._identifiers)
        refused = set()
        # sorting is stable, and links were added in the order of their touchpoints
        for place in sorted(range(len(self._times)), key=self._times.__getitem__):
            pair = self._strongest[self._linking[place]], self._weaker[place]
            if not union.join(*pair):
                refused.add(pair)
        least: dict[int, int] = {}
        roots = map(union.root, self._strongest)
        return array("I", (least.setdefault(root, number) for number, root in enumerate(roots))), len(refused)


class _Union:
    """Disjoint sets of identifiers, at most one customer number in each."""

    def __init__(self, identifiers: int) -> None:
        self._parent = array("I", range(identifiers))
        self._known = bytearray(each % KINDS == CUSTOMER for each in range(identifiers))

    def root(self, identifier: int) -> int:
        parent = self._parent
        while parent[identifier] != identifier:
            parent[identifier] = identifier = parent[parent[identifier]]
        return identifier

    def join(self, one: int, other: int) -> bool:
        """Whether the two are one now."""
        one, other = self.root(one), self.root(other)
        if one == other:
            return True
        if self._known[one] and self._known[other]:
            return False
        self._parent[other] = one
        self._known[one] |= self._known[other]
        return True


@dataclass(frozen=True)
class Verdict:
    """`differing` are the numbers of touchpoints that are not with the same others, or not there exactly once;
    `refused` counts pairs of identifiers that were not made one person, offline and by the linker.
    """

    persons: tuple[int, int]
    refused: tuple[int, int]
    differing: Sequence[int]
    shown: Sequence[str]

    @property
    def equal(self) -> bool:
        return not self.differing and self.refused[0] == self.refused[1]

    def __str__(self) -> str:
        (offline, found), (expected, told) = self.persons, self.refused
        counted = (
            f"persons {offline:,} offline, {found:,} in ClickHouse; links refused {expected:,}, {told:,}"
        )
        if self.equal:
            return f"{counted}: equal"
        return "\n".join([f"{counted}: {len(self.differing):,} touchpoints differ", *self.shown])


def compare(offline: Offline, warehouse: Warehouse) -> Verdict:
    """Hold the persons that ClickHouse resolves touchpoints to against those that they are.

    Raises ValueError if there is a touchpoint that was never added.
    """
    expected, refused = offline.persons()
    found = _found(warehouse, len(offline))
    ((told,),) = warehouse.query(_REFUSED)
    differing = array("I", (each for each in range(len(offline)) if expected[each] != found[each]))
    shown = [f"  {each:010}: {_beside(expected[each], found[each])}" for each in differing[:10]]
    return Verdict((_persons_in(expected), _persons_in(found)), (refused, told), differing, shown)


def _found(warehouse: Warehouse, count: int) -> Partition:
    found = array("I", [_MISSING]) * count
    for (numbers,) in warehouse.query(_TOGETHER):
        least = min(numbers)
        for number in numbers:
            if number >= count:
                raise ValueError(f"touchpoint {number} is in ClickHouse, and only {count} were sent")
            found[number] = least if found[number] == _MISSING else _TWICE
    return found


def _persons_in(partition: Partition) -> int:
    return sum(number == least for number, least in enumerate(partition))


def _beside(expected: int, found: int) -> str:
    said = {_MISSING: "missing", _TWICE: "two persons'"}.get(found, f"with {found:010}")
    return f"offline with {expected:010}, in ClickHouse {said}"
