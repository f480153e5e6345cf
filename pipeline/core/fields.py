"""The fields of a touchpoint, as rules read them."""

from __future__ import annotations

from math import isfinite
from typing import Any


def key_text(value: Any) -> str | None:
    """The key that a field gives; None if it gives none. 7 and 7.0 are the same key."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, int | float) else None


def number(value: Any) -> float | None:
    """The number in a field; None if there is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if isfinite(found) else None
