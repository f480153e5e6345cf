"""The touchpoint: one CloudEvents 1.0 event in JSON, on `touchpoints.<domain>`.

Structured mode: the record's value is the whole event. Binary mode: the attributes are headers (`ce_id`,
`ce_type`, …; `ce_identities` holds a JSON object), the value is `data`; both mean the same. Validation is
strict: what JSON Schema calls a number is a number and not a number in quotes.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from schemas.base import Scalar
from schemas.instants import WireInstant

EXTENSION_PATTERN = r"^[a-z0-9]+$"

Text = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Reference = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
ExtensionName = Annotated[str, StringConstraints(pattern=EXTENSION_PATTERN, max_length=64)]
KindName = Annotated[str, StringConstraints(min_length=1, max_length=64)]
IdentityValue = Annotated[str, StringConstraints(max_length=512)]


class Touchpoint(BaseModel):
    """One contact of a customer with the company, as a source system reports it.

    Extension attributes of CloudEvents (lower-case letters and digits, scalar values) may be added freely.
    """

    model_config = ConfigDict(
        extra="allow",
        strict=True,
        frozen=True,
        json_schema_extra={"propertyNames": {"pattern": EXTENSION_PATTERN}},
    )
    __pydantic_extra__: dict[ExtensionName, Scalar | None] = Field(init=False)

    specversion: Literal["1.0"] = Field(description="The version of CloudEvents.")
    id: Text = Field(
        description="Unique within its source; a repetition of (source, id) is the same touchpoint."
    )
    source: Reference = Field(description="The system that says so, as a URI reference.")
    type: Text = Field(
        description="What happened, `domain.object.verb`: of the catalogue, of the journey map, or any other."
    )
    time: WireInstant = Field(description="When it happened, as RFC 3339 with an offset.")
    subject: Reference | None = Field(
        default=None, description="What it happened to, in the source's own terms."
    )
    datacontenttype: Reference | None = Field(
        default=None, description="Media type of `data`; JSON if absent."
    )
    dataschema: Reference | None = Field(default=None, description="Where the schema of `data` is.")
    sequence: Text | None = Field(
        default=None, description="Order among touchpoints of the same time; numbers order as numbers."
    )
    outcome: Literal["success", "failure"] | None = Field(
        default=None, description="The department's own verdict; absent if it has none."
    )
    identities: Annotated[dict[KindName, IdentityValue | None], Field(max_length=64)] = Field(
        description="Whose it is: identifier kind → value. A blank or null value counts as absent."
    )
    data: Any = Field(default=None, description="The facts; typed for the types of the catalogue.")
