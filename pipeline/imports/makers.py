"""What the events of a mapping make, as far as the mapping alone tells: types, fields, kinds of values.

In: a mapping. Out: a `Maker` for each of its events. Always holds: where the data decides, everything is
possible.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.imports.mapping import Event, ImportMapping, Table, Value, template_of
from pipeline.imports.readers import format_of
from pipeline.imports.sources import SourceError
from schemas.base import Place, Scalar

Kind = type[str] | type[bool] | type[float]
"""What a rule tells apart: text, truth values, numbers."""

_READ_AS: dict[str, Kind] = {"string": str, "int": float, "float": float, "bool": bool}


@dataclass(frozen=True)
class Maker:
    """An event: `types` are those that it names, each with its place; `form` is that of types which columns put
    together.
    """

    place: Place
    event: Event
    types: tuple[tuple[Place, str], ...]
    form: re.Pattern[str] | None
    mapping: ImportMapping
    table: Table

    def may_make(self, touchpoint_type: str) -> bool:
        if self.form is not None:
            return self.form.fullmatch(touchpoint_type) is not None
        return any(touchpoint_type == each for _, each in self.types)

    def gives(self, path: str) -> bool:
        """Whether touchpoints of it may have the field. What is within a value is not known."""
        return ".".join(path.split(".")[:2]) in self.fields

    @property
    def fields(self) -> list[str]:
        event = self.event
        return [
            *(f"data.{name}" for name in event.data),
            *(f"identities.{kind}" for kind in event.identities),
            *(name for name in ("subject", "outcome") if getattr(event, name) is not None),
        ]

    def kinds(self, path: str) -> set[Kind] | None:
        """The kinds of value that a field may have; None if that is not known."""
        root, _, name = path.partition(".")
        if root != "data":
            return {str}
        value = self.event.data.get(name)
        return None if value is None else self._kinds_of(value)

    def _kinds_of(self, value: Value) -> set[Kind] | None:
        if value.type is not None:
            # an instant may be compared as one
            return {_READ_AS[value.type]} if value.type in _READ_AS else None
        if value.values is not None:
            given = [*value.values.values(), *([] if value.otherwise is None else [value.otherwise])]
            return {kind_of(each) for each in given}
        if value.constant is not None:
            return {kind_of(value.constant)}
        written_in = self.mapping.tables[value.lookup.table] if value.lookup else self.table
        return {str} if value.template is not None or _is_text(written_in) else None


def kind_of(value: Scalar) -> Kind:
    if isinstance(value, bool):
        return bool
    return str if isinstance(value, str) else float


def makers(mapping: ImportMapping) -> list[Maker]:
    return [
        Maker(place, event, tuple(_types(place, event)), _form(event.type), mapping, mapping.tables[table])
        for place, table, event in mapping.events()
    ]


def _types(place: Place, event: Event) -> Iterator[tuple[Place, str]]:
    value, at = event.type, (*place, "type")
    if value.values is not None:
        yield from (((*at, "values", key), str(each)) for key, each in value.values.items())
        if value.otherwise is not None:
            yield (*at, "otherwise"), str(value.otherwise)
    elif template := template_of(value):
        yield at, (template.text if not template.columns else value.template or "")
    elif value.constant is not None:
        yield at, str(value.constant)


def _form(value: Value) -> re.Pattern[str] | None:
    template = template_of(value)
    if value.values is not None or template is None or not template.columns:
        return None
    return re.compile("".join(re.escape(part) if isinstance(part, str) else ".+" for part in template.parts))


def _is_text(table: Table) -> bool:
    """Whether the table's files have nothing but text."""
    try:
        return format_of(Path(table.file), table) in {"csv", "tsv"}
    except SourceError:
        return False
