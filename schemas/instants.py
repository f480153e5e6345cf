"""Instants on the wire: RFC 3339 text with an offset, such as `2026-03-01T09:30:00Z`, and nothing else.

Pydantic alone would also take a bare number or `1700000000` in quotes for seconds since 1970; a feed that
sends those has more likely mistaken its unit, so they are errors here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

RFC3339_PATTERN = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$"
)


class _Rfc3339:
    """Both checks run in pydantic's Rust core: a Python validator would double the cost of an envelope."""

    @staticmethod
    def __get_pydantic_core_schema__(_source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        aware = core_schema.datetime_schema(tz_constraint="aware", strict=False)
        text = core_schema.str_schema(strict=True, pattern=RFC3339_PATTERN)
        return core_schema.json_or_python_schema(
            json_schema=core_schema.chain_schema([text, aware]),
            python_schema=core_schema.union_schema(
                [core_schema.is_instance_schema(datetime), core_schema.chain_schema([text, aware])]
            ),
            serialization=core_schema.plain_serializer_function_ser_schema(_in_utc, when_used="json"),
        )

    @staticmethod
    def __get_pydantic_json_schema__(_schema: CoreSchema, _handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "format": "date-time", "pattern": RFC3339_PATTERN}


def _in_utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


WireInstant = Annotated[datetime, _Rfc3339]
"""An instant of an event: kept with the offset that it came with, written in UTC."""
