"""How ClickHouse itself reads published records: most of what a row says never becomes a Python object.

In: records of one topic. Out: blocks that hold each record as it was published, with what is better sent
beside it, and for each table the statement that makes rows of such a block. What always holds: a block is made only
if every record is one of `pipeline.warehouse.wire`; and its statement stores the rows that `pipeline.warehouse.rows`
makes of them, or fails and stores nothing. Then those rows are to be sent instead.

JSONExtract fails in silence: what it can't parse or convert gets the type's default. So whatever it might fail to
convert is read as Nullable, and its column refuses a NULL (`insert_null_as_default = 0`). Each record has such a
value, so none is lost that msgspec can read and ClickHouse can't. Texts and flags are known to be such by then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.ports import Record
from pipeline.warehouse import wire
from pipeline.warehouse.rows import (
    ATTRIBUTES,
    MOVED_BITS,
    Block,
    learned_limits,
    micros,
    moved,
    place,
    stage_counts,
)

_TEXT, _TEXTS, _FLAG, _UUID = "String", "Array(String)", "Bool", "Nullable(UUID)"
_UINT32, _UINT64, _FLOAT = "Nullable(UInt32)", "Nullable(UInt64)", "Nullable(Float64)"
_MAYBE = "Nullable(String)"
_INSTANT, _MAYBE_INSTANT = "instant", "instant or null"
"""A text in the record, microseconds beside it."""
_READ_AS = {_INSTANT: _TEXT, _MAYBE_INSTANT: _MAYBE}

_OBJECTS = ("Array(Tuple(", "Tuple(")

Said = Mapping[str, "str | Said"]


@dataclass(frozen=True)
class Reading:
    """How rows of `table` are read: by name from what is `sent` beside the record, and from what is `said` in it.

    Values are types; what is said may be nested. `columns` are those that are something else, in SQL.
    """

    table: str
    sent: Mapping[str, str]
    said: Said
    columns: Mapping[str, str]

    @property
    def statement(self) -> str:
        """The INSERT that takes blocks of `record` and what is sent."""
        sent = {
            "record": _TEXT,
            **{name: "Int64" if kind == _INSTANT else kind for name, kind in self.sent.items()},
        }
        columns = {**dict(_sent(self.sent)), **dict(_said(self.said, "said")), **self.columns}
        # every name and expression is a constant of this module
        return (
            f"INSERT INTO {self.table} ({', '.join(columns)}) SELECT {', '.join(columns.values())} "  # noqa: S608
            f"FROM (SELECT *, JSONExtract(record, '{_tuple(self.said)}') AS said FROM input('{_listed(sent)}')) "
            f"FORMAT Native"
        )


def _listed(types: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in types.items())


def _tuple(said: Said) -> str:
    kinds = {name: kind if isinstance(kind, str) else _tuple(kind) for name, kind in said.items()}
    return f"Tuple({_listed({name: _READ_AS.get(kind, kind) for name, kind in kinds.items()})})"


def _sent(sent: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, kind in sent.items():
        yield name, f"fromUnixTimestamp64Micro({name}, 'UTC')" if kind == _INSTANT else name


def _said(said: Said, within: str) -> Iterator[tuple[str, str]]:
    """Columns and their SQL; an object, or a list of them, that is read as one is no column."""
    for name, kind in said.items():
        path = _element(within, name)
        if not isinstance(kind, str):
            yield from _said(kind, path)
        elif kind == _INSTANT:
            yield name, _parsed(path)
        elif kind == _MAYBE_INSTANT:
            text = f"ifNull({path}, '1970-01-01')"  # what stands for a null is parsed too
            yield name, f"if(isNull({path}), NULL, {_parsed(text)})"
        elif not kind.startswith(_OBJECTS):
            yield name, path


def _element(of: str, name: str) -> str:
    """`of.name` would say the same, but costs the server 0.2 ms for each in every INSERT."""
    return f"tupleElement({of}, '{name}')"


def _parsed(text: str) -> str:
    return f"parseDateTime64BestEffort({text}, 6, 'UTC')"


_JOURNEYS, _DETAIL, _STAGES = (_element("said", name) for name in ("journeys", "detail", "stages"))
_FINDING: Said = {
    "finding_id": _TEXT,
    "revision": _UINT32,
    "rule": _TEXT,
    "status": _TEXT,
    "person_id": _UUID,
    "journey_id": _TEXT,
    "detected_at": _INSTANT,
}
_LAST: Said = {
    **_FINDING,
    "severity": _TEXT,
    "journey_type": _TEXT,
    "journey_key": _TEXT,
    "evidence": _TEXTS,
}


def _part(*path: str) -> str:
    """What lies in the detail of a finding."""
    found = _DETAIL
    for name in path:
        found = _element(found, name)
    return found


def _or(text: str, otherwise: str) -> str:
    return f"if(empty({text}), {otherwise}, {text})"


def _original(due: str) -> str:
    """When a clock would have run out that nothing had paused."""
    return _parsed(_or(_part("clock", "original_due_at"), _part(due)))


_SOME_INSTANT = "'1970-01-01'"
"""What is parsed in place of nothing: both branches of a condition may be."""
_STATUSES = f"arrayMap(x -> {_element('x', 'status')}, {_part('warnings')})"
_ATTRIBUTES = f"Tuple({_listed(dict.fromkeys(ATTRIBUTES, _TEXT))})"
_OF_ATTRIBUTES = {name: _part("attributes", name) for name in ATTRIBUTES}
_CLOCKED: Said = {
    "calendar": _TEXT,
    "attributes": _ATTRIBUTES,
    "clock": f"Tuple(started_at String, target_seconds {_FLOAT}, spent_seconds {_FLOAT}, paused_at String, "
    f"paused_seconds {_FLOAT}, resets {_UINT32}, original_due_at String)",
    "warnings": "Array(Tuple(status String))",
    "escalation": f"Tuple(step {_UINT32}, to String)",
}
_OF_CLOCKS = {
    **_OF_ATTRIBUTES,
    "paused_at": f"if(empty({_part('clock', 'paused_at')}), NULL, "
    f"{_parsed(_or(_part('clock', 'paused_at'), _SOME_INSTANT))})",
    "paused_seconds": f"ifNull({_part('clock', 'paused_seconds')}, 0)",
    "resets": f"ifNull({_part('clock', 'resets')}, 0)",
    "warned": f"countEqual({_STATUSES}, 'passed')",
    "skipped": f"countEqual({_STATUSES}, 'skipped')",
    "escalated": f"ifNull({_part('escalation', 'step')}, 0)",
    "escalated_to": _part("escalation", "to"),
}
_READINGS = (
    Reading(
        "touchpoints",
        {"time": _INSTANT, "data": _TEXT, "version": "UInt64"},
        {
            "source": _TEXT,
            "id": _TEXT,
            "type": _TEXT,
            "domain": _TEXT,
            "owner": _TEXT,
            "mapped": _FLAG,
            "late": _FLAG,
            "subject": _TEXT,
            "outcome": _TEXT,
            "person_id": _UUID,
            "identifier": _TEXT,
            "identities": "Map(String, String)",
            "journeys": f"Array(Tuple(journey_id {_TEXT}, stages {_TEXTS}, entered {_TEXTS}, left {_TEXTS}))",
        },
        {
            "journey_ids": _element(_JOURNEYS, "journey_id"),
            "stages": f"arrayFlatten({_element(_JOURNEYS, 'stages')})",
            "stages_entered": f"arrayFlatten({_element(_JOURNEYS, 'entered')})",
            "stages_left": f"arrayFlatten({_element(_JOURNEYS, 'left')})",
            "version": f"bitShiftLeft(toUInt128(version), {MOVED_BITS})",
        },
    ),
    Reading(
        "findings",
        {"version": "UInt64"},
        {**_FINDING, "type": _TEXT, "opened_at": _INSTANT},
        {"record": "record"},
    ),
    Reading(
        "promises",
        {"made_at": _INSTANT},
        {
            **_LAST,
            "detail": {
                "kind": _MAYBE,
                "made_by": _TEXT,
                "owed_by": _TEXT,
                "due_at": _INSTANT,
                "at_risk_at": _INSTANT,
                "met_at": _MAYBE_INSTANT,
                "cancelled_at": _MAYBE_INSTANT,
                "gap_hours": _FLOAT,
                "per": _TEXT,
                "revisions": f"Tuple(count {_UINT32}, first_due_at String, latest_due_at String, best_due_at String)",
                "parts": f"Tuple(needed {_FLOAT}, brought {_FLOAT})",
                "forecast": f"Tuple(probability {_FLOAT}, ended {_UINT32}, segment {_TEXT})",
                **_CLOCKED,
            },
        },
        {
            "kind": f"ifNull({_element(_DETAIL, 'kind')}, 'deadline')",
            "revisions": f"ifNull({_part('revisions', 'count')}, 0)",
            **{
                f"{which}_due_at": _parsed(_or(_part("revisions", f"{which}_due_at"), _part("due_at")))
                for which in ("first", "latest", "best")
            },
            "original_due_at": _original("due_at"),
            "started_at": f"if(empty({_part('clock', 'started_at')}), fromUnixTimestamp64Micro(made_at, 'UTC'), "
            f"{_parsed(_or(_part('clock', 'started_at'), _SOME_INSTANT))})",
            "target_seconds": _part("clock", "target_seconds"),
            "spent_seconds": _part("clock", "spent_seconds"),
            "parts_needed": f"ifNull({_part('parts', 'needed')}, 1)",
            "parts_brought": f"ifNull({_part('parts', 'brought')}, 0)",
            "break_probability": _part("forecast", "probability"),
            "forecast_ended": f"ifNull({_part('forecast', 'ended')}, 0)",
            "forecast_segment": _part("forecast", "segment"),
            **_OF_CLOCKS,
        },
    ),
    Reading(
        "value_promises",
        {"made_at": _INSTANT},
        {
            **_LAST,
            "detail": {
                **dict.fromkeys(("kind", "made_by", "owed_by", "basis", "measured", "per", "unit"), _TEXT),
                "observations": _UINT32,
                **dict.fromkeys(("promised_from", "promised_to", "observed", "gap"), _FLOAT),
                "tolerance": _FLOAT,
                **dict.fromkeys(
                    ("started_at", "observed_at", "closes_at", "closed_at", "cancelled_at"), _MAYBE_INSTANT
                ),
                "attributes": _ATTRIBUTES,
            },
        },
        {"tolerance": f"ifNull({_part('tolerance')}, 0)", **_OF_ATTRIBUTES},
    ),
    Reading(
        "stalls",
        {"entered_at": _INSTANT},
        {
            **{name: kind for name, kind in _LAST.items() if name != "rule"},
            "owner": _TEXT,
            "detail": {
                "stage": _TEXT,
                "since": _INSTANT,
                "limit_seconds": _FLOAT,
                "limit_kind": _MAYBE,
                "learned": f"Tuple(ended {_UINT32}, low_seconds {_FLOAT}, high_seconds {_FLOAT}, segment {_TEXT})",
                "left_at": _MAYBE_INSTANT,
                "abandoned_at": _MAYBE_INSTANT,
                **_CLOCKED,
            },
        },
        {
            "limit_kind": f"ifNull({_element(_DETAIL, 'limit_kind')}, 'declared')",
            "original_since": _original("since"),
            "segment": _part("learned", "segment"),
            "limit_ended": f"ifNull({_part('learned', 'ended')}, 0)",
            "limit_low_seconds": _part("learned", "low_seconds"),
            "limit_high_seconds": _part("learned", "high_seconds"),
            **_OF_CLOCKS,
        },
    ),
    Reading(
        "journeys",
        {},
        {
            "journey_id": _TEXT,
            "version": _UINT64,
            "journey_type": _TEXT,
            "journey_key": _TEXT,
            "person_id": _UUID,
            "status": _TEXT,
            "opened_at": _INSTANT,
            "ended_at": _MAYBE_INSTANT,
            "last_at": _INSTANT,
            "touchpoints": _UINT32,
            "stages": f"Array(Tuple(stage {_TEXT}, entered_at {_TEXT}))",
        },
        {
            "`stages.stage`": _element(_STAGES, "stage"),
            "`stages.entered_at`": f"arrayMap(x -> {_parsed('x')}, {_element(_STAGES, 'entered_at')})",
        },
    ),
    Reading(
        "persons",
        {},
        {
            "person_id": _UUID,
            "version": _UINT64,
            "touchpoints": _UINT32,
            "first_at": _MAYBE_INSTANT,
            "last_at": _MAYBE_INSTANT,
            "identifiers": _TEXTS,
        },
        {},
    ),
    Reading(
        "person_overrides",
        {"version": "UInt64"},
        {"born_person_id": _UUID, "identifier": _TEXT, "person_id": _UUID},
        {},
    ),
    Reading(
        "identity_links",
        {},
        {
            "one": _TEXT,
            "other": _TEXT,
            "version": _UINT64,
            "status": _TEXT,
            "rule": _TEXT,
            "linked_at": _MAYBE_INSTANT,
            "linked_source": _TEXT,
            "linked_id": _TEXT,
            "said_at": _MAYBE_INSTANT,
            "said_source": _TEXT,
            "said_id": _TEXT,
            "said_one": "Nullable(Bool)",
            "persons": "Array(UUID)",
        },
        {},
    ),
    Reading(
        "identifiers",
        {},
        {"identifier": _TEXT, "version": _UINT64, "person_id": _UUID, "named_by": _TEXT, "shared": _FLAG},
        {},
    ),
)
_LAST_REVISIONS: dict[type, tuple[str, str]] = {
    wire.PromiseFinding: ("promises", "made_at"),
    wire.StallFinding: ("stalls", "entered_at"),
    wire.ValueFinding: ("value_promises", "made_at"),
}
_STATES = {
    "journeys": wire.JourneyState,
    "persons": wire.PersonState,
    "identity_links": wire.LinkState,
    "identifiers": wire.IdentifierState,
}
_STATEMENTS = {reading.table: reading.statement for reading in _READINGS}


def touchpoint_readings(records: Sequence[Record]) -> list[Block]:
    """`journeys.enriched` → touchpoints. Raises msgspec.DecodeError, as the others do, if one can't be read."""
    # what was decoded dies at once: to keep 20,000 costs three times as much each
    read = [_time_and_data(wire.decode_touchpoint(record.value or b"")) for record in records]
    columns: dict[str, list[Any]] = {
        "time": [time for time, _ in read],
        "data": [data for _, data in read],
        "version": [place(record) for record in records],
    }
    return [_block("touchpoints", records, columns)]


def finding_readings(records: Sequence[Record]) -> list[Block]:
    """`journeys.findings` → findings, promises, value_promises, stalls."""
    read = [_type_and_time(wire.decode_finding(record.value or b"")) for record in records]
    last = []
    for wanted, (table, time_column) in _LAST_REVISIONS.items():
        some = [(record, time) for record, (kind, time) in zip(records, read, strict=True) if kind is wanted]
        last.append(_block(table, [record for record, _ in some], {time_column: [time for _, time in some]}))
    return [_block("findings", records, {"version": [place(record) for record in records]}), *last]


def state_readings(records: Sequence[Record]) -> list[Block]:
    """`journeys.state` → journeys, persons, person_overrides, identity_links, identifiers; the few counts, and
    what was learned, become rows here.
    """
    alive = [record for record in records if record.value is not None]
    kinds = [type(wire.decode_state(record.value or b"")) for record in alive]
    said: dict[type, list[Record]] = {}
    for record, kind in zip(alive, kinds, strict=True):
        said.setdefault(kind, []).append(record)
    overrides = said.get(wire.PersonOverride, [])
    return [
        *(_block(table, said.get(kind, []), {}) for table, kind in _STATES.items()),
        _block("person_overrides", overrides, {"version": [moved(record) for record in overrides]}),
        learned_limits(said.get(wire.LearnedState, [])),
        stage_counts(said.get(wire.StageCounts, [])),
    ]


def _block(table: str, records: Sequence[Record], sent: Mapping[str, list[Any]]) -> Block:
    return Block(table, {"record": [record.value for record in records], **sent}, records, _STATEMENTS[table])


def _time_and_data(touchpoint: wire.EnrichedTouchpoint) -> tuple[int, bytes]:
    return micros(touchpoint.time), bytes(touchpoint.data)


def _type_and_time(finding: wire.Finding) -> tuple[type, int]:
    """The time is that of the bucket in which it counts."""
    if isinstance(finding, wire.StallFinding):
        return wire.StallFinding, micros(finding.detail.entered_at)
    return type(finding), micros(finding.detail.made_at)
