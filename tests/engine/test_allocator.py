"""A worker's memory: glibc's arenas are few, however many threads ask for memory at once."""

from __future__ import annotations

import platform
import re
import subprocess
import sys

import pytest

from pipeline.engine.allocator import ARENAS

MANY_THREADS = """
import ctypes, sys, threading
from pipeline.engine.allocator import keep_little
if sys.argv[1] == "few":
    keep_little()
libc = ctypes.CDLL(None)
together = threading.Barrier(12)
def work():
    together.wait()
    held = [libc.malloc(100_000) for _ in range(100)]
    together.wait()
threads = [threading.Thread(target=work) for _ in range(12)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""


def arenas(how: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", MANY_THREADS, how], check=True, capture_output=True, text=True, timeout=60
    )
    return len(re.findall(r"<heap nr=", done.stdout))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has arenas")
def test_however_many_threads_there_are_their_memory_lies_in_few_arenas() -> None:
    assert arenas("few") <= ARENAS < arenas("as usual")
