"""A mapping's events, compiled for one file: from a row to the bytes of a touchpoint, ready to be sorted.

In: the event's mapping and where each column is in a row. Out: a function on rows. Always holds: a row
makes the touchpoint, is `Skipped` with the reason, or raises `RowError`; nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any

import msgspec
from pydantic import TypeAdapter, ValidationError

from pipeline.core.instants import EPOCH
from pipeline.imports.convert import RowError
from pipeline.imports.mapping import Event, Value
from pipeline.imports.ordered import Sortable, sequence_order
from pipeline.imports.sources import Row
from pipeline.imports.values import Getter, Surroundings, compile_test, compile_text, compile_value
from schemas.base import TypeName

_OUTCOMES = frozenset({None, "success", "failure"})
_type_name: TypeAdapter[str] = TypeAdapter(TypeName)


class Skipped(Enum):
    """Why a row makes no touchpoint although nothing is wrong with it."""

    CONDITION = auto()
    EMPTY_TIME = auto()


class Envelope(msgspec.Struct, omit_defaults=True, gc=False):
    """A CloudEvents 1.0 structured event as it is written."""

    specversion: str
    id: str
    source: str
    type: str
    time: datetime
    identities: dict[str, str]
    subject: str | None = None
    sequence: str | None = None
    outcome: str | None = None
    data: dict[str, Any] = {}


@dataclass(frozen=True)
class Origin:
    """Names that an event's default id and source are made of, and that reports call it by."""

    mapping: str
    table: str
    file: str
    event: str


@dataclass(frozen=True)
class CompiledEvent:
    """`build` makes the touchpoint of a row and its line; `explain` says which field made it raise RowError.

    `cells` are those of a row by column. `name` is `table.event`.
    """

    name: str
    file: str
    build: Callable[[Row, int], Sortable | Skipped]
    explain: Callable[[Row, RowError], str]
    cells: Callable[[Row], dict[str, Any]]


def compile_event(event: Event, origin: Origin, latest: int, around: Surroundings) -> CompiledEvent:
    """Compile an event of the mapping; `latest` is the greatest possible time, in microseconds."""
    tests = [compile_test(column, condition, around) for column, condition in event.when.items()]
    time_of = compile_value(event.time, around)
    type_of = _checked_type(compile_text(event.type, around))
    source_of = compile_text(event.source or _default_source(origin), around)
    id_of = compile_text(event.id, around) if event.id else None
    identities = [(kind, compile_text(value, around)) for kind, value in event.identities.items()]
    data = [(name, compile_value(value, around)) for name, value in event.data.items()]
    subject_of, sequence_of, outcome_of = (
        compile_text(value, around) if value else None
        for value in (event.subject, event.sequence, event.outcome)
    )
    encode = msgspec.json.Encoder().encode

    def build(row: Row, line: int) -> Sortable | Skipped:
        for test in tests:
            if not test(row):
                return Skipped.CONDITION
        moment: datetime | None = time_of(row)
        if moment is None:
            return Skipped.EMPTY_TIME
        since = moment - EPOCH
        instant = (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds
        if not 0 <= instant <= latest:
            raise RowError(f"time: {moment.isoformat()} is before 1970 or in the future")
        identifier = f"{origin.file}:{line}:{origin.event}" if id_of is None else id_of(row)
        source, kind = source_of(row), type_of(row)
        if not (identifier and source and kind):
            raise RowError("its id, source or type is empty")
        known = {name: value for name, get in identities if (value := get(row)) and not value.isspace()}
        if not known:
            raise RowError("all its identities are empty, so that it can't be anybody's")
        subject = subject_of(row) if subject_of else None
        sequence = sequence_of(row) if sequence_of else None
        outcome = outcome_of(row) if outcome_of else None
        if outcome not in _OUTCOMES:
            raise RowError(f"outcome: {outcome!r} is neither success nor failure; translate it with `values`")
        values = {name: value for name, get in data if (value := get(row)) is not None}
        envelope = Envelope(
            "1.0", identifier, source, kind, moment, known, subject, sequence, outcome, values
        )
        try:
            body = encode(envelope)
        except (msgspec.MsgspecError, ValueError, TypeError, OverflowError) as error:
            raise RowError(f"data: it can't be written as JSON ({error})") from None
        order = sequence_order(sequence) if sequence else ""
        key: str = next(iter(known.values()))
        return instant, order, source, identifier, kind[: kind.index(".")], key.encode(), body

    fields: list[tuple[str, Getter]] = [("time", time_of), ("type", type_of), ("source", source_of)]
    fields += [("id", id_of)] if id_of else []
    fields += [(f"identities.{kind}", get) for kind, get in identities]
    fields += [(f"data.{name}", get) for name, get in data]
    named = (("subject", subject_of), ("sequence", sequence_of), ("outcome", outcome_of))
    fields += [(name, get) for name, get in named if get]
    return CompiledEvent(
        name=f"{origin.table}.{origin.event}",
        file=origin.file,
        build=build,
        explain=lambda row, error: _explained(row, error, fields),
        cells=around.cells,
    )


def _explained(row: Row, error: RowError, fields: list[tuple[str, Getter]]) -> str:
    """The error with the field that raises it; found by trying, so that good rows pay nothing for it."""
    for name, get in fields:
        try:
            get(row)
        except RowError as found:
            return f"{name}: {found}"
    return str(error)


def _default_source(origin: Origin) -> Value:
    return Value(constant=f"{origin.mapping}/{origin.table}")


def _checked_type(get: Getter) -> Getter:
    """The type, checked once for each that comes."""
    good: set[str] = set()

    def checked(row: Row) -> str | None:
        kind: str | None = get(row)
        if kind is not None and kind not in good:
            try:
                good.add(_type_name.validate_python(kind))
            except ValidationError:
                example = "such as fulfilment.parcel.delivered"
                raise RowError(f"{kind!r} is no touchpoint type, {example}; try the filter |slug") from None
        return kind

    return checked
