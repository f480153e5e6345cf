"""What many refusals have in common: how often each reason came, and the first that shows it.

In: refusals one by one, each under a key. Out: counts and first ones. Always holds: memory does not grow with how many
there are, nor with how many different ones.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Refused = TypeVar("Refused")

_MOST = 200
_VALUE = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\d+")


def shape(reason: str) -> str:
    """A reason without what it quotes of the row, and so the same for all rows with the same fault."""
    return _VALUE.sub("…", reason)


class Reasons(Generic[Key, Refused]):
    """`first` of each key and its `counts`. Beyond 200 keys what comes is counted in `others` alone."""

    def __init__(self) -> None:
        self.counts: Counter[Key] = Counter()
        self.first: dict[Key, Refused] = {}
        self.others = 0

    def add(self, key: Key, refused: Refused) -> None:
        if key not in self.first:
            if len(self.first) >= _MOST:
                self.others += 1
                return
            self.first[key] = refused
        self.counts[key] += 1
