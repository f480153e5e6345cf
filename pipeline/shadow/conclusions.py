"""A published finding or journey state in, what is compared of it out.

What is compared is what was concluded: the status, and the facts. Not when or in how many steps it was (`detected_at`,
`revision`), nor of whom, which is compared for itself (`pipeline.shadow.persons`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from pipeline.core.plan import Plan
from pipeline.core.run import Published

JOURNEY = "journey"
_WITHDRAWN = "withdrawn"
_STATE_OF_JOURNEY = b"journey:"
_decode = msgspec.json.Decoder().decode


class Conclusion(NamedTuple):
    """A finding, or a journey as it stands. `facts` are by name, those of a finding's detail too; what is within another
    has a path, `clock.target_seconds`.
    """

    type: str
    rule: str
    status: str
    journey_type: str
    journey_key: str
    person_id: str
    opened_at: str
    facts: dict[str, Any]


Pair = tuple[Conclusion | None, Conclusion | None]
"""What the live and the new map conclude of one thing, by its id."""


def pairs(live: Published, new: Published) -> Iterator[Pair]:
    """Every conclusion that either holds, beside the other's of the same id; what was withdrawn is not there."""
    for read, ours, theirs in (
        (_finding, live.findings, new.findings),
        (_journey, _journeys(live), _journeys(new)),
    ):
        for key in [*ours, *(key for key in theirs if key not in ours)]:
            pair = read(ours.get(key)), read(theirs.get(key))
            if pair != (None, None):
                yield pair


def rules_of(plan: Plan) -> list[tuple[str, str]]:
    """(type, name) of everything of which a map may conclude something, in the map's order."""
    found = []
    for journey in plan.journeys:
        found.append((JOURNEY, journey.name))
        found.extend(("promise", rule.name) for rule in journey.promises)
        found.extend(("value_promise", rule.name) for rule in journey.values)
        found.extend(("stall", rule.name) for rule in journey.stages if rule.may_stall)
    return found


def _journeys(published: Published) -> Mapping[bytes, bytes]:
    return {key: value for key, value in published.states.items() if key.startswith(_STATE_OF_JOURNEY)}


def _finding(value: bytes | None) -> Conclusion | None:
    said = None if value is None else _decode(value)
    if said is None or said["status"] == _WITHDRAWN:
        return None
    facts = {**said["detail"], **{name: said[name] for name in ("owner", "severity", "opened_at")}}
    return _conclusion(said["type"], said["rule"], said, facts)


def _journey(value: bytes | None) -> Conclusion | None:
    said = None if value is None else _decode(value)
    if said is None or said["status"] == _WITHDRAWN:
        return None
    return _conclusion(JOURNEY, said["journey_type"], said, {"ended_at": said["ended_at"]})


def _conclusion(kind: str, rule: str, said: Mapping[str, Any], facts: dict[str, Any]) -> Conclusion:
    return Conclusion(
        kind,
        rule,
        said["status"],
        said["journey_type"],
        said["journey_key"],
        said["person_id"],
        said["opened_at"],
        dict(_leaves(facts, "")),
    )


def _leaves(facts: Mapping[str, Any], within: str) -> Iterator[tuple[str, Any]]:
    """What is there, without the objects around it."""
    for name, value in facts.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{within}{name}.")
        elif value is not None:
            yield within + name, value
