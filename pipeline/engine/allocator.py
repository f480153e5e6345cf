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
MAPPED_BYTES: Final = 512 * 1024
"""Larger blocks, such as what is fetched of a partition, are mapped one by one, and gone when they are freed. By itself
glibc raises this limit to 32 MB as such blocks are freed, and keeps them all between smaller ones that live on.
"""
TRIMMED_BYTES: Final = 64 * 1024 * 1024
"""So much may lie free at the heap's end before it is given back. Who sets the limit above gets 128 KiB here, with which a
worker takes from the system and gives back all the time: a tenth of its work.
"""
_M_TRIM_THRESHOLD: Final = -1
_M_ARENA_MAX: Final = -8
_M_MMAP_THRESHOLD: Final = -3


def keep_little() -> None:
    """Before the process has threads."""
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_ARENA_MAX, ARENAS)
        libc.mallopt(_M_MMAP_THRESHOLD, MAPPED_BYTES)
        libc.mallopt(_M_TRIM_THRESHOLD, TRIMMED_BYTES)


def give_back() -> None:
    """glibc keeps what was freed between what was not."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
