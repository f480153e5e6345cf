"""The catalogue: touchpoint types with typed `data`, by domain.

A type that is not here has free `data`; a journey map may declare any type.
"""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import Any

from pydantic import create_model

from schemas.catalogue import (
    billing,
    fulfilment,
    marketing,
    partner,
    product,
    sales,
    service,
    social,
    survey,
)
from schemas.catalogue.base import Data
from schemas.touchpoint import Touchpoint

CATALOGUE: MappingProxyType[str, type[Data]] = MappingProxyType(
    {
        name: data
        for domain in (marketing, sales, fulfilment, service, survey, billing, product, partner, social)
        for name, data in domain.TYPES.items()
    }
)
"""Touchpoint type → model of its `data`."""


@cache
def envelope(touchpoint_type: str) -> type[Touchpoint]:
    """The touchpoint with the `data` of a catalogued type. Raises KeyError for a type that is not
    catalogued.
    """
    data = CATALOGUE[touchpoint_type]
    optional: Any = data | None
    return create_model(f"{data.__name__}Touchpoint", __base__=Touchpoint, data=(optional, None))
