"""Memory of glibc's allocator: few arenas, and what was freed goes back to the system.

Elsewhere (musl, macOS) there is nothing to do, or nothing that can be done.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress
from typing import Final

ARENAS: Final = 2
"""glibc gives threads up to eight arenas a core, and each keeps what was freed in it. A worker has a thread for each
partition at work, and many of librdkafka's: a gigabyte lay there. Python's threads take turns anyway.
"""
_M_ARENA_MAX: Final = -8


def keep_few_arenas() -> None:
    """Before the process has threads."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, ARENAS)


def give_back() -> None:
    """glibc keeps what was freed between what was not."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
