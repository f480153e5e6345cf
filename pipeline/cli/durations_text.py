"""Durations in words, as every command says them."""

from __future__ import annotations

from pipeline.core.instants import SECOND
from pipeline.core.messages import Micros

_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def in_words(duration: Micros) -> str:
    """`1 d 4 h`, in whole seconds; what is shorter than a minute in parts of one: `7.5 s`."""
    if duration < 60 * SECOND:
        return f"{duration / SECOND:g} s"
    seconds, parts = duration // SECOND, []
    for size, unit in _UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts)


def gap_in_words(gap: Micros) -> str:
    """What lies between a due time and what met it: `1 d 4 h late`; of a negative one `early`."""
    if gap == 0:
        return "at the very due time"
    return f"{in_words(abs(gap))} {'late' if gap > 0 else 'early'}"
