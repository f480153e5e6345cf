"""The base of every error that a user can reach: one sentence on what is wrong, where, and what to do."""

from __future__ import annotations


class ThroughlineError(Exception):
    """Shown to the user as its message alone; `exit_code` is what the command ends with."""

    exit_code = 2
