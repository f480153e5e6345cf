"""Records to rows: pure functions from published records to columnar blocks.

In: consumed records of one topic. Out: blocks (a table, a list of values for each column, and the record
behind each row), and through `refuse` every record that cannot be read, with the reason. What always holds:
rows stand in the order of the records; instants are integers in the column's unit, microseconds but for a
dead letter's milliseconds; no list is shared between blocks. This is the careful way, which finds what is wrong
with which record; `pipeline.warehouse.readings` is the usual one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any, TypeVar

import msgspec

from pipeline.core.dead_letters import letter_of
from pipeline.ports import Record
from pipeline.warehouse import wire

Refuse = Callable[[Record, str], None]
"""Told of a record that cannot be stored, and why, in one sentence."""

_TOGETHER = 500
VALUE_BYTES = 16 * 1024  # of a dead letter: enough to see what is wrong; the topic keeps all of it
MOVED_BITS = 64  # of a touchpoint's version, below its place: the version of the override that a squash put into the row
ATTRIBUTES = ("campaign", "agent", "team", "channel", "persona", "product", "region")
"""What a finding may be told apart by, each a column."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_T = TypeVar("_T")
_decode_learned = msgspec.json.Decoder(wire.LearnedState).decode
_decode_counts = msgspec.json.Decoder(wire.StageCounts).decode


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of one table, column by column; `records[i]` is the record behind row i.

    `reading` is the INSERT that makes the table's columns of these; without it they are the table's.
    """

    table: str
    columns: dict[str, list[Any]]
    records: Sequence[Record]
    reading: str = ""

    def __len__(self) -> int:
        return len(self.records)

    @property
    def statement(self) -> str:
        """To which the columns are to be sent."""
        return self.reading or f"INSERT INTO {self.table} ({', '.join(self.columns)}) VALUES"

    def part(self, start: int, stop: int) -> Block:
        """The rows from `start` up to `stop`."""
        columns = {name: values[start:stop] for name, values in self.columns.items()}
        return Block(self.table, columns, self.records[start:stop], self.reading)


def touchpoint_blocks(records: Sequence[Record], refuse: Refuse) -> list[Block]:
    """`journeys.enriched` → touchpoints."""
    good: list[Record] = []
    columns: dict[str, list[Any]] = {}
    # in parts, so that what was decoded dies young: in one go 20,000 records cost three times as much each
    for start in range(0, len(records), _TOGETHER):
        readable, touchpoints = _decoded(records[start : start + _TOGETHER], wire.decode_touchpoint, refuse)
        good += readable
        for name, values in _touchpoint_columns(readable, touchpoints).items():
            columns.setdefault(name, []).extend(values)
    return [Block("touchpoints", columns, good)]


def finding_blocks(records: Iterable[Record], refuse: Refuse) -> list[Block]:
    """`journeys.findings` → findings (every revision), and promises, value_promises or stalls (the last)."""
    good, findings = _decoded(records, wire.decode_finding, refuse)
    pairs = list(zip(good, findings, strict=True))
    return [
        _finding_log(good, findings),
        _promises([(r, f) for r, f in pairs if isinstance(f, wire.PromiseFinding)]),
        _stalls([(r, f) for r, f in pairs if isinstance(f, wire.StallFinding)]),
        _values([(r, f) for r, f in pairs if isinstance(f, wire.ValueFinding)]),
    ]


def state_blocks(records: Iterable[Record], refuse: Refuse) -> list[Block]:
    """`journeys.state` → journeys, persons, person_overrides, identity_links, identifiers, learned_limits, stage_counts. A
    record without a value says nothing new: skipped.
    """
    good, states = _decoded((r for r in records if r.value is not None), wire.decode_state, refuse)
    pairs = list(zip(good, states, strict=True))
    return [
        _journeys([(r, s) for r, s in pairs if isinstance(s, wire.JourneyState)]),
        _persons([(r, s) for r, s in pairs if isinstance(s, wire.PersonState)]),
        _overrides([(r, s) for r, s in pairs if isinstance(s, wire.PersonOverride)]),
        _links([(r, s) for r, s in pairs if isinstance(s, wire.LinkState)]),
        _identifiers([(r, s) for r, s in pairs if isinstance(s, wire.IdentifierState)]),
        _learned([(r, s) for r, s in pairs if isinstance(s, wire.LearnedState)]),
        _counts([(r, s) for r, s in pairs if isinstance(s, wire.StageCounts)]),
    ]


def stage_counts(records: Sequence[Record]) -> Block:
    """The records that count, of `journeys.state` → stage_counts. Raises msgspec.DecodeError for any other."""
    return _counts([(record, _decode_counts(record.value or b"")) for record in records])


def learned_limits(records: Sequence[Record]) -> Block:
    """The records of what was learned, of `journeys.state` → learned_limits. Raises msgspec.DecodeError for any other."""
    return _learned([(record, _decode_learned(record.value or b"")) for record in records])


def dead_letter_blocks(records: Iterable[Record]) -> list[Block]:
    """`touchpoints.dead-letter` → dead_letters. A record that is no dead letter is kept as one too, without reasons, and
    so is one without a value, which a source may write: nothing is ever refused here, where refusing would only make
    another.
    """
    good = list(records)
    letters = [letter_of(record) for record in good]
    columns: dict[str, list[Any]] = {
        "time": [micros(letter.time) // 1000 for letter in letters],
        "topic": [letter.topic for letter in letters],
        "partition": [letter.partition for letter in letters],
        "offset": [letter.offset for letter in letters],
        "stage": [letter.stage for letter in letters],
        "code": [letter.code.value for letter in letters],
        "path": [letter.path for letter in letters],
        "message": [letter.message for letter in letters],
        "key": [record.key or b"" for record in good],
        "value": [(record.value or b"")[:VALUE_BYTES] for record in good],
        "bytes": [len(record.value or b"") for record in good],
        "version": [place(record) for record in good],
    }
    return [Block("dead_letters", columns, good)]


def _touchpoint_columns(
    records: Sequence[Record], touchpoints: Sequence[wire.EnrichedTouchpoint]
) -> dict[str, list[Any]]:
    """One comprehension a column, nothing built per row."""
    return {
        "time": [(t.time - _EPOCH) // _MICROSECOND for t in touchpoints],
        "source": [t.source for t in touchpoints],
        "id": [t.id for t in touchpoints],
        "type": [t.type for t in touchpoints],
        "domain": [t.domain for t in touchpoints],
        "owner": [t.owner or "" for t in touchpoints],
        "mapped": [t.mapped for t in touchpoints],
        "late": [t.late for t in touchpoints],
        "subject": [t.subject or "" for t in touchpoints],
        "outcome": [t.outcome or "" for t in touchpoints],
        "person_id": [t.person_id for t in touchpoints],
        "identifier": [t.identifier for t in touchpoints],
        "identities": [t.identities for t in touchpoints],
        "data": [bytes(t.data) for t in touchpoints],
        "journey_ids": [tuple([j.journey_id for j in t.journeys]) for t in touchpoints],
        "stages": [_all_of([j.stages for j in t.journeys]) for t in touchpoints],
        "stages_entered": [_all_of([j.entered for j in t.journeys]) for t in touchpoints],
        "stages_left": [_all_of([j.left for j in t.journeys]) for t in touchpoints],
        "version": [place(record) << MOVED_BITS for record in records],
    }


def _all_of(parts: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    return parts[0] if len(parts) == 1 else tuple(chain.from_iterable(parts))


def place(record: Record) -> int:
    """Grows along a partition, differs everywhere: of two rows with one key the same one always wins."""
    return record.offset << 10 | record.partition


def moved(record: Record) -> int:
    """The version of an override: its place in the topic, and never 0, which stands for none.

    Its own `version` counts moves: enough to tell what moved last, but of two touchpoints that share an override one may
    have moved more often. All of its records are in one partition, and the last of them is right.
    """
    return place(record) + 1


def micros(moment: datetime) -> int:
    """Since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def _micros_or_none(moment: datetime | None) -> int | None:
    return None if moment is None else micros(moment)


def _decoded(
    records: Iterable[Record], decode: Callable[[bytes], _T], refuse: Refuse
) -> tuple[list[Record], list[_T]]:
    """The records that can be read, and what they say."""
    good = list(records)
    try:
        return good, [decode(record.value or b"") for record in good]
    except msgspec.DecodeError:
        return _decoded_singly(good, decode, refuse)


def _decoded_singly(
    records: Sequence[Record], decode: Callable[[bytes], _T], refuse: Refuse
) -> tuple[list[Record], list[_T]]:
    good: list[Record] = []
    values: list[_T] = []
    for record in records:
        try:
            values.append(decode(record.value or b""))
        except msgspec.DecodeError as error:
            refuse(record, f"not a record of {record.topic}: {error}")
        else:
            good.append(record)
    return good, values


def _finding_log(records: Sequence[Record], findings: Sequence[wire.Finding]) -> Block:
    columns: dict[str, list[Any]] = {
        "opened_at": [micros(f.opened_at) for f in findings],
        "finding_id": [f.finding_id for f in findings],
        "revision": [f.revision for f in findings],
        "type": [f.__struct_config__.tag for f in findings],
        "rule": [f.rule for f in findings],
        "status": [f.status for f in findings],
        "person_id": [f.person_id for f in findings],
        "journey_id": [f.journey_id for f in findings],
        "detected_at": [micros(f.detected_at) for f in findings],
        "record": [record.value for record in records],
        "version": [place(record) for record in records],
    }
    return Block("findings", columns, records)


def _promises(rows: Sequence[tuple[Record, wire.PromiseFinding]]) -> Block:
    findings = [finding for _, finding in rows]
    details = [finding.detail for finding in findings]
    columns: dict[str, list[Any]] = {
        **_shared(findings),
        "rule": [f.rule for f in findings],
        "kind": [d.kind for d in details],
        "made_at": [micros(d.made_at) for d in details],
        "made_by": [d.made_by for d in details],
        "owed_by": [d.owed_by for d in details],
        "per": [d.per or "" for d in details],
        "due_at": [micros(d.due_at) for d in details],
        "at_risk_at": [micros(d.at_risk_at) for d in details],
        "break_probability": [d.forecast.probability if d.forecast else None for d in details],
        "forecast_ended": [d.forecast.ended if d.forecast else 0 for d in details],
        "forecast_segment": [(d.forecast.segment or "") if d.forecast else "" for d in details],
        "met_at": [_micros_or_none(d.met_at) for d in details],
        "cancelled_at": [_micros_or_none(d.cancelled_at) for d in details],
        "gap_hours": [d.gap_hours for d in details],
        "revisions": [d.revisions.count if d.revisions else 0 for d in details],
        "first_due_at": [micros(d.revisions.first_due_at if d.revisions else d.due_at) for d in details],
        "latest_due_at": [micros(d.revisions.latest_due_at if d.revisions else d.due_at) for d in details],
        "best_due_at": [micros(d.revisions.best_due_at if d.revisions else d.due_at) for d in details],
        "original_due_at": [_original(d.clock, d.due_at) for d in details],
        "started_at": [micros(d.clock.started_at if d.clock else d.made_at) for d in details],
        "target_seconds": [d.clock.target_seconds if d.clock else None for d in details],
        "spent_seconds": [d.clock.spent_seconds if d.clock else None for d in details],
        "parts_needed": [d.parts.needed if d.parts else 1.0 for d in details],
        "parts_brought": [d.parts.brought if d.parts else 0.0 for d in details],
        **_clocked(details),
    }
    return Block("promises", columns, [record for record, _ in rows])


def _values(rows: Sequence[tuple[Record, wire.ValueFinding]]) -> Block:
    findings = [finding for _, finding in rows]
    details = [finding.detail for finding in findings]
    columns: dict[str, list[Any]] = {
        **_shared(findings),
        "rule": [f.rule for f in findings],
        **{
            name: [getattr(d, name) for d in details]
            for name in (
                *("kind", "made_by", "owed_by", "basis", "measured", "observations", "promised_from"),
                *("promised_to", "tolerance", "observed", "gap"),
            )
        },
        "made_at": [micros(d.made_at) for d in details],
        "per": [d.per or "" for d in details],
        "unit": [d.unit or "" for d in details],
        **_attributes(details),
        **{
            name: [_micros_or_none(getattr(d, name)) for d in details]
            for name in ("started_at", "observed_at", "closes_at", "closed_at", "cancelled_at")
        },
    }
    return Block("value_promises", columns, [record for record, _ in rows])


def _attributes(
    details: Sequence[wire.PromiseDetail | wire.ValueDetail | wire.StallDetail],
) -> dict[str, list[Any]]:
    return {name: [d.attributes.get(name, "") for d in details] for name in ATTRIBUTES}


def _stalls(rows: Sequence[tuple[Record, wire.StallFinding]]) -> Block:
    findings = [finding for _, finding in rows]
    details = [finding.detail for finding in findings]
    columns: dict[str, list[Any]] = {
        **_shared(findings),
        "owner": [f.owner for f in findings],
        "stage": [d.stage for d in details],
        "entered_at": [micros(d.entered_at) for d in details],
        "since": [micros(d.since) for d in details],
        "original_since": [_original(d.clock, d.since) for d in details],
        "limit_seconds": [d.limit_seconds for d in details],
        "limit_kind": [d.limit_kind for d in details],
        "segment": [(d.learned.segment or "") if d.learned else "" for d in details],
        "limit_ended": [d.learned.ended if d.learned else 0 for d in details],
        "limit_low_seconds": [d.learned.low_seconds if d.learned else None for d in details],
        "limit_high_seconds": [d.learned.high_seconds if d.learned else None for d in details],
        "left_at": [_micros_or_none(d.left_at) for d in details],
        "abandoned_at": [_micros_or_none(d.abandoned_at) for d in details],
        **_clocked(details),
    }
    return Block("stalls", columns, [record for record, _ in rows])


def _original(clock: wire.ClockDetail | None, due: datetime) -> int:
    """When a clock would have run out that nothing had paused."""
    return micros(due if clock is None or clock.original_due_at is None else clock.original_due_at)


def _clocked(details: Sequence[wire.PromiseDetail | wire.StallDetail]) -> dict[str, list[Any]]:
    """The columns that whatever has a clock has in common."""
    statuses = [[warning.status for warning in d.warnings] for d in details]
    return {
        "calendar": [d.calendar or "" for d in details],
        **_attributes(details),
        "paused_at": [_micros_or_none(d.clock.paused_at if d.clock else None) for d in details],
        "paused_seconds": [d.clock.paused_seconds if d.clock else 0.0 for d in details],
        "resets": [d.clock.resets if d.clock else 0 for d in details],
        "warned": [said.count("passed") for said in statuses],
        "skipped": [said.count("skipped") for said in statuses],
        "escalated": [d.escalation.step if d.escalation else 0 for d in details],
        "escalated_to": [d.escalation.to if d.escalation else "" for d in details],
    }


def _shared(findings: Sequence[wire.Finding]) -> dict[str, list[Any]]:
    """The columns that promises and stalls have in common."""
    return {
        "finding_id": [f.finding_id for f in findings],
        "revision": [f.revision for f in findings],
        "status": [f.status for f in findings],
        "severity": [f.severity for f in findings],
        "person_id": [f.person_id for f in findings],
        "journey_id": [f.journey_id for f in findings],
        "journey_type": [f.journey_type for f in findings],
        "journey_key": [f.journey_key for f in findings],
        "detected_at": [micros(f.detected_at) for f in findings],
        "evidence": [f.evidence for f in findings],
    }


def _journeys(rows: Sequence[tuple[Record, wire.JourneyState]]) -> Block:
    states = [state for _, state in rows]
    columns: dict[str, list[Any]] = {
        "journey_id": [s.journey_id for s in states],
        "version": [s.version for s in states],
        "journey_type": [s.journey_type for s in states],
        "journey_key": [s.journey_key for s in states],
        "person_id": [s.person_id for s in states],
        "status": [s.status for s in states],
        "opened_at": [micros(s.opened_at) for s in states],
        "ended_at": [_micros_or_none(s.ended_at) for s in states],
        "last_at": [micros(s.last_at) for s in states],
        "touchpoints": [s.touchpoints for s in states],
        "`stages.stage`": [tuple([visit.stage for visit in s.stages]) for s in states],
        "`stages.entered_at`": [tuple([micros(visit.entered_at) for visit in s.stages]) for s in states],
    }
    return Block("journeys", columns, [record for record, _ in rows])


def _persons(rows: Sequence[tuple[Record, wire.PersonState]]) -> Block:
    states = [state for _, state in rows]
    columns: dict[str, list[Any]] = {
        "person_id": [s.person_id for s in states],
        "version": [s.version for s in states],
        "touchpoints": [s.touchpoints for s in states],
        "first_at": [_micros_or_none(s.first_at) for s in states],
        "last_at": [_micros_or_none(s.last_at) for s in states],
        "identifiers": [s.identifiers for s in states],
    }
    return Block("persons", columns, [record for record, _ in rows])


def _overrides(rows: Sequence[tuple[Record, wire.PersonOverride]]) -> Block:
    states = [state for _, state in rows]
    columns: dict[str, list[Any]] = {
        "born_person_id": [s.born_person_id for s in states],
        "identifier": [s.identifier for s in states],
        "person_id": [s.person_id for s in states],
        "version": [moved(record) for record, _ in rows],
    }
    return Block("person_overrides", columns, [record for record, _ in rows])


def _links(rows: Sequence[tuple[Record, wire.LinkState]]) -> Block:
    states = [state for _, state in rows]
    columns: dict[str, list[Any]] = {
        "one": [s.one for s in states],
        "other": [s.other for s in states],
        "version": [s.version for s in states],
        "status": [s.status for s in states],
        "rule": [s.rule or "" for s in states],
        "linked_at": [_micros_or_none(s.linked_at) for s in states],
        "linked_source": [s.linked_source or "" for s in states],
        "linked_id": [s.linked_id or "" for s in states],
        "said_at": [_micros_or_none(s.said_at) for s in states],
        "said_source": [s.said_source or "" for s in states],
        "said_id": [s.said_id or "" for s in states],
        "said_one": [s.said_one for s in states],
        "persons": [s.persons for s in states],
    }
    return Block("identity_links", columns, [record for record, _ in rows])


def _identifiers(rows: Sequence[tuple[Record, wire.IdentifierState]]) -> Block:
    states = [state for _, state in rows]
    columns: dict[str, list[Any]] = {
        "identifier": [s.identifier for s in states],
        "version": [s.version for s in states],
        "person_id": [s.person_id for s in states],
        "named_by": [s.named_by for s in states],
        "shared": [s.shared for s in states],
    }
    return Block("identifiers", columns, [record for record, _ in rows])


def _learned(rows: Sequence[tuple[Record, wire.LearnedState]]) -> Block:
    states = [state for _, state in rows]
    columns: dict[str, list[Any]] = {
        "day": [s.day.date() for s in states],
        "of": [s.of for s in states],
        "rule": [s.rule for s in states],
        "segment": [s.segment or "" for s in states],
        "ended": [s.ended for s in states],
        "limit_seconds": [s.limit_seconds for s in states],
        "low_seconds": [s.low_seconds for s in states],
        "high_seconds": [s.high_seconds for s in states],
        "percentiles": [s.percentiles for s in states],
        "version": [s.version for s in states],
    }
    return Block("learned_limits", columns, [record for record, _ in rows])


def _counts(rows: Sequence[tuple[Record, wire.StageCounts]]) -> Block:
    """A row for each name."""
    counted = [(record, state, *item) for record, state in rows for item in state.counts.items()]
    columns: dict[str, list[Any]] = {
        "stage": [state.stage for _, state, _, _ in counted],
        "partition": [state.partition for _, state, _, _ in counted],
        "name": [name for _, _, name, _ in counted],
        "count": [count for _, _, _, count in counted],
        "version": [state.version for _, state, _, _ in counted],
    }
    return Block("stage_counts", columns, [record for record, _, _, _ in counted])
