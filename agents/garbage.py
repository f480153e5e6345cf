"""Python's garbage collection in a worker: off, but for a look at what is new now and then.

A worker keeps millions of objects that live long, and nearly everything else dies by its reference count. Looking for
cycles whenever enough has been made cost a tenth of the worker's time, to find a dozen objects a second, which aiokafka
leaves behind. So cycles are looked for every five seconds, among what was made since. What has survived one look is never
looked at again: a full collection stops a worker for as long as its memory is large, and after ten seconds its partitions
are another's. A cycle that a look came upon while it was in use stays for good; such are a few small ones. What is large
must not refer to itself: see `engine.unpacking.FetchedRecords`.
"""

from __future__ import annotations

import gc
import threading

SECONDS = 5.0


def relax() -> None:
    """Once, when everything is imported and before work begins."""
    gc.collect()
    gc.freeze()
    gc.disable()
    _collect_later()


def _collect_later() -> None:
    timer = threading.Timer(SECONDS, _collect)
    timer.daemon = True
    timer.start()


def _collect() -> None:
    gc.collect(0)
    _collect_later()
