"""What a story means to happen: who is who, and what must be found of it at the end; `standings` has promises.

In: planned instants, some beyond the end. Out: truth as of the end, where the rest has not happened yet.
A plan is *clear* when nothing about it hangs on a moment; stories whose plans are not are told anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from pipeline.core.instants import MINUTE, SECOND, moment
from pipeline.core.messages import Micros
from pipeline.simulate.truth import LinkRule, RefusedLinkTruth

CLOSE_CALL = SECOND
"""Nothing is met or left within a second of its limit,"""
END_MARGIN = MINUTE
"""and no limit falls within a minute of the simulation's end."""

Journey = tuple[str, str]
"""Journey type and correlation key."""
Identifier = tuple[str, str]
"""Kind and value."""
Persons = Mapping[Micros, str]
"""Whose the touchpoint at an instant is."""


@dataclass(slots=True, frozen=True)
class PlannedOwner:
    """A personal identifier that is another's from `since` on, until somebody parts them."""

    identifier: Identifier
    owner: Identifier
    since: Micros
    until: Micros | None = None

    def holds_at(self, end: Micros) -> bool:
        return self.since <= end and (self.until is None or end < self.until)


@dataclass(slots=True, frozen=True)
class PlannedRefusal:
    """A link that joins nobody, from `since` on."""

    rule: LinkRule
    one: Identifier
    other: Identifier
    since: Micros

    def as_of(self, end: Micros) -> RefusedLinkTruth | None:
        return None if self.since > end else RefusedLinkTruth(self.rule, named(self.one), named(self.other))


@dataclass(slots=True, frozen=True)
class PlannedBurst:
    """Touchpoints of which all or none are to be seen: what some of them would come to is nobody's plan."""

    first: Micros
    last: Micros

    def is_clear(self, end: Micros) -> bool:
        return not self.first <= end < self.last


def named(identifier: Identifier) -> str:
    """As the truth writes it: `kind:value`, an e-mail address in lower case."""
    kind, value = identifier
    return f"{kind}:{value.lower() if kind == 'email' else value}"


def is_clear_of(end: Micros, instants: Iterable[Micros]) -> bool:
    """Whether none of them falls within a minute of the end."""
    return all(abs(at - end) >= END_MARGIN for at in instants)


def moment_or_none(instant: Micros | None) -> datetime | None:
    return None if instant is None else moment(instant)
