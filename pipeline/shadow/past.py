"""Touchpoints of the past, wherever they are kept: what a source of them gives, and what a shadow run asks of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from pipeline.core.messages import Micros


class PastTouchpoint(NamedTuple):
    """`event` is a CloudEvent in structured JSON; it may be one that a map refuses."""

    time: Micros
    event: bytes


class Past(Protocol):
    """A source that is only read: nothing of a running pipeline is changed, or notices."""

    name: str
    unreadable: int
    """Records of the last reading that every map refuses: they are no events, or of an impossible time."""

    def read(self, first: Micros | None, last: Micros | None) -> Iterator[PastTouchpoint]:
        """Those with first ≤ time ≤ last, in any order; None is no bound. Ends, whatever comes in meanwhile.

        Raises a ThroughlineError, which says what to do.
        """
        ...

    def read_earlier(
        self, first: Micros, last: Micros | None, sharing: Sequence[str] | None
    ) -> Iterator[PastTouchpoint]:
        """Those before `first` that have a value of a field in `sharing` that one with first ≤ time ≤ last has, and
        maybe others; None stands for any touchpoint. A field is `subject` or `identities.<kind>`.

        Raises as `read` does.
        """
        ...

    def notes(self) -> list[str]:
        """What whoever reads the result has to know of this source."""
        ...
