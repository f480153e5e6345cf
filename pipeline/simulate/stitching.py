"""Persons as sets of touchpoints: what two sides, who name persons differently, can be held against each other by.

In: touchpoints and the name of each one's person. Out: marks, which are equal where two persons hold the same
touchpoints, and who was torn or chained together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

TouchpointKey = tuple[str, str]
"""Source and id."""


class Stitching:
    """One side's persons, each with its touchpoints."""

    def __init__(self) -> None:
        self._touchpoints: dict[str, list[TouchpointKey]] = defaultdict(list)
        self._marks: dict[str, int] = {}

    def add(self, person: str, touchpoint: TouchpointKey) -> None:
        self._touchpoints[person].append(touchpoint)

    def mark(self, person: str) -> int:
        """What is the same for a person of another side exactly if it holds the same touchpoints.

        All touchpoints have to have been added.
        """
        if person not in self._marks:
            self._marks[person] = hash(frozenset(self._touchpoints.get(person, ())))
        return self._marks[person]

    def marks(self) -> Iterator[int]:
        """Everyone's who has touchpoints."""
        return map(self.mark, self._touchpoints)

    def spread(self, other: Stitching) -> Iterable[str]:
        """Persons of this side whose touchpoints are with more than one person of the other."""
        whose = {touchpoint: person for person, held in other._touchpoints.items() for touchpoint in held}
        for person, held in self._touchpoints.items():
            if len({whose[touchpoint] for touchpoint in held if touchpoint in whose}) > 1:
                yield person
