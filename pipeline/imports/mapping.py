"""The mapping: the YAML file that says how the rows of tables become touchpoints.

In: a YAML file. Out: an `ImportMapping` with its positions, or a `MappingError` with every problem by line,
field and remedy. Always holds for a loaded mapping: every look-up names a table of it, every type's domain
is known before a row is read, and no two events of a row are bound to have the same id.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, TypeAdapter, ValidationError, model_validator

from pipeline.complaints import near
from pipeline.documents import Document, DocumentError, StandIn, load
from pipeline.imports.checks import FileName, Format, SingleCharacter, TextEncoding, ZoneName
from pipeline.imports.templates import Template, parse_template
from schemas.base import DOMAINS, Contract, InconsistentError, Name, Place, Scalar, TypeName

Problem = tuple[Place, str]
Text = Annotated[str, StringConstraints(min_length=1)]
DataName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_\-]+$")]
ValueType = Literal["string", "int", "float", "bool", "instant"]

_SOURCES = ("column", "constant", "template", "lookup")
_type_name: TypeAdapter[str] = TypeAdapter(TypeName)


class MappingError(DocumentError):
    """A mapping that can't be used, by itself or with these files; `problems` has all that is wrong."""


def _template(text: str) -> str:
    parse_template(text)
    return text


class Lookup(Contract):
    """A value of another table: of its row whose `key` column equals `by`, the `value` column."""

    table: Name
    key: Text
    by: ColumnValue
    value: Text
    missing: Literal["reject", "empty"] = Field(
        default="reject", description="When no row has the key: reject this row, or take the value as empty."
    )


class Value(Contract):
    """Where a value comes from (one of column, constant, template, lookup), and what is made of it."""

    column: Text | None = None
    constant: Scalar | None = None
    template: (
        Annotated[str, BeforeValidator(lambda text: _template(text) if isinstance(text, str) else text)]
        | None
    ) = None
    lookup: Lookup | None = None
    values: dict[str, Scalar] | None = Field(default=None, description="Translates: this value to that.")
    otherwise: Scalar | None = Field(
        default=None,
        description="For what `values` does not list; null makes it empty; without it the row is rejected.",
    )
    type: ValueType | None = Field(
        default=None, description="What to read it as; as the file has it by default."
    )
    format: Format | None = Field(
        default=None, description="Of an instant: iso, epoch_s, epoch_ms, epoch_us, strptime."
    )
    zone: ZoneName | None = Field(
        default=None, description="Of instants without an offset; the mapping's by default."
    )
    end_of_day: bool = Field(
        default=False, description="Of an instant: the last microsecond of its day in the zone."
    )

    @property
    def has_otherwise(self) -> bool:
        return "otherwise" in self.model_fields_set

    @model_validator(mode="after")
    def _one_source(self) -> Value:
        given = [name for name in _SOURCES if getattr(self, name) is not None]
        if len(given) != 1:
            what = f"{' and '.join(given)} are" if given else "no source is"
            raise ValueError(f"{what} given; a value comes from exactly one of {', '.join(_SOURCES)}")
        if self.has_otherwise and self.values is None:
            raise ValueError("`otherwise` is for what `values` does not list; add `values`, or leave it out")
        if self.type != "instant" and (self.format or self.zone or self.end_of_day):
            raise ValueError(
                "format, zone and end_of_day are for instants; add `type: instant`, or leave them out"
            )
        return self


def _as_column(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


def _as_template(value: Any) -> Any:
    return {"template": value} if isinstance(value, str) else value


def _as_instant(value: Any) -> Any:
    value = _as_column(value)
    return {"type": "instant", **value} if isinstance(value, dict) else value


ColumnValue = Annotated[Value, BeforeValidator(_as_column)]
"""A plain string is the name of a column."""
TextValue = Annotated[Value, BeforeValidator(_as_template)]
"""A plain string is text, in which `{column}` stands for a column's value."""
InstantValue = Annotated[Value, BeforeValidator(_as_instant)]
"""A plain string is the name of a column; whatever it is, it is read as an instant."""

Lookup.model_rebuild()


class Condition(Contract):
    """What a column must hold. All that is given has to be true; values are compared as text."""

    any_of: list[Scalar] | None = Field(default=None, alias="in")
    none_of: list[Scalar] | None = Field(default=None, alias="not")
    empty: bool | None = None


def _as_condition(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: [v] if k in {"in", "not"} and not isinstance(v, list) else v for k, v in value.items()}
    return {"in": value if isinstance(value, list) else [value]}


class Event(Contract):
    """A touchpoint that a row makes, when its conditions hold and its time is not empty."""

    type: TextValue
    time: InstantValue
    identities: dict[Name, ColumnValue] = Field(min_length=1)
    id: TextValue | None = Field(
        default=None, description="Unique within the source; by default file, line and event."
    )
    source: TextValue | None = None
    subject: ColumnValue | None = None
    sequence: ColumnValue | None = Field(default=None, description="Order among events of the same instant.")
    outcome: ColumnValue | None = Field(default=None, description="success or failure.")
    data: dict[DataName, ColumnValue] = Field(default_factory=dict)
    when: dict[str, Annotated[Condition, BeforeValidator(_as_condition)]] = Field(default_factory=dict)

    def fields(self) -> Iterator[tuple[Place, Value]]:
        """Every value of the event with its place within it."""
        for name in ("type", "time", "id", "source", "subject", "sequence", "outcome"):
            value = getattr(self, name)
            if value is not None:
                yield (name,), value
        yield from ((("identities", kind), value) for kind, value in self.identities.items())
        yield from ((("data", name), value) for name, value in self.data.items())


class Table(Contract):
    """One file, or all files that a pattern matches, how to read it, and the events that its rows make."""

    file: FileName = Field(description="Within the data folder; `*` stands for any characters.")
    format: Literal["csv", "tsv", "jsonl", "parquet"] | None = Field(
        default=None, description="By default by the name."
    )
    delimiter: SingleCharacter | None = Field(default=None, description="By default a comma; in tsv a tab.")
    quote: SingleCharacter | Literal["none"] = '"'
    encoding: TextEncoding = "utf-8"
    header: list[Text] | None = Field(
        default=None, min_length=1, description="For a file without a header line."
    )
    decimal: Literal[".", ","] = "."
    empty: list[str] = Field(default_factory=lambda: [""], description="Texts that mean: no value.")
    optional: list[Text] = Field(
        default_factory=list, description="Columns that a file may lack; empty then."
    )
    events: dict[Name, Event] = Field(default_factory=dict)

    @property
    def layout(self) -> tuple[object, ...]:
        """How a file is taken apart: tables that agree in it find the same rows of the file broken."""
        return self.format, self.delimiter, self.quote, self.encoding, tuple(self.header or ())


class ImportMapping(Contract):
    """The whole file."""

    version: Literal[1] = 1
    name: Name
    zone: ZoneName = Field(default="UTC", description="Of all times that carry no offset.")
    tables: dict[Name, Table] = Field(min_length=1)

    def events(self) -> Iterator[tuple[Place, str, Event]]:
        """Every event with its place and its table's name."""
        for table_name, table in self.tables.items():
            for name, event in table.events.items():
                yield ("tables", table_name, "events", name), table_name, event

    def domains(self) -> tuple[str, ...]:
        """The domains that the events may have, and so the source topics that they need."""
        found = {domain for _, _, event in self.events() for domain in _domains(event.type)}
        return tuple(domain for domain in DOMAINS if domain in found)

    @model_validator(mode="after")
    def _consistent(self) -> ImportMapping:
        problems = [*self._unknown_tables(), *self._bad_types(), *self._same_ids(), *self._nothing_made()]
        if problems:
            raise InconsistentError(problems)
        return self

    def _unknown_tables(self) -> Iterator[Problem]:
        for place, _, event in self.events():
            for field, value in event.fields():
                for at, lookup in lookups(value):
                    if lookup.table not in self.tables:
                        wrong = f"there is no table {lookup.table!r}{near(lookup.table, list(self.tables))}"
                        yield (
                            (*place, *field, *at, "table"),
                            f"{wrong}; the tables are {', '.join(self.tables)}",
                        )

    def _bad_types(self) -> Iterator[Problem]:
        for place, _, event in self.events():
            yield from (((*place, "type", *at), message) for at, message in _type_problems(event.type))

    def _same_ids(self) -> Iterator[Problem]:
        seen: dict[tuple[str, str], Place] = {}
        for place, table_name, event in self.events():
            if event.id and not event.when and event.id.template:
                source = (event.source and event.source.template) or table_name
                other = seen.setdefault((source, event.id.template), place)
                if other != place:
                    wrong = (
                        f"the same as in {'.'.join(map(str, other))}: one would count as a copy of the other"
                    )
                    remedy = f"add the event's name, such as {event.id.template}:{place[-1]}"
                    yield (*place, "id"), f"{wrong}; {remedy}"

    def _nothing_made(self) -> Iterator[Problem]:
        if not any(table.events for table in self.tables.values()):
            yield ("tables",), "no table has events, so that nothing would be imported; add `events` to one"


def lookups(value: Value) -> Iterator[tuple[Place, Lookup]]:
    """The look-ups within a value, from the outside in, with their places."""
    at: Place = ()
    while value.lookup:
        at = (*at, "lookup")
        yield at, value.lookup
        at, value = (*at, "by"), value.lookup.by


def template_of(value: Value) -> Template | None:
    return None if value.template is None else parse_template(value.template)


def _domains(value: Value) -> set[str]:
    """The first segments of the types that the value may be; empty when that is not known beforehand."""
    if value.values is not None:
        texts = [*value.values.values(), *([value.otherwise] if value.otherwise is not None else [])]
    else:
        texts = [value.template if value.template is not None else value.constant or ""]
    return {str(text).partition(".")[0] for text in texts}


def _type_problems(value: Value) -> Iterator[Problem]:
    if value.values is not None:
        for key, text in value.values.items():
            yield from ((("values", key), message) for message in _type_name_problems(text))
        if value.otherwise is not None:
            yield from ((("otherwise",), message) for message in _type_name_problems(value.otherwise))
    elif template := template_of(value):
        if not template.columns:
            yield from (((), message) for message in _type_name_problems(value.template))
        else:
            yield from (((), message) for message in _domain_problems(value.template or ""))
    elif value.constant is not None:
        yield from (((), message) for message in _type_name_problems(value.constant))
    else:
        yield (
            (),
            "which types may come is not known; add `values` that translate to types, or write {template: …}",
        )


def _type_name_problems(text: object) -> Iterator[str]:
    try:
        _type_name.validate_python(text)
    except ValidationError:
        example = "such as fulfilment.parcel.delivered"
        yield f"{text!r} is no touchpoint type; write domain.object.verb in lower case, {example}"
        return
    yield from _domain_problems(str(text))


def _domain_problems(text: str) -> Iterator[str]:
    domain = text.partition(".")[0]
    if domain not in DOMAINS:
        remedy = f"the domains are {', '.join(DOMAINS)}"
        yield f"a type begins with its domain, and {domain!r} is none{near(domain, DOMAINS)}; {remedy}"


@dataclass(frozen=True)
class LoadedMapping:
    """A mapping with the positions of its file, so that what is found out later can still name the line."""

    content: ImportMapping
    document: Document


_EVENT = ("tables", "*", "events", "*")
_STAND_INS = (
    StandIn(("version",), 1),
    StandIn(("name",), "unnamed"),
    StandIn(("zone",)),
    StandIn((*_EVENT, "type"), "sales.order.placed"),
    StandIn((*_EVENT, "time"), "time"),
    StandIn((*_EVENT, "identities", "*"), "id"),
    StandIn((*_EVENT, "identities"), {"id": "id"}),
    *(StandIn((*_EVENT, name)) for name in ("id", "source", "subject", "sequence", "outcome", "when")),
    StandIn((*_EVENT, "data", "*")),
    StandIn(_EVENT, {"type": "sales.order.placed", "time": "time", "identities": {"id": "id"}}),
    *(StandIn(("tables", "*", name)) for name in Table.model_fields if name not in {"file", "events"}),
    StandIn(("tables", "*", "file"), "unnamed"),
)


def load_mapping(path: Path) -> LoadedMapping:
    """Read and validate a mapping. Raises MappingError with every problem of the file."""
    try:
        return LoadedMapping(*load(path, ImportMapping, _STAND_INS))
    except DocumentError as error:
        raise MappingError(error.problems) from None
