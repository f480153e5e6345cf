"""What a run came to, in a form that two runs can be held against each other: docs/semantics.md, "equal".

In: the values that a reader of the public topics holds. Out: touchpoints by (source, id), the last revision of each
finding, persons and journeys as they stand, aggregates counted here and by nobody's SQL. Left out is what may differ
from run to run: revision, version, `detected_at`, `late`, the person as known in between; and what holds no more:
withdrawn findings and journeys, emptied persons.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec

from pipeline.core.persons import _parts, _segment_key, _unpack_run

_decode = msgspec.json.Decoder().decode
Touchpoint = tuple[str, str]
"""Source and id."""
Group = tuple[Any, ...]


class Figures(tuple[float, ...]):
    """Sums, which depend in their last digits on the order of what was added."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, tuple)
            and len(self) == len(other)
            and all(
                math.isclose(one, another, rel_tol=1e-9) for one, another in zip(self, other, strict=True)
            )
        )

    def __ne__(self, other: object) -> bool:
        return not self == other


@dataclass
class Outcome:
    """Everything by its id; `letters` by what was refused and why."""

    touchpoints: dict[Touchpoint, dict[str, Any]] = field(default_factory=dict)
    findings: dict[str, dict[str, Any]] = field(default_factory=dict)
    persons: dict[str, dict[str, Any]] = field(default_factory=dict)
    journeys: dict[str, dict[str, Any]] = field(default_factory=dict)
    links: dict[str, dict[str, Any]] = field(default_factory=dict)
    identifiers: dict[str, dict[str, Any]] = field(default_factory=dict)
    learned: dict[Group, dict[str, Any]] = field(default_factory=dict)
    letters: Counter[tuple[str, str, str, bytes]] = field(default_factory=Counter)
    trails: dict[str, tuple[Group, ...]] = field(default_factory=dict)
    aggregates: dict[str, dict[Group, Group]] = field(default_factory=dict)


def outcome(
    enriched: Iterable[bytes],
    findings: Iterable[bytes],
    states: Mapping[bytes, bytes],
    letters: Counter[tuple[str, str, str, bytes]],
    stores: Iterable[Mapping[bytes, bytes]],
) -> Outcome:
    """`findings`: the last revision of each; `states`: the greatest version by key; `stores`: the journey stage's."""
    said = {key: _decode(value) for key, value in states.items()}
    moved = {
        (state["born_person_id"], state["identifier"]): state["person_id"]
        for state in said.values()
        if state["kind"] == "override"
    }
    found = Outcome(letters=letters)
    for value in enriched:
        touchpoint = _decode(value)
        found.touchpoints[touchpoint["source"], touchpoint["id"]] = _plain_touchpoint(touchpoint, moved)
    for value in findings:
        finding = _decode(value)
        if finding["status"] != "withdrawn":
            found.findings[finding["finding_id"]] = _without(finding, "revision", "detected_at")
    _stand(found, said.values())
    for store in stores:
        found.trails.update(trails(store))
    found.aggregates = aggregates(found)
    return found


def _stand(found: Outcome, states: Iterable[dict[str, Any]]) -> None:
    """Everything as it stands, but for what is no more."""
    for state in states:
        if state["kind"] == "person" and state["touchpoints"]:
            found.persons[state["person_id"]] = _without(state, "version")
        elif state["kind"] == "journey" and state["status"] != "withdrawn":
            found.journeys[state["journey_id"]] = _without(state, "version")
        elif state["kind"] == "link":
            found.links[f"{state['one']} {state['other']}"] = _without(state, "version", "persons")
        elif state["kind"] == "identifier":
            found.identifiers[state["identifier"]] = _without(state, "version")
        elif state["kind"] == "learned" and state["ended"]:
            of = (state["of"], state["rule"], state["segment"] or "", state["day"])
            found.learned[of] = _without(state, "version")


def trails(store: Mapping[bytes, bytes]) -> dict[str, tuple[Group, ...]]:
    """Person → its trail, from the state of a partition of the journey stage; persons without one are left out."""
    found = {}
    for key, value in store.items():
        if key[:1] != b"p":
            continue
        head, tail = _parts(key, value)
        segments = [_segment_key(key[1:], number) for number in head.segments]
        runs = [_unpack_run(at, store[at]) for at in segments]
        entries = [entry for run in (*runs, tail) for entry in run.entries]
        if entries:
            found[key[1:].hex()] = tuple(
                (entry.time, entry.sequence, entry.source, entry.id, entry.type, entry.digest)
                for entry in entries
            )
    return found


def aggregates(found: Outcome) -> dict[str, dict[Group, Group]]:
    """Table → group → figures; groups of nothing are left out."""
    hourly: defaultdict[Group, list[float]] = defaultdict(lambda: [0, 0])
    for each in found.touchpoints.values():
        group = (_hour(each["time"]), each["domain"], each["type"], each["owner"] or "", each["mapped"])
        hourly[group][0] += 1
        hourly[group][1] += each.get("outcome") == "failure"
    promises: defaultdict[Group, list[float]] = defaultdict(lambda: [0, 0, 0])
    stalls: defaultdict[Group, list[float]] = defaultdict(lambda: [0, 0, 0, 0])
    for finding in found.findings.values():
        detail = finding["detail"]
        if finding["type"] == "promise":
            promised = promises[
                _day(detail["made_at"]), finding["rule"], finding["journey_type"], detail["owed_by"],
                detail["made_by"], finding["status"],
            ]  # fmt: skip
            _add(promised, 1, _is_set(detail, "met_at"), max(0.0, detail.get("gap_hours") or 0.0))
        elif finding["type"] == "stall":
            stalled = stalls[
                _day(detail["entered_at"]),
                detail["stage"],
                finding["journey_type"],
                finding["owner"],
                finding["status"],
            ]
            left = detail.get("left_at")
            dwell, stuck = (_seconds(detail[since], left) for since in ("entered_at", "since"))
            _add(stalled, 1, left is not None, dwell, stuck)
    return {
        "touchpoints_hourly": _as_figures(hourly),
        "promises_daily": _as_figures(promises),
        "stalls_daily": _as_figures(stalls),
    }


def _plain_touchpoint(touchpoint: dict[str, Any], moved: Mapping[Group, str]) -> dict[str, Any]:
    """As it is today: its person resolved, its journeys without the stages they were in at that moment."""
    person = touchpoint["person_id"]
    return {
        **_without(touchpoint, "late", "identifier"),
        "person_id": moved.get((person, touchpoint["identifier"]), person),
        "journeys": sorted(journey["journey_id"] for journey in touchpoint.get("journeys", ())),
    }


def _without(record: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in names}


def _is_set(detail: Mapping[str, Any], name: str) -> bool:
    return detail.get(name) is not None


def _add(figures: list[float], *more: float) -> None:
    for place, figure in enumerate(more):
        figures[place] += figure


def _as_figures(groups: Mapping[Group, list[float]]) -> dict[Group, Group]:
    return {group: Figures(figures) for group, figures in groups.items()}


def _hour(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(minute=0, second=0, microsecond=0)


def _day(text: str) -> datetime:
    return _hour(text).replace(hour=0)


def _seconds(begin: str, end: str | None) -> float:
    if end is None:
        return 0.0
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)) / timedelta(seconds=1)
