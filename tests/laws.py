"""How many random worlds a law meets: few in every run, many in `make laws`."""

from __future__ import annotations

import os

_FEWEST = 10


def examples(many: int) -> int:
    """Of `many`, the share that LAWS says, 0.3 if it says nothing."""
    return max(_FEWEST, round(many * float(os.environ.get("LAWS", "0.3"))))
