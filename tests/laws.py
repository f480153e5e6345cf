"""How many random worlds a law meets: few in every run, many in `make laws`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

_FEWEST = 10
_T = TypeVar("_T")


def examples(many: int) -> int:
    """Of `many`, the share that LAWS says, 0.3 if it says nothing."""
    return max(_FEWEST, round(many * float(os.environ.get("LAWS", "0.3"))))


def some(cases: Sequence[_T]) -> list[_T]:
    """Of cases that each take seconds, the share that LAWS says, all in `make laws`."""
    every = max(1, round(1 / float(os.environ.get("LAWS", "0.3"))))
    return list(cases[::every])
