"""What the warehouse holds, held against the topics it was written from, and its aggregates against the oracle's.

Base tables with FINAL must say exactly what the committed topics say; aggregates must equal sums made in Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from outcome import Outcome

from pipeline.core.dead_letters import decode_headers
from pipeline.topology import Topology
from pipeline.warehouse.client import Warehouse

if TYPE_CHECKING:
    from base import Topics

_decode = msgspec.json.Decoder().decode
Row = tuple[Any, ...]
_DEAD_LETTERS = """
SELECT topic, partition, offset, stage, code, path FROM dead_letters FINAL WHERE key != 'laid by the test'"""
_AGGREGATES = {
    "touchpoints_hourly": ("hour, domain, type, owner, mapped", "touchpoints, failures"),
    "promises_daily": ("day, rule, journey_type, owed_by, made_by, status", "promises, met, late_hours"),
    "stalls_daily": (
        "day, stage, journey_type, owner, status",
        "stalls, ended, dwell_seconds, stuck_seconds",
    ),
}


def warehouse_differences(
    warehouse: Warehouse, topics: Topics, topology: Topology, expected: Outcome
) -> list[str]:
    """Every difference, in a sentence."""
    from base import differs  # the two need each other; base is what is called

    states = _states(topics, topology)
    enriched = {}
    # of two that were published under one id, the one with the greater place shows
    for record in sorted(
        topics.of(topology.enriched), key=lambda record: (record.offset(), record.partition())
    ):
        touchpoint = _decode(record.value())
        enriched[touchpoint["source"], touchpoint["id"]] = _touchpoint(touchpoint)
    findings = [_decode(record.value()) for record in topics.of(topology.findings)]
    last: dict[str, dict[str, Any]] = {}
    for finding in findings:
        known = last.get(finding["finding_id"])
        if known is None or known["revision"] < finding["revision"]:
            last[finding["finding_id"]] = finding
    said = [
        differs("table touchpoints", enriched, _touchpoint_rows(warehouse)),
        differs(
            "view touchpoints_resolved",
            {key: touchpoint["person_id"] for key, touchpoint in expected.touchpoints.items()},
            _keyed(warehouse, "SELECT source, id, toString(person_id) FROM touchpoints_resolved", 2),
        ),
        differs(
            "table findings",
            {(each["finding_id"], each["revision"]): each for each in findings},
            {
                key: _decode(said)
                for key, (said,) in _rows(warehouse, "finding_id, revision, record", "findings", 2)
            },
        ),
        differs("table promises", _promises(last.values()), _promise_rows(warehouse)),
        differs("table value_promises", _values(last.values()), _value_rows(warehouse)),
        differs("table stalls", _stalls(last.values()), _stall_rows(warehouse)),
        differs("table journeys", _journeys(states), _journey_rows(warehouse)),
        differs("table persons", _persons(states), _person_rows(warehouse)),
        differs(
            "table person_overrides",
            _overrides(topics, topology),
            dict(
                _rows(
                    warehouse,
                    "toString(born_person_id), identifier, toString(person_id), version",
                    "person_overrides",
                    2,
                )
            ),
        ),
        differs(
            "view links",
            {(s["one"], s["other"]): _link(s) for s in states if s["kind"] == "link"},
            {
                row[:2]: (*row[2:-1], tuple(map(str, row[-1])))
                for row in warehouse.query(f"SELECT one, other, {', '.join(_LINK)}, persons FROM links")
            },
        ),
        differs(
            "table identifiers",
            {
                (s["identifier"],): (s["person_id"], s["named_by"], s["shared"], s["version"])
                for s in states
                if s["kind"] == "identifier"
            },
            dict(
                _rows(
                    warehouse, "identifier, toString(person_id), named_by, shared, version", "identifiers", 1
                )
            ),
        ),
        differs("table learned_limits", _limits(states), _limit_rows(warehouse)),
        differs(
            "table stage_counts",
            _counts(states),
            dict(_rows(warehouse, "stage, partition, name, count", "stage_counts", 3)),
        ),
        differs(
            "table dead_letters",
            _letters(topics, topology),
            {row[:4]: row[4:] for row in warehouse.query(_DEAD_LETTERS)},
        ),
    ]
    for table, (groups, figures) in _AGGREGATES.items():
        said.append(
            differs(f"table {table}", expected.aggregates[table], _figures(warehouse, table, groups, figures))
        )
    return [each for each in said if each]


def _states(topics: Topics, topology: Topology) -> list[dict[str, Any]]:
    latest: dict[bytes, dict[str, Any]] = {}
    for record in topics.of(topology.state):
        if record.value():
            state = _decode(record.value())
            known = latest.get(record.key())
            if known is None or known["version"] <= state["version"]:
                latest[record.key()] = state
    return list(latest.values())


def _overrides(topics: Topics, topology: Topology) -> dict[Row, Row]:
    """The last in the topic stands, and its place is its version."""
    found = {}
    for record in sorted(topics.of(topology.state), key=lambda record: record.offset()):
        state = _decode(record.value()) if record.value() else {"kind": "nothing"}
        if state["kind"] == "override":
            version = (record.offset() << 10 | record.partition()) + 1
            found[state["born_person_id"], state["identifier"]] = (state["person_id"], version)
    return found


def _rows(warehouse: Warehouse, columns: str, table: str, keys: int) -> Iterable[tuple[Row, Row]]:
    for row in warehouse.query(f"SELECT {columns} FROM {table} FINAL"):
        yield row[:keys], row[keys:]


def _keyed(warehouse: Warehouse, sql: str, keys: int) -> dict[Row, Any]:
    return {row[:keys]: row[keys] for row in warehouse.query(sql)}


def _touchpoint(said: Mapping[str, Any]) -> Row:
    return (
        _at(said["time"]), said["type"], said["domain"], said["owner"] or "", said["mapped"], said["late"],
        said.get("subject") or "", said.get("outcome") or "", said["person_id"], said["identifier"],
        said["identities"], said["data"], tuple(journey["journey_id"] for journey in said.get("journeys", ())),
    )  # fmt: skip


def _touchpoint_rows(warehouse: Warehouse) -> dict[Row, Row]:
    columns = (
        "source, id, time, type, domain, owner, mapped, late, subject, outcome, toString(person_id), identifier, "
        "identities, data, journey_ids"
    )
    return {
        key: (*row[:11], _decode(row[11]), tuple(row[12]))
        for key, row in _rows(warehouse, columns, "touchpoints", 2)
    }


def _promises(last: Iterable[Mapping[str, Any]]) -> dict[str, Row]:
    return {
        each["finding_id"]: (
            each["revision"], each["rule"], each["status"], each["severity"], each["person_id"], each["journey_key"],
            _at(detail["made_at"]), _at(detail["due_at"]), _at(detail.get("met_at")), _at(detail.get("cancelled_at")),
            detail.get("gap_hours"), detail["owed_by"], tuple(each["evidence"]),
        )
        for each in last
        if each["type"] == "promise" and (detail := each["detail"])
    }  # fmt: skip


def _promise_rows(warehouse: Warehouse) -> dict[str, Row]:
    columns = (
        "finding_id, revision, rule, status, severity, toString(person_id), journey_key, made_at, due_at, met_at, "
        "cancelled_at, gap_hours, owed_by, evidence"
    )
    return {key: (*row[:-1], tuple(row[-1])) for (key,), row in _rows(warehouse, columns, "promises", 1)}


def _values(last: Iterable[Mapping[str, Any]]) -> dict[str, Row]:
    return {
        each["finding_id"]: (
            each["revision"], each["rule"], detail["kind"], each["status"], each["severity"], each["person_id"],
            each["journey_key"], _at(detail["made_at"]), detail["owed_by"], detail.get("promised_from"),
            detail.get("promised_to"), detail["observations"], detail.get("observed"), detail.get("gap"),
            detail.get("per") or "", tuple(each["evidence"]),
        )
        for each in last
        if each["type"] == "value_promise" and (detail := each["detail"])
    }  # fmt: skip


def _value_rows(warehouse: Warehouse) -> dict[str, Row]:
    columns = (
        "finding_id, revision, rule, kind, status, severity, toString(person_id), journey_key, made_at, owed_by, "
        "promised_from, promised_to, observations, observed, gap, per, evidence"
    )
    return {
        key: (*row[:-1], tuple(row[-1])) for (key,), row in _rows(warehouse, columns, "value_promises", 1)
    }


def _stalls(last: Iterable[Mapping[str, Any]]) -> dict[str, Row]:
    return {
        each["finding_id"]: (
            each["revision"], detail["stage"], each["status"], each["severity"], each["owner"], each["person_id"],
            each["journey_key"], _at(detail["entered_at"]), _at(detail["since"]), _at(detail.get("left_at")),
            detail["limit_kind"], *_learned(detail.get("learned")), tuple(each["evidence"]),
        )
        for each in last
        if each["type"] == "stall" and (detail := each["detail"])
    }  # fmt: skip


def _learned(detail: Mapping[str, Any] | None) -> tuple[str, int]:
    """The segment and the stays of a limit that was learned, as a table without absent values has them."""
    return ("", 0) if detail is None else (detail.get("segment") or "", detail["ended"])


def _stall_rows(warehouse: Warehouse) -> dict[str, Row]:
    columns = (
        "finding_id, revision, stage, status, severity, owner, toString(person_id), journey_key, entered_at, since, "
        "left_at, limit_kind, segment, limit_ended, evidence"
    )
    return {key: (*row[:-1], tuple(row[-1])) for (key,), row in _rows(warehouse, columns, "stalls", 1)}


def _journeys(states: Iterable[Mapping[str, Any]]) -> dict[str, Row]:
    return {
        s["journey_id"]: (
            s["version"], s["person_id"], s["status"], _at(s["opened_at"]), _at(s.get("ended_at")), _at(s["last_at"]),
            s["touchpoints"], tuple(visit["stage"] for visit in s["stages"]),
        )
        for s in states
        if s["kind"] == "journey"
    }  # fmt: skip


def _journey_rows(warehouse: Warehouse) -> dict[str, Row]:
    columns = "journey_id, version, toString(person_id), status, opened_at, ended_at, last_at, touchpoints, stages.stage"
    return {key: (*row[:-1], tuple(row[-1])) for (key,), row in _rows(warehouse, columns, "journeys", 1)}


_LINK = ("version", "status", "rule", "linked_at", "linked_source", "linked_id", "said_at", "said_one")


def _link(state: Mapping[str, Any]) -> Row:
    values = (_at(state[name]) if name.endswith("_at") else state[name] for name in _LINK)
    texts = {"rule", "linked_source", "linked_id"}
    plain = (
        "" if value is None and name in texts else value for name, value in zip(_LINK, values, strict=True)
    )
    return (*plain, tuple(state["persons"]))


def _persons(states: Iterable[Mapping[str, Any]]) -> dict[str, Row]:
    return {
        s["person_id"]: (
            s["version"], s["touchpoints"], _at(s.get("first_at")), _at(s.get("last_at")), tuple(s["identifiers"])
        )
        for s in states
        if s["kind"] == "person"
    }  # fmt: skip


def _person_rows(warehouse: Warehouse) -> dict[str, Row]:
    columns = "toString(person_id), version, touchpoints, first_at, last_at, identifiers"
    return {key: (*row[:-1], tuple(row[-1])) for (key,), row in _rows(warehouse, columns, "persons", 1)}


def _counts(states: Iterable[Mapping[str, Any]]) -> dict[Row, Row]:
    return {
        (s["stage"], s["partition"], name): (count,)
        for s in states
        if s["kind"] == "counts"
        for name, count in s["counts"].items()
    }


def _limits(states: Iterable[Mapping[str, Any]]) -> dict[Row, Row]:
    return {
        (s["of"], s["rule"], s["segment"] or "", s["day"][:10]): (
            s["ended"], s["limit_seconds"], s["low_seconds"], s["high_seconds"], tuple(s["percentiles"]), s["version"]
        )
        for s in states
        if s["kind"] == "learned"
    }  # fmt: skip


def _limit_rows(warehouse: Warehouse) -> dict[Row, Row]:
    columns = "of, rule, segment, toString(day), ended, limit_seconds, low_seconds, high_seconds, percentiles, version"
    return {
        key: (*row[:4], tuple(row[4]), row[5]) for key, row in _rows(warehouse, columns, "learned_limits", 4)
    }


def _letters(topics: Topics, topology: Topology) -> dict[Row, Row]:
    letters = [decode_headers(record.headers() or []) for record in topics.of(topology.dead_letter)]
    return {
        (each.topic, each.partition, each.offset, each.stage): (each.code.value, each.path)
        for each in letters
    }


def _figures(warehouse: Warehouse, table: str, groups: str, figures: str) -> dict[Row, Row]:
    """Groups of nothing are those that have vanished."""
    size = len(groups.split(","))
    return {
        (group[0].replace(tzinfo=UTC), *group[1:]): row
        for group, row in _rows(warehouse, f"{groups}, {figures}", table, size)
        if row[0]
    }


def _at(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)
