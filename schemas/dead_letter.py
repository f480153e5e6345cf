"""Dead letters: records that could not be processed, on `touchpoints.dead-letter`.

The record's key, value and headers are the original's, byte for byte; what went wrong is told in headers that
begin with `throughline-`. This model is the decoded form of those headers.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from schemas.base import Contract, Instant


class ErrorCode(StrEnum):
    """Why a record became a dead letter."""

    MALFORMED_JSON = "malformed_json"
    NOT_AN_OBJECT = "not_an_object"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    INVALID_VALUE = "invalid_value"
    UNKNOWN_FIELD = "unknown_field"
    IMPOSSIBLE_TIME = "impossible_time"
    NO_IDENTITY = "no_identity"
    OVERSIZED = "oversized"
    BAD_HEADERS = "bad_headers"
    UNEXPECTED = "unexpected"


class DeadLetter(Contract):
    code: ErrorCode
    path: str = Field(
        description="Where in the record, as `data.due` or `identities.email`; empty for the whole."
    )
    message: str = Field(description="One sentence: what is wrong and what would be right.")
    stage: str = Field(description="The stage that refused it.")
    topic: str
    partition: int
    offset: int
    time: Instant = Field(description="The record's Kafka timestamp.")
