"""The base of every error that a user can reach: one sentence on what is wrong, where, and what to do."""

from __future__ import annotations


class ThroughlineError(Exception):
    """Shown to the user as its message alone; `exit_code` is what the command ends with."""

    exit_code = 2
    quotes_values = False
    """Whether the message may hold what a record held; logs then tell the type alone."""


def shortened(text: str, limit: int) -> str:
    """Text that quotes what it was given, in at most `limit` characters: without its middle if it is longer."""
    if len(text) <= limit:
        return text
    half = (limit - 1) // 2
    return f"{text[:half]}…{text[-half:]}"
